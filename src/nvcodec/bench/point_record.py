"""One point as a record: what a thread here does, or a task on another machine.

Todo --write the clip as Y4M, encode, decode, measure--> Record, also of what failed
"""

import threading
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nvcodec.bench import provenance
from nvcodec.bench.children import Children
from nvcodec.bench.measuring import save_source_picture, write_y4m
from nvcodec.bench.point_work import PointWork, make_point
from nvcodec.bench.points import BaselineCoder, Coder, Source
from nvcodec.bench.results import Record
from nvcodec.errors import InterruptedEncodeError, NvcError, OutputError
from nvcodec.video import VideoWarning

_PREPARING = threading.Lock()


@dataclass(frozen=True)
class Todo:
    """One point to be measured."""

    source: Source
    coder: Coder
    key: str
    guess_s: float
    is_measured: bool
    """Whether the guess comes from points of the same curve that were timed here."""


@dataclass(frozen=True)
class RunOptions:
    """How a run works, besides what it measures."""

    jobs: int | str = 1
    """Points at once; or `ray`, `ray://HOST:PORT`."""
    num_threads: int | None = None
    """Threads of each nvcodec process; None leaves it to torch."""
    has_pictures: bool = True
    """Whether the middle frame of every point is kept for the report's page."""


def make_record(
    todo: Todo,
    out: Path,
    settings: RunOptions,
    children: Children | None = None,
    on_share: Callable[[float], None] = lambda share: None,
) -> Record:
    """Measure a point, whatever happens.

    Args:
        todo: which.
        out: folder of everything, for whoever works.
        settings: how.
        children: the running commands, if somebody wants to stop them.
        on_share: told how much of the encoding is done, 0 to 1.

    Raises:
        InterruptedEncodeError: it was stopped.
        OutputError: nothing can be written any more.
    """
    record = _begin(todo, settings)
    picture = out / "frames" / f"{todo.key}.png" if settings.has_pictures else None
    work, kept = (out / folder / todo.key for folder in ("work", "coded"))
    children = children or Children()
    point = PointWork(todo.source, todo.coder, work, children, settings.num_threads)
    try:
        record["device"] = provenance.device_name(todo.coder)
        with warnings.catch_warnings(action="ignore", category=VideoWarning):
            _prepare(todo.source, out, settings)
        return record | {"status": "done", **make_point(point, kept, picture, on_share)}
    except (InterruptedEncodeError, OutputError):
        raise
    except (NvcError, OSError, ValueError, RuntimeError, MemoryError) as error:
        return record | _failure(error)


def failed_record(todo: Todo, settings: RunOptions, error: Exception) -> Record:
    """The record of a point that nobody has come back with."""
    return _begin(todo, settings) | _failure(error)


def _failure(error: Exception) -> Record:
    """What a record says of a point that failed."""
    return {"status": "failed", "error": str(error) or type(error).__name__}


def _begin(todo: Todo, settings: RunOptions) -> Record:
    source, coder = todo.source, todo.coder
    seen, of_clip = source.seen, source.clip.settings
    rate = seen.info.frame_rate
    return {
        "key": todo.key,
        "status": "failed",
        "sequence": source.clip.label,
        "codec": coder.codec,
        "kind": "baseline" if isinstance(coder, BaselineCoder) else "nvc",
        "point": coder.point,
        "command": coder.shown(source),
        "decode_command": coder.decode_shown(seen),
        "width": seen.info.width,
        "height": seen.info.height,
        "num_frames": seen.num_frames,
        "frame_rate": f"{rate.numerator}/{rate.denominator}",
        "chroma": seen.info.chroma.value,
        "clip_settings": of_clip.words(),
        "rgb_matrix": provenance.matrix_name(seen.info),
        "input_digest": seen.digest,
        "motion": round(seen.motion, 4),
        "guess_s": coder.guess_s(seen),
        **provenance.machine(settings.jobs, settings.num_threads),
        **provenance.versions(coder),
    }


def _prepare(source: Source, out: Path, settings: RunOptions) -> None:
    """Write the clip as Y4M, once, and its picture for the page."""
    with _PREPARING:
        if not source.y4m.exists():
            # Another machine may do the same just now.
            whole = source.y4m.with_name(f".{uuid.uuid4().hex}-{source.y4m.name}")
            try:
                write_y4m(replace(source, y4m=whole))
                whole.replace(source.y4m)
            finally:
                whole.unlink(missing_ok=True)
        picture = out / "frames" / f"{source.seen.digest}.png"
        if settings.has_pictures and not picture.exists():
            save_source_picture(source, picture)
