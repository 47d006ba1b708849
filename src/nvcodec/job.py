"""The state of one encoding beside its output: the same command continues after any interruption.

    OUT.nvc.job/job.json         output, settings, and for every finished segment a digest of its
                                 input and what was measured
    OUT.nvc.job/segment-N.ckpt   checkpoint of the segment at work; `.ckpt.1` is the one before it
    OUT.nvc.job/segment-N.npz    values of the last finished segment, for a warm start of the next

Only these files are ever removed: the folder may be one that the user named. Loads no torch, so
that the command line can refuse an output before it does anything else.
"""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.disk import lock, sync_folder
from nvcodec.encode_types import EncodeOptions
from nvcodec.errors import BitstreamError, NvcError, OutputError, ResumeError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.video.info import Planes

STATE_NAME = "job.json"
OWN_FILES = (
    STATE_NAME, "job.tmp", "segment-*.ckpt", "segment-*.ckpt.1", "segment-*.tmp", "segment-*.npz",
)  # fmt: skip
"""Patterns of everything that an encoding may leave in its folder."""
MAX_CHANGES_NAMED = 5
OVERWRITE = "{overwrite} overwrites it"
RESTART = "{restart} throws the stored job away"


def frames_digest(frames: Iterable[Planes]) -> str:
    """Hash over every sample of every frame."""
    state = hashlib.blake2b(digest_size=16)
    for planes in frames:
        for plane in planes:
            state.update(plane.tobytes())
    return state.hexdigest()


def job_folder(path: Path) -> Path:
    """Where the job of an output lies unless the user names a folder."""
    return path.with_name(path.name + ".job")


def check_owner(folder: Path, output: Path) -> None:
    """Refuse a folder that the user named where it holds the job of another output.

    Raises:
        ResumeError: it does.
    """
    try:
        stored = json.loads((folder / STATE_NAME).read_text(encoding="utf-8"))["output"]
    except (OSError, ValueError, KeyError, TypeError):  # none there, or none that can be continued
        return
    # A job beside its output may be moved together with it.
    if stored != str(output.resolve()) and folder.resolve() != job_folder(output.resolve()):
        raise ResumeError(
            f"{folder}: holds the job of {stored}, not of {output}",
            "{workdir} names another folder",
        )


def discard_job(folder: Path, path: Path | None = None) -> None:
    """Throw away a stored job and the unfinished file of its output.

    Raises:
        OutputError: another process is writing that file; nothing was thrown away.
    """
    with contextlib.ExitStack() as stack:
        part = None if path is None else part_path(path)
        if part is not None and part.exists():
            try:
                lock(stack.enter_context(part.open("rb")), part)
            except OutputError:
                raise
            except OSError as error:
                raise OutputError(f"{part}: cannot be removed: {error.strerror}") from error
        for pattern in OWN_FILES:
            for file in folder.glob(pattern):
                file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or holds files of others
            folder.rmdir()
        if part is not None:
            part.unlink(missing_ok=True)


class Job:
    """Opens, or creates, the job folder of an output.

    Raises:
        ResumeError: the folder belongs to other settings; the message names them.
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], output: Path) -> None:
        self.folder = folder
        self._output = str(output.resolve())
        self._path = folder / STATE_NAME
        self._settings = json.loads(json.dumps(settings))
        self._segments: list[dict[str, Any]] = []
        self.is_resumed = False
        self.is_finished = False
        """Whether the output has its name already, and only this folder is left."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                self._load()
            else:
                self._store()
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot keep the job's state: {error.strerror or error}"
            ) from error

    @classmethod
    def stored(cls, folder: Path, settings: Mapping[str, Any], output: Path) -> "Job | None":
        """The job that is there, if it is of these settings."""
        if not (folder / STATE_NAME).exists():
            return None
        try:
            return cls(folder, settings, output)
        except ResumeError:
            return None

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            settings, segments = stored["settings"], list(stored["segments"])
        except (ValueError, KeyError, TypeError) as error:
            raise ResumeError(f"{self._path}: is not a job's state", RESTART) from error
        before, now = dict(_leaves(settings)), dict(_leaves(self._settings))
        changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
        if changed:
            changes = "; ".join(
                f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
                for name in changed[:MAX_CHANGES_NAMED]
            )
            if len(changed) > MAX_CHANGES_NAMED:
                changes += f"; and {len(changed) - MAX_CHANGES_NAMED} more"
            raise ResumeError(
                f"{self.folder}: the stored job has other settings: {changes}", RESTART
            )
        self._segments = segments
        self.is_resumed = True

    def digest(self, input_digest: str, number: int) -> str:
        """What a checkpoint of segment `number` belongs to."""
        text = json.dumps([self._settings, input_digest, number], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def checkpoints(self, number: int, input_digest: str) -> CheckpointStore:
        """Where the fitting of segment `number` keeps its state."""
        digest = self.digest(input_digest, number)
        return CheckpointStore(self.folder, f"segment-{number}", digest)

    def finished(self, number: int, input_digest: str) -> dict[str, Any]:
        """What was stored with a segment that is already in the file.

        Raises:
            ResumeError: its input has changed since.
        """
        if number >= len(self._segments):
            raise ResumeError(f"{self._path}: knows nothing of segment {number}", RESTART)
        stored = self._segments[number]
        if stored["input"] != input_digest:
            raise ResumeError(
                f"segment {number}: the input has changed since it was coded", RESTART
            )
        return stored

    @contextlib.contextmanager
    def commit(
        self,
        number: int,
        input_digest: str,
        measured: Mapping[str, Any],
        values: Mapping[str, NDArray[Any]] | None,
    ) -> Iterator[None]:
        """Make segment `number` last: the caller writes it into the file inside this context.

        The order survives a stop anywhere: its values (for a next segment that begins with them),
        what was measured, the file, and only then the checkpoint goes. What is stored of a segment
        that is not in the file yet is dropped when it is coded again.

        Raises:
            OutputError: something cannot be written.
        """
        if values is not None:
            self.keep_values(number, values)
        self._segments[number:] = [{"input": input_digest, **measured}]
        self._store()
        yield
        self.checkpoints(number, input_digest).clear()

    def keep_values(self, number: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Keep the values of segment `number` instead of those before, for the next to begin with.

        Raises:
            OutputError: they cannot be written.
        """
        path = self._values_path(number)
        try:
            with path.with_suffix(".tmp").open("wb") as file:
                np.savez(file, **values)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            path.with_suffix(".tmp").replace(path)
            for old in self.folder.glob("segment-*.npz"):
                # The one before is needed until the job has this one among its finished segments.
                if old not in (path, self._values_path(number - 1)):
                    old.unlink()
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error

    def kept_values(self, number: int) -> dict[str, NDArray[Any]]:
        """Values of segment `number`.

        Raises:
            ResumeError: they are not there.
        """
        path = self._values_path(number)
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ResumeError(
                f"{path}: is not to be read, so the next segment cannot begin with it", RESTART
            ) from error

    def _values_path(self, number: int) -> Path:
        return self.folder / f"segment-{number}.npz"

    @property
    def digests(self) -> list[str]:
        """Hash of each finished segment's integers, in hexadecimal."""
        return [segment["digest"] for segment in self._segments]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored that would be lost with it."""
        return not self._segments and not any(self.folder.glob("segment-*.ckpt*"))

    def leave_nothing(self, writer: NvcWriter | None, error: NvcError) -> None:
        """After an error, remove what holds nothing: a preset did not suit, and the like."""
        if not self.is_empty:
            return
        if writer is not None:
            writer.discard()
            self.remove()
        elif not self.is_resumed and not isinstance(error, OutputError):
            self.remove()

    def remove(self) -> None:
        """The output is complete: nothing is needed any more."""
        discard_job(self.folder)

    def _store(self) -> None:
        part = self._path.with_suffix(".tmp")
        try:
            with part.open("w", encoding="utf-8") as file:
                state = {"output": self._output, "settings": self._settings}
                json.dump({**state, "segments": self._segments}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            sync_folder(self._path)
        except OSError as error:
            raise OutputError(f"{part}: cannot be written: {error.strerror}") from error


def open_job(path: Path, settings: Mapping[str, Any], options: EncodeOptions) -> Job:
    """The job of an output: continued, begun, or only left over where the file is finished.

    Raises:
        ResumeError: the folder belongs to another output or to other settings.
        OutputError: what is there may not be replaced.
    """
    folder = options.workdir or job_folder(path)
    check_owner(folder, path)
    if options.restart:
        discard_job(folder, path)
    has_part = part_path(path).exists()
    if path.exists() and not has_part:
        left = Job.stored(folder, settings, path)
        if left is not None and left.digests == _written_digests(path, options.limits):
            left.is_finished = True
            return left
        if not options.overwrite:
            raise OutputError(f"{path}: exists", OVERWRITE)
        discard_job(folder)  # of an encoding that had finished, and was killed right then
    job = Job(folder, settings, path)
    if has_part and not (job.is_resumed or options.overwrite):
        job.remove()
        raise OutputError(
            f"{part_path(path)}: unfinished, and without the job that could continue it",
            "{restart} throws it away",
        )
    return job


def _written_digests(path: Path, limits: Limits) -> list[str] | None:
    """Hash of each segment's integers as the finished file has it; None if it is not whole."""
    try:
        with NvcReader(path, limits=limits) as reader:
            return [segment.digest.hex() for segment in reader.segments()]
    except (BitstreamError, OSError):
        return None


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name; lists of plain values are one setting."""
    if isinstance(value, dict):
        entries: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        entries = enumerate(value)
    else:
        yield name, value
        return
    for key, entry in entries:
        yield from _leaves(entry, f"{name}.{key}" if name else str(key))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
