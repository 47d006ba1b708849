"""`nvc compare`: how near two videos are, frame by frame."""

import contextlib
import csv
import io
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import config, options
from nvcodec.cli.compare_page import ComparisonPage
from nvcodec.cli.console import LiveLine, counted, emit, warn_as
from nvcodec.cli.verify import quality_rows

if TYPE_CHECKING:
    from nvcodec.metrics.comparison import Comparison, Side
    from nvcodec.video import Planes, VideoInfo

NUM_WORST = 5
SOURCE = "A .nvc file, a video, a folder of pictures"

Scale = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Scale to this size whatever has another.")
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="P.html", help="Write a page: a plot, and frames."),
]


def compare(
    reference: Annotated[str, typer.Argument(metavar="A", help=f"{SOURCE}; the original.")],
    other: Annotated[str, typer.Argument(metavar="B", help=f"{SOURCE}.")],
    frames: options.Frames = None,
    scale: Scale = None,
    raw: options.Raw = None,
    vmaf: Annotated[bool, typer.Option("--vmaf", help="Also VMAF, where ffmpeg has it.")] = False,
    table: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write a row a frame; - is standard output."),
    ] = None,
    report: Report = None,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    overwrite: Annotated[
        bool, typer.Option("-y", "--overwrite", help="Replace an existing FILE.")
    ] = False,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure PSNR and MS-SSIM between two videos, and name the worst frames."""
    warn_as(json=json, quiet=quiet, to_stderr=table == "-")
    wanted, size = options.frame_range(frames), options.scale(scale)
    geometry, limits = options.raw_geometry(raw), options.changed_limits(limit)
    path = None if table is None else options.check_target(table, overwrite)
    options.check_sources((reference, other))
    options.check_apart((reference, other), path)
    page = ComparisonPage(report, (reference, other), overwrite)
    from nvcodec.metrics import comparison

    with contextlib.ExitStack() as stack, LiveLine(quiet or json) as line:
        given = {"frames": wanted, "scale": size, "raw": geometry}
        sides = [
            _open(stack, source, given, device=device, limits=limits)
            for source in (reference, other)
        ]
        _check(sides[0].info, sides[1].info, reference, other)
        counts = [side.info.num_frames for side in sides if side.info.num_frames is not None]
        total = min(counts, default=None)
        found = comparison.compare(
            *sides,
            first=wanted.start if wanted else 0,
            with_vmaf=vmaf,
            on_pair=page.pair_taker(sides[0].info, sides[1].info),
            on_frame=lambda n: line.update(
                "compare", n / total if total else 0.0, f"frame {n}/{total or '?'}"
            ),
        )
    _tell_what_is_left_out(found, reference, other, vmaf)
    page.write(found)
    if table is not None:
        _write_table(found, path)
    if json:
        _emit(found, to_stderr=table == "-")
    elif not quiet:
        text = "\n".join(_summary(found, reference, other))
        print(text, file=sys.stderr if table == "-" else sys.stdout)


def _open(
    stack: contextlib.ExitStack, source: str, given: dict[str, Any], **settings: Any
) -> "Side":
    """A file of ours, or anything that is read as a video."""
    from nvcodec.metrics.comparison import Side
    from nvcodec.video import open_video
    from nvcodec.video.ffmpeg import scaled_frames
    from nvcodec.video.raw import RAW_SUFFIXES
    from nvcodec.video.scaling import scaled_size

    path, scale = Path(source), given["scale"]
    if not options.is_ours(path):
        raw = given["raw"] if path.suffix.lower() in RAW_SUFFIXES else None
        rate = Fraction(25)  # of no account here
        video = stack.enter_context(open_video(source, **{**given, "raw": raw}, frame_rate=rate))
        return Side(video.info, video)
    from nvcodec.cli.opening import open_decoder

    with options.naming(source):
        decoder = stack.enter_context(open_decoder(source, frames=given["frames"], **settings))
        info = replace(decoder.info, num_frames=decoder.num_selected)
    frames = _named(decoder.planes(), source)
    size = info.width, info.height
    width, height = wanted = size if scale is None else scaled_size(scale, *size)
    if wanted == size:
        return Side(info, frames)
    scaled = stack.enter_context(scaled_frames(frames, info, wanted, source))
    return Side(replace(info, width=width, height=height), scaled)


def _named(frames: "Iterator[Planes]", source: str) -> "Iterator[Planes]":
    """The same frames; what is wrong with their bytes is wrong with this file."""
    with options.naming(source):
        yield from frames


def _check(ours: "VideoInfo", theirs: "VideoInfo", reference: str, other: str) -> None:
    """Refuse what cannot be compared.

    Raises:
        UnsupportedVideoError: sizes differ, or one is grey.
    """
    from nvcodec.errors import UnsupportedVideoError
    from nvcodec.metrics.comparison import common_info

    if common_info(ours, theirs) is not None:
        return
    size = f"{ours.width}x{ours.height}"
    is_size = size != f"{theirs.width}x{theirs.height}"
    raise UnsupportedVideoError(
        f"{other}: {theirs.width}x{theirs.height} {theirs.chroma.words}, {reference} has {size} "
        f"{ours.chroma.words}",
        f"--scale {size} scales one to the other" if is_size else "",
    )


def _tell_what_is_left_out(
    found: "Comparison", reference: str, other: str, wants_vmaf: bool
) -> None:
    from nvcodec.video import VideoWarning

    if wants_vmaf and not found.vmaf:
        text = "VMAF: cannot be measured; this ffmpeg has it not, or the pictures are too small"
        warnings.warn(text, VideoWarning, stacklevel=2)
    if found.longer is None:
        return
    longer, shorter = (reference, other) if found.longer == "reference" else (other, reference)
    count = len(found.frames)
    text = f"{longer}: has more frames than the {count} of {shorter}; {count} are compared"
    warnings.warn(text, VideoWarning, stacklevel=2)


def _summary(found: "Comparison", reference: str, other: str) -> Iterator[str]:
    info, lowest = found.info, found.worst(NUM_WORST)
    yield (
        f"{reference} and {other}: {counted(len(found.frames), 'frame')} of "
        f"{info.width}x{info.height}, compared in {info.chroma.words}, {info.depth} bits"
    )
    rows = quality_rows(found.quality)
    rows += [("VMAF", ", ".join(f"{k} {v:.2f}" for k, v in found.vmaf.items()))] * bool(found.vmaf)
    rows.append(("worst", ", ".join(f"frame {f.frame} {f.psnr_rgb_db:.2f} dB" for f in lowest)))
    yield from (f"{name:>9}  {value}" for name, value in rows)


def _emit(found: "Comparison", to_stderr: bool) -> None:
    for frame in found.frames:
        emit({"event": "frame", **asdict(frame)}, to_stderr)
    measured = asdict(found.quality)
    record = {
        "event": "done",
        "frames": measured.pop("num_frames"),
        "compared_as": found.info.chroma.value,
        "depth": found.info.depth,
        "longer": found.longer,
        **measured,
        "vmaf": dict(found.vmaf),
        "worst": [frame.frame for frame in found.worst(NUM_WORST)],
    }
    emit(record, to_stderr)


def _write_table(found: "Comparison", path: Path | None) -> None:
    """A row a frame, into a file that gets its name when it is whole, or to standard output."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    planes = [f"psnr_{letter.lower()}_db" for letter in found.plane_names]
    writer.writerow(["frame", "psnr_rgb_db", *planes, "ms_ssim_rgb"])
    for frame in found.frames:
        values = (frame.psnr_rgb_db, *frame.psnr_planes_db, frame.ms_ssim_rgb)
        writer.writerow([frame.frame, *("" if v is None else round(v, 6) for v in values)])
    if path is None:
        sys.stdout.write(text.getvalue())
        return
    from nvcodec.disk import new_file

    temporary = new_file(path)
    try:
        temporary.write_text(text.getvalue(), encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
