"""Where a file's bytes go: OUT.part, which gets its name at the end, or a stream; append only.

Every byte is on the disk when `append` returns, and counted in size and hash.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from nvcodec.container.chunk_payloads import DIGEST_SIZE
from nvcodec.container.unfinished import open_part, part_path
from nvcodec.disk import is_at, lock, open_new, sync_folder, write_all
from nvcodec.errors import OutputError

_BLOCK_SIZE = 1 << 20


class Sink:
    """An output that is open for appending.

    Args:
        target: A path, or a binary file that is written forward only, such as a pipe.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        OutputError: It is there already, or cannot be written.
    """

    def __init__(self, target: str | Path | BinaryIO, overwrite: bool) -> None:
        self.size = 0
        self.hash = hashlib.blake2b(digest_size=DIGEST_SIZE)
        self.path: Path | None = None
        """Of the file to come; None for streams, devices and named pipes."""
        self.file: BinaryIO
        """What is written to: an unbuffered file, so that every error shows where it happens."""
        self.is_open = True
        self._overwrite = overwrite
        self._is_owned = isinstance(target, str | Path)
        if not isinstance(target, str | Path):
            self.file = target
            self.name = str(getattr(target, "name", "output"))
            return
        path = Path(target)
        self.name = str(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            try:
                self.file = path.open("wb", buffering=0)
            except OSError as error:
                raise output_error(error, f"{path}: cannot be written") from error
            return
        self.path = path
        self._check_free()

    def create(self) -> None:
        """Begin OUT.part; streams need nothing."""
        if self.path is None:
            return
        part = part_path(self.path)
        try:
            if self._overwrite and os.path.lexists(part):
                self.file = open_part(part, to_discard=True)
            else:
                self.file = open_new(part)
            lock(self.file, part)
            self.file.truncate(0)
            sync_folder(part)
        except FileExistsError:
            raise OutputError(
                f"{part}: an unfinished file is there; resume it, or allow to overwrite it"
            ) from None
        except OSError as error:
            raise output_error(error, f"{part}: cannot be written") from error

    def reopen(self) -> None:
        """Take over the OUT.part that is there; `keep` says how much of it."""
        assert self.path is not None
        self.file = open_part(part_path(self.path))
        lock(self.file, part_path(self.path))

    def keep(self, end: int) -> None:
        """Cut OUT.part at `end`, and stand as if everything before had been written here."""
        self.file.truncate(end)
        self.file.seek(0)
        while block := self.file.read(_BLOCK_SIZE):
            self.hash.update(block)
        os.fsync(self.file.fileno())
        self.size = end

    def append(self, data: bytes, what: str) -> None:
        """Write all of `data` down to the disk; if that fails, take back what went out."""
        if not self.is_open:
            raise OutputError(f"{self.name}: cannot write {what}, it is closed")
        try:
            write_all(self.file, data)
            self.file.flush()
            if self.path is not None:
                os.fsync(self.file.fileno())
        except OSError as error:
            self._drop_torn_tail()
            text = f"{self.name}: cannot write {what}, {len(data):,} bytes at {self.size:,}"
            raise output_error(error, text) from error
        except BaseException:  # Ctrl-C: it may be on the disk or not, `resume` will see.
            self.close()
            raise
        self.hash.update(data)
        self.size += len(data)

    def finish(self) -> None:
        """Give OUT.part its final name, under the lock, and close."""
        try:
            if self.path is not None:
                self._rename(part_path(self.path), self.path)
        finally:
            self.close()

    def discard(self) -> None:
        """Stop writing, and remove OUT.part if it is still this one."""
        if self.path is not None and self.is_open and is_at(self.file, part_path(self.path)):
            part_path(self.path).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Stop writing; OUT.part stays as it is. Streams stay open."""
        self.is_open = False
        if self._is_owned:
            self.file.close()

    def _check_free(self) -> None:
        assert self.path is not None
        if self.path.is_dir() or (self.path.exists() and not self._overwrite):
            kind = "a folder" if self.path.is_dir() else "a file"
            raise OutputError(f"{self.path}: {kind} of this name is there already")

    def _rename(self, part: Path, path: Path) -> None:
        self._check_free()
        try:
            if not is_at(self.file, part):
                raise OutputError(f"{part}: another process has replaced it; {path} is not written")
            if os.name != "posix":  # There, an open file cannot be renamed.
                self.close()
            part.replace(path)
            sync_folder(path)
        except OSError as error:
            raise output_error(error, f"{path}: cannot rename") from error

    def _drop_torn_tail(self) -> None:
        self.is_open = False
        if self.path is not None:
            # A reader copes with a torn tail where this fails, and so does `resume`.
            with contextlib.suppress(OSError):
                self.file.truncate(self.size)
        if self._is_owned:
            self.file.close()


def output_error(error: OSError, text: str) -> OutputError:
    """The error as one of ours, with the system's reason."""
    if isinstance(error, OutputError):
        return error
    return OutputError(f"{text}: {error.strerror or error}")
