"""Options that several commands share: their declarations, and the parsing of their values."""

import contextlib
import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvcodec.processes import threads_told
from nvcodec.samples import Samples

if TYPE_CHECKING:
    from nvcodec.container.header import Limits
    from nvcodec.video import RawGeometry
    from nvcodec.video.scaling import Scale as ScaleTo

Frames = Annotated[
    str | None,
    typer.Option("--frames", metavar="A:B", help="Only frames A to B - 1; N is that one frame."),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="Only frames from this time on: 10, 1:02:03.5."),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="Only frames before this time.")
]
NoAudio = Annotated[
    bool,
    typer.Option("--no-audio", help="Leave out audio, subtitles, chapters and attachments."),
]
Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="SIZE",
        help="Scale first (Lanczos, by ffmpeg): 320x180; 320x-2 and -2x180 keep the shape; 1/2.",
    ),
]
Raw = Annotated[
    str | None,
    typer.Option(
        "--raw", metavar="WxH:FPS:FMT", help="IN is raw planar video of this size, rate and format."
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="RATE", help="Frame rate, whatever IN says: 25, 29.97, 24000/1001"
    ),
]
Depth = Annotated[
    int | None,
    typer.Option(
        "--depth", metavar="8", help="8: round deeper samples to 8 bits; else as IN has them."
    ),
]


def _use_threads(count: int | None) -> int | None:
    """Set for torch as soon as it is loaded, and for child processes."""
    if count is not None:
        os.environ["OMP_NUM_THREADS"] = str(count)
        if "torch" in sys.modules:
            import torch

            torch.set_num_threads(count)
    return count


Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        callback=_use_threads,
        help="Threads on a CPU, instead of OMP_NUM_THREADS; one is often fastest for small ones.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, cuda:1.",
        autocompletion=lambda: ["auto", "cpu", "cuda", "cuda:0"],
    ),
]
LimitChanges = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=N",
        help="Change what a file may ask for: dimension, pixels, frames, segments, chunks, "
        "parameters, segment_bytes, head_bytes, memory_bytes, macs_per_frame, macs, "
        "rows; k, M, G, T count thousands, and so on. Repeatable.",
    ),
]
ClipName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only this one of several videos; name or number."),
]
Overwrite = Annotated[bool, typer.Option("-y", "--overwrite", help="Replace an existing OUT.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]


SAMPLES = ("auto", *(s.value for s in Samples if s is not Samples.GRAY))
"""What may be asked for; grey is chosen for grey sources alone."""
SEGMENTS = ("even", "auto")


def frame_range(text: str | None, option: str = "--frames") -> slice | None:
    """`A:B`, `A:`, `:B` as a slice of frames, B excluded; `A` as that of one frame."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text):
        return slice(int(text), int(text) + 1)
    match = re.fullmatch(r"([0-9]{0,9}):([0-9]{0,9})", text)
    start, stop = (int(match[1] or 0), int(match[2]) if match[2] else None) if match else (0, 0)
    if stop is not None and stop <= start:
        raise typer.BadParameter(
            f"{option} {text!r}: expected A:B with 0 <= A < B, or A alone, such as 0:32"
        )
    return slice(start, stop)


def time_range(
    start: str | None, end: str | None, frames: str | None = None
) -> "tuple[Fraction, Fraction | None] | None":
    """From when to when, in seconds; None where neither is said."""
    if start is None and end is None:
        return None
    if frames is not None:
        raise typer.BadParameter("--frames and --start or --end: only one of them")
    first, last = moment_s(start, "--start") or Fraction(0), moment_s(end, "--end")
    if last is not None and last <= first:
        raise typer.BadParameter(f"--end {end!r}: expected a time behind --start {start or 0}")
    return first, last


def scale(text: str | None) -> "ScaleTo | None":
    """`WxH`, `Wx-2`, `-2xH`, or a share of both sides."""
    if text is None:
        return None
    from nvcodec.video.scaling import parse_scale

    try:
        return parse_scale(text)
    except ValueError as error:
        raise typer.BadParameter(f"--{error}") from error


def picture_size(text: str, option: str) -> tuple[int, int]:
    """`WxH` as (width, height)."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if match is None:
        raise typer.BadParameter(f"{option} {text!r}: expected WxH, such as 320x180")
    return int(match[1]), int(match[2])


def depth(bits: int | None) -> int | None:
    """8, or None for the source's own depth."""
    if bits not in (None, 8):
        raise typer.BadParameter(f"--depth {bits}: expected 8, or nothing for the source's own")
    return bits


def at_cuts(text: str) -> bool:
    """Whether segments begin at scene cuts."""
    if text not in SEGMENTS:
        raise typer.BadParameter(f"--segments {text!r}: expected one of {', '.join(SEGMENTS)}")
    return text == "auto"


def samples(text: str) -> Samples | None:
    """A kind of samples by name; None for `auto`."""
    if text not in SAMPLES:
        raise typer.BadParameter(f"--color {text!r}: expected one of {', '.join(SAMPLES)}")
    return None if text == "auto" else Samples(text)


def duration_s(text: str | None, option: str = "--max-time") -> float | None:
    """`1h30m`, `5m`, `90s` or plain seconds, as seconds."""
    if text is None:
        return None
    from nvcodec import clock

    try:
        return clock.duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from error


def moment_s(text: str | None, option: str = "--at") -> Fraction | None:
    """Seconds or h:m:s as exact seconds."""
    if text is None:
        return None
    from nvcodec import clock

    try:
        return clock.moment_s(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from error


def raw_geometry(text: str | None) -> "RawGeometry | None":
    """`WxH[:fps[:pixfmt]]` as the geometry of a raw video."""
    if text is None:
        return None
    from nvcodec.errors import VideoError
    from nvcodec.video import RawGeometry

    try:
        return RawGeometry.parse(text)
    except VideoError as error:
        raise typer.BadParameter(f"--raw: {error}") from error


def workers(text: str, option: str = "--workers") -> int | str:
    """How many workers, or which cluster of them.

    Raises:
        typer.BadParameter: it is neither.
    """
    if text == "ray" or text.startswith("ray://"):
        return text
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(
            f"{option} {text}: expected a number above 0, ray, or ray://HOST:PORT"
        )
    return int(text)


def share_of_threads(num_processes: int) -> int:
    """Threads of each of several processes: of those named, or else of the cores there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (threads_told() or cores or 1) // num_processes)


def frame_rate(text: str | None) -> Fraction | None:
    """A rate as `--raw` takes it: 25, 30000/1001, or 29.97 for the NTSC rate it means."""
    if text is None:
        return None
    from nvcodec.video.raw import parse_rate

    try:
        return parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(f"--fps {text!r}: {error}") from error


def changed_limits(changes: list[str] | None) -> "Limits":
    """The default limits with `NAME=N` changes."""
    from nvcodec.container.header import DEFAULT_LIMITS

    limits, known = DEFAULT_LIMITS, [field.name for field in fields(DEFAULT_LIMITS)]
    for change in changes or []:
        match = re.fullmatch(r"([a-z_]+)=([0-9]{1,18})([kMGT]?)", change)
        if match is None or match[1] not in known:
            raise typer.BadParameter(
                f"--limit {change!r}: expected NAME=N, such as memory_bytes=8G; "
                f"names: {', '.join(known)}"
            )
        value = int(match[2]) * 1000 ** " kMGT".index(match[3] or " ")
        limits = replace(limits, **{match[1]: value})
    return limits


def preset_names() -> list[str]:
    """What a shell may complete; where nothing fits, it completes names of files."""
    from nvcodec import presets

    return [presets.AUTO, *presets.preset_names()]


def check_sources(sources: Sequence[str], *, are_fitted: bool = False) -> None:
    """Refuse what cannot be an input, before anything is imported for it.

    Args:
        sources: names as they were typed.
        are_fitted: a `.nvc` file is none either.

    Raises:
        VideoError: there is no such file.
    """
    from nvcodec.errors import VideoError

    for source in sources:
        _check_source(source)
        if are_fitted and is_ours(Path(source)):
            raise VideoError(
                f"{source}: a .nvc file already; nvc decode makes a video of it, "
                f"nvc refine fits it further to its own source"
            )


def _check_source(source: str) -> None:
    from nvcodec.errors import VideoError

    if source == "-":
        if sys.stdin is not None and sys.stdin.isatty():
            raise typer.BadParameter("standard input is a terminal; pipe a file into it")
    elif "%" not in Path(source).name:
        try:
            os.stat(source)
        except FileNotFoundError:
            raise VideoError(f"{source}: no such file") from None
        except (OSError, ValueError) as error:
            detail = error.strerror if isinstance(error, OSError) else error
            raise VideoError(f"{source}: cannot be read: {detail}") from error


def check_apart(sources: Sequence[str], target: Path | None) -> None:
    """Refuse a target that is one of its sources.

    Raises:
        OutputError: it is.
    """
    if target is None:
        return
    from nvcodec import outputs

    for source in sources:
        outputs.check_apart(source, target)


def check_target(target: str, overwrite: bool, *, made_by: Collection[str] = ()) -> Path | None:
    """The path of a regular output, or None for a stream; see `outputs.check_output`.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    from nvcodec.outputs import check_output

    if target == "-":
        if sys.stdout.isatty():
            raise typer.BadParameter("standard output is a terminal; pipe it, or name a file")
        return None
    return check_output(target, overwrite, made_by=made_by)


def is_ours(path: Path) -> bool:
    """Whether it is a `.nvc` file, by its first bytes.

    Raises:
        VideoError: it cannot be read.
    """
    from nvcodec.container.chunks import SIGNATURE
    from nvcodec.errors import VideoError

    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError as error:
        raise VideoError(f"{path}: cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def naming(source: str) -> Iterator[None]:
    """Puts the file's name before what is wrong with its bytes."""
    from nvcodec.errors import BitstreamError, TruncatedError

    try:
        yield
    except BitstreamError as error:
        what = "cut off or unfinished: " if isinstance(error, TruncatedError) else ""
        where = "standard input" if source == "-" else source
        error.args = (f"{where}: {what}{error.args[0]}",)
        raise
