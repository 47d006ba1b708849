"""The stored points: JSON lines that are only ever appended to.

A line is a finished point or a failed try; the last one with a key counts. Units are in the names
of the fields; `runner.py` fills them in.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from nvcodec import disk
from nvcodec.errors import OutputError, VideoError

NAME = "results.jsonl"
Record = dict[str, Any]


class Results:
    """The results file of a folder, open for appending; one process at a time.

    Raises:
        OutputError: the folder cannot be written, or another process is writing there.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file = self._opened()
        self.records = read_records([self.path])

    def finished(self) -> dict[str, Record]:
        """Finished points by key."""
        return {record["key"]: record for record in self.records if record["status"] == "done"}

    def append(self, record: Record) -> None:
        """Store a line so that it lasts."""
        line = json.dumps(record, allow_nan=False)
        if not disk.is_at(self._file, self.path):  # replaced while we ran, by git for example
            self._file.close()
            self._file = self._opened()
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error
        self.records.append(record)

    def close(self) -> None:
        """Let others write."""
        self._file.close()

    def _opened(self) -> IO[bytes]:
        """The file, locked; a line that a power cut left unfinished is ended."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file: IO[bytes] = self.path.open("a+b")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error
        disk.lock(file, self.path)
        if size := file.seek(0, os.SEEK_END):
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.write(b"\n")
                file.flush()
        return file


def read_records(paths: Iterable[Path]) -> list[Record]:
    """All lines of the files, the last with each key only; half-written ones are left out.

    Raises:
        VideoError: a file cannot be read.
    """
    found: dict[str, Record] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise VideoError(f"{path}: cannot be read: {error.strerror}") from error
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and {"key", "status", "codec"} <= record.keys():
                found.pop(record["key"], None)
                found[record["key"]] = record
    return list(found.values())
