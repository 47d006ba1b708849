"""Options that say what a file is to come to: size, bitrate, quality."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from nvcodec.cli.console import emit, format_bytes, format_time, warn_as
from nvcodec.cli.process import say
from nvcodec.goals import Goal

if TYPE_CHECKING:
    from nvcodec.auto import AutoPreset
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.presets import Preset

Size = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES", help="At most so large a file, audio included: 2.5MB, 900kB, 1MiB, 120000."
    ),
]
Bitrate = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Bits a second of the video alone: 800k, 1.5M."),
]
Psnr = Annotated[float | None, typer.Option(metavar="DB", help="PSNR-RGB to reach, such as 38.")]
Vmaf = Annotated[
    float | None,
    typer.Option(metavar="SCORE", help="VMAF to reach, such as 93, where ffmpeg has libvmaf."),
]
Of = Annotated[
    str,
    typer.Option(
        "--of",
        metavar="mean|worst|pN",
        help="Which frames the quality is that of: their mean, the worst, or p5 for the 5th "
        "percentile.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only say what would be done, and its size, quality and time, roughly."
    ),
]
MOST = 1e12
"""In any unit."""
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def goal(
    size: str | None, bitrate: str | None, psnr: float | None, vmaf: float | None, of: str
) -> Goal | None:
    """What is asked for, if anything is.

    Raises:
        BadParameter: it makes no sense.
        ToolMissingError: VMAF cannot be measured.
    """
    if size is None and bitrate is None and psnr is None and vmaf is None:
        if of != "mean":
            raise typer.BadParameter(f"--of {of}: goes with --psnr or --vmaf")
        return None
    size_bytes = None if size is None else round(_number(size, "--size", "B", "2.5MB"))
    kbps = None if bitrate is None else _number(bitrate, "--bitrate", "b(?:it|ps)?", "800k") / 1000
    try:
        found = Goal(size_bytes, kbps, psnr, vmaf, of)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if vmaf is not None:
        _check_vmaf()
    return found


def _check_vmaf() -> None:
    from nvcodec.errors import ToolMissingError
    from nvcodec.metrics.vmaf import has_vmaf
    from nvcodec.processes import ffmpeg_path

    if not has_vmaf():
        raise ToolMissingError(f"--vmaf: {ffmpeg_path()} has no libvmaf; $NVC_FFMPEG names another")


def _number(text: str, option: str, unit: str, example: str) -> float:
    """A number with a unit behind it, in units of one."""
    match = re.fullmatch(rf"([0-9]+(?:\.[0-9]*)?) ?([kmg]i?|)(?:{unit})?", text, re.IGNORECASE)
    if match is None or not 0 < float(match[1]) < MOST:
        raise typer.BadParameter(f"{option} {text!r}: expected a number such as {example}")
    return float(match[1]) * UNITS[match[2].lower()]


def foresee(
    sources: list[str], preset: "Preset | AutoPreset", options: "EncodeOptions", json: bool
) -> None:
    """Say what an encoding would be; writes nothing."""
    from nvcodec.dry_run import dry_run
    from nvcodec.encode_types import PresetChosen

    reasons: list[str] = []

    def tell(event: object) -> None:
        if isinstance(event, PresetChosen):
            reasons.append(event.reason)

    warn_as(json=json, quiet=False)
    seen = dry_run(sources, preset, options, on_event=tell)
    found, expected, video = seen.prediction, seen.expected, seen.video
    if json:
        emit({
            "event": "dry_run", "preset": seen.preset, "reason": "".join(reasons) or None,
            "width": video.width, "height": video.height, "frames": seen.num_frames,
            "segments": seen.num_segments, "parameters": expected.num_parameters,
            "predicted_memory_bytes": expected.memory_bytes,
            "predicted_bytes": found.size_bytes, "predicted_psnr_rgb_db": found.psnr_db,
            "predicted_s": found.seconds,
        })  # fmt: skip
        return
    quality = "unknown before it is fitted"
    if found.psnr_db is not None:
        quality = f"about {found.psnr_db:.1f} dB PSNR-RGB"
    plural = "s" * (seen.num_segments > 1)
    rows = (
        ("preset", ": ".join([seen.preset, *reasons])),
        ("frames", f"{seen.num_frames} of {video.width}x{video.height} in {seen.num_segments} "
         f"segment{plural}"),
        ("size", f"about {format_bytes(found.size_bytes)}"),
        ("quality", quality),
        ("time", f"about {format_time(found.seconds)}"),
        ("memory", f"about {format_bytes(expected.memory_bytes)}"),
    )  # fmt: skip
    for name, value in rows:
        say(f"{name:>9}  {value}")
