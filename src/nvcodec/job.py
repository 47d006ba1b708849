"""The state of one encoding beside its output, so that the same command continues after any interruption.

    OUT.nvc.job/job.json       settings, and per finished segment a digest of its input and what was measured
    OUT.nvc.job/segment.ckpt   checkpoint of the segment at work, and the generation before it
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nvcodec.errors import OutputError, ResumeError
from nvcodec.video.info import Planes


def frames_digest(frames: Iterable[Planes]) -> str:
    """Hash over every sample of every frame."""
    state = hashlib.blake2b(digest_size=16)
    for planes in frames:
        for plane in planes:
            state.update(plane.tobytes())
    return state.hexdigest()


class Job:
    """Opens, or creates, the job folder of an output.

    Raises:
        ResumeError: the folder belongs to other settings; the message names them.
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self._path = folder / "job.json"
        self._settings = json.loads(json.dumps(settings))
        self._segments: list[dict[str, Any]] = []
        self.is_resumed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                self._load()
            else:
                self._store()
        except OSError as error:
            raise OutputError(f"{folder}: cannot keep the job's state: {error.strerror}") from error

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            settings, segments = stored["settings"], stored["segments"]
        except (ValueError, KeyError, TypeError) as error:
            raise ResumeError(f"{self._path}: is not a job's state; --restart throws it away") from error
        changed = [k for k in self._settings if settings.get(k) != self._settings[k]]
        if changed:
            raise ResumeError(
                f"{self.folder}: the stored job has other settings: "
                + "; ".join(f"{k} was {_short(settings.get(k))}, is {_short(self._settings[k])}" for k in changed)
                + "; --restart throws the stored job away"
            )
        self._segments = segments
        self.is_resumed = True

    def digest(self, input_digest: str, number: int) -> str:
        """What a checkpoint of segment `number` belongs to."""
        text = json.dumps([self._settings, input_digest, number], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def finished(self, number: int, input_digest: str) -> dict[str, Any]:
        """What was stored with a segment that is already in the file.

        Raises:
            ResumeError: its input has changed since.
        """
        if number >= len(self._segments):
            raise ResumeError(f"{self._path}: knows nothing of segment {number}; use --restart")
        stored = self._segments[number]
        if stored["input"] != input_digest:
            raise ResumeError(
                f"segment {number}: the input has changed since it was coded; --restart throws the stored job away"
            )
        return stored

    def finish(self, number: int, input_digest: str, measured: Mapping[str, Any]) -> None:
        """Store what belongs to segment `number`, just before it goes into the file."""
        self._segments[number:] = [{"input": input_digest, **measured}]
        self._store()

    def remove(self) -> None:
        """The output is complete: nothing is needed any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _store(self) -> None:
        part = self._path.with_suffix(".tmp")
        try:
            with part.open("w", encoding="utf-8") as file:
                json.dump({"settings": self._settings, "segments": self._segments}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise OutputError(f"{part}: cannot be written: {error.strerror}") from error


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
