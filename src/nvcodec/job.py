"""The state of one encoding beside its output: the same command continues after any interruption.

    OUT.nvc.job/about.txt        says that the folder is ours (`job_folder`)
    OUT.nvc.job/job.json         output, settings, for every finished segment a digest of its input
                                 and what was measured; and the files below that this job wrote
    OUT.nvc.job/segment-N.ckpt   checkpoint of the segment at work; `.ckpt.1` is the one before it
                                 (a second try has `segment-N-again`)
    OUT.nvc.job/segment-N.done   result of a segment that others come before (`workers.kept`)
    OUT.nvc.job/segment-N.npz    values of the last finished segment, for a warm start of the next

All are sealed (`state_files`). Loads no torch, so that the command line can refuse an output before
it does anything else.
"""

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import open_part, part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.disk import lock
from nvcodec.encode_plan import EncodePlan
from nvcodec.errors import BitstreamError, NvcError, OutputError, ResumeError
from nvcodec.fitting.checkpoints import SECOND, CheckpointStore, checkpoint_names
from nvcodec.job_folder import JobFolder
from nvcodec.job_state import RESTART, STATE_NAME, State, StoredSegment, load_state
from nvcodec.remark import maker_of
from nvcodec.state_files import read_state, write_state
from nvcodec.video.info import Planes

SEGMENT_FILE = re.compile(r"segment-\d+(-again)?\.(ckpt|ckpt\.1|npz|done)(\.tmp)?")
MAX_CHANGES_NAMED = 5
OVERWRITE = "{overwrite} overwrites it"


def frames_digest(frames: Iterable[Planes]) -> str:
    """Hash over every sample of every frame."""
    state = hashlib.blake2b(digest_size=16)
    for planes in frames:
        for plane in planes:
            state.update(plane.tobytes())
    return state.hexdigest()


def job_folder(path: Path, workdir: Path | None = None) -> Path:
    """Where the job of an output lies: beside it, or in a folder that the user named."""
    name = path.name + ".job"
    return path.with_name(name) if workdir is None else workdir / name


def _check_owner(folder: Path, state: State | None, output: Path) -> None:
    """Refuse a folder in one that the user named where it holds the job of another output."""
    if state is None or folder.resolve() == job_folder(output.resolve()):
        return  # A job beside its output may be moved together with it.
    if state.output != str(output.resolve()):
        raise ResumeError(
            f"{folder}: holds the job of {state.output}, not of {output}",
            "{workdir} names another folder",
        )


def stored_preset(path: Path, workdir: Path | None = None) -> str | None:
    """Name of the preset of an output's stored job; None where none can be read."""
    folder = job_folder(path, workdir)
    with contextlib.suppress(ResumeError):  # opening the job says what is wrong with it
        state = load_state(folder) if JobFolder(folder).is_ours else None
        return state.preset if state else None
    return None


def discard_job(folder: Path, output: Path) -> None:
    """Throw away the stored job of an output, and its unfinished file.

    Raises:
        OutputError: another process is writing that file, or something there is not ours; nothing
            was thrown away.
        ResumeError: it is the job of another output.
    """
    part = part_path(output)
    with contextlib.ExitStack() as stack:
        if os.path.lexists(part):
            try:
                lock(stack.enter_context(open_part(part, to_discard=True)), part)
            except OutputError:
                raise
            except OSError as error:
                raise OutputError(f"{part}: cannot be removed: {error.strerror}") from error
        try:
            state = load_state(folder)
        except ResumeError:  # torn, in a folder of ours
            files = [file.name for file in folder.iterdir() if SEGMENT_FILE.fullmatch(file.name)]
        else:
            _check_owner(folder, state, output)
            files = state.files if state else []
        JobFolder(folder).remove([*files, STATE_NAME])
        part.unlink(missing_ok=True)


class Job:
    """Opens, or creates, the job folder of an output.

    Raises:
        ResumeError: the folder belongs to other settings; the message names them.
        OutputError: it cannot be written.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], output: Path, preset: str | None = None
    ) -> None:
        self.folder = folder
        self._path = folder / STATE_NAME
        self.is_resumed = False
        self.is_finished = False
        """Whether the output has its name already, and only this folder is left."""
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        stored = load_state(folder) if JobFolder(folder).is_ours else None
        _check_owner(folder, stored, output)
        if stored is not None:
            _check_same(folder, stored.settings, plain)
            self.is_resumed = True
        self._state = stored or State(
            output="", settings=plain, segments=[], files=[], preset=preset
        )
        self._state.output = str(output.resolve())
        if stored is None:
            JobFolder(folder).create()
            self._store()

    @classmethod
    def stored(cls, folder: Path, settings: Mapping[str, Any], output: Path) -> "Job | None":
        """The job that is there, if it is of these settings."""
        if not (JobFolder(folder).is_ours and (folder / STATE_NAME).exists()):
            return None
        try:
            return cls(folder, settings, output)
        except ResumeError:
            return None

    def digest(self, input_digest: str, number: int) -> str:
        """What a checkpoint of segment `number` belongs to."""
        text = json.dumps([self._state.settings, input_digest, number], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def checkpoints(self, number: int, input_digest: str) -> CheckpointStore:
        """Where the fitting of segment `number` keeps its state."""
        name = f"segment-{number}"
        self._claim(*checkpoint_names(name), *checkpoint_names(name + SECOND))
        return CheckpointStore(self.folder, name, self.digest(input_digest, number))

    def _claim(self, *names: str) -> None:
        """Note names that this job writes, before it does.

        Raises:
            OutputError: somebody else has a file of such a name there.
        """
        new = [name for name in names if name not in self._state.files]
        for name in new:
            if os.path.lexists(self.folder / name):
                raise OutputError(f"{self.folder / name}: is there and not of this encoding")
        if new:
            self._state.files += new
            self._store()

    def finished(self, number: int, input_digest: str) -> dict[str, Any]:
        """What was stored with a segment that is already in the file.

        Raises:
            ResumeError: its input has changed since.
        """
        if number >= len(self._state.segments):
            raise ResumeError(f"{self._path}: knows nothing of segment {number}", RESTART)
        stored = self._state.segments[number]
        if stored.input != input_digest:
            raise ResumeError(
                f"segment {number}: the input has changed since it was coded", RESTART
            )
        return stored.model_dump()

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
        self._state.segments[number:] = [StoredSegment(input=input_digest, **measured)]
        self._store()
        yield
        store = self.checkpoints(number, input_digest)
        store.clear()
        store.of_second_try().clear()

    def keep_values(self, number: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Keep the values of segment `number` instead of those before, for the next to begin with.

        Raises:
            OutputError: they cannot be written.
        """
        path = self._values_path(number)
        content = io.BytesIO()
        np.savez(content, **values)  # type: ignore[arg-type]
        self.write(path, content.getvalue())
        try:
            # The one before is needed until the job has this one among its finished segments.
            for old in range(number - 1):
                if self._values_path(old).name in self._state.files:
                    self._values_path(old).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error

    def kept_values(self, number: int) -> dict[str, NDArray[Any]]:
        """Values of segment `number`.

        Raises:
            ResumeError: they are not there.
        """
        path = self._values_path(number)
        try:
            with np.load(io.BytesIO(read_state(path)), allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError) as error:
            raise ResumeError(
                f"{path}: is not to be read, so the next segment cannot begin with it", RESTART
            ) from error

    def write(self, path: Path, content: bytes) -> None:
        """Write a file of this job, which is noted before.

        Raises:
            OutputError: it cannot be written.
        """
        self._claim(path.name)
        self._write(path, content)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_state(path, content)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error

    def result_path(self, number: int) -> Path:
        """Where the result of segment `number` is kept until it is its turn (`workers.kept`)."""
        return self.folder / f"segment-{number}.done"

    def _values_path(self, number: int) -> Path:
        return self.folder / f"segment-{number}.npz"

    @property
    def digests(self) -> list[str]:
        """Hash of each finished segment's integers, in hexadecimal."""
        return [segment.digest for segment in self._state.segments]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored that would be lost with it."""
        files = (self.folder / name for name in self._state.files)
        return not self._state.segments and not any(file.exists() for file in files)

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
        """The output is complete: nothing is needed any more. What says so goes last."""
        JobFolder(self.folder).remove([*self._state.files, STATE_NAME])

    def _store(self) -> None:
        self._write(self._path, json.dumps(self._state.model_dump()).encode())


def _check_same(folder: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse to continue with other settings, and name them."""
    before, now = dict(_leaves(stored)), dict(_leaves(given))
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if not changed:
        return
    changes = "; ".join(
        f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
        for name in changed[:MAX_CHANGES_NAMED]
    )
    if len(changed) > MAX_CHANGES_NAMED:
        changes += f"; and {len(changed) - MAX_CHANGES_NAMED} more"
    raise ResumeError(f"{folder}: the stored job has other settings: {changes}", RESTART)


def open_job(path: Path, plan: EncodePlan) -> Job:
    """The job of an output: continued, begun, or only left over where the file is finished.

    Raises:
        ResumeError: the folder belongs to another output or to other settings.
        OutputError: what is there may not be replaced.
    """
    options, settings = plan.options, plan.job_settings()
    folder = job_folder(path, options.workdir)
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
        discard_job(folder, path)  # of an encoding that had finished, and was killed right then
    job = Job(folder, settings, path, plan.preset.name)
    if has_part and not (job.is_resumed or options.overwrite):
        job.remove()
        raise OutputError(
            f"{part_path(path)}: unfinished, and without the job that could continue it",
            "{restart} throws it away",
        )
    return job


def may_be_complete(path: Path, presets: Collection[str]) -> bool:
    """Whether a file of such a preset is whole and stands alone, as a command leaves it at its end.

    Raises:
        OSError: whether there is an unfinished file beside it cannot be told.
    """
    if part_path(path).exists():
        return False
    try:
        with NvcReader(path) as reader:
            maker = maker_of(reader.head.remark)
            return maker is not None and maker.preset in presets
    except (BitstreamError, OSError):
        return False


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
