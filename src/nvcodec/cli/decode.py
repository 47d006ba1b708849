"""`nvc decode`."""

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nvcodec.cli import options
from nvcodec.cli.console import LiveLine, emit, format_time, warn_as
from nvcodec.cli.process import say

if TYPE_CHECKING:
    from nvcodec.decoder import Decoder
    from nvcodec.video import VideoWriter

Precision = Literal["fp16", "bf16", "fp32"]

Source = Annotated[
    str, typer.Argument(metavar="IN.nvc", help="File to decode; - is standard input.")
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=".y4m, .yuv, .mp4, .mkv and other movies, a folder for PNG, or - for Y4M on "
        "standard output.",
    ),
]
ClipName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only this one of several videos; name or number."),
]
PrecisionName = Annotated[
    Precision,
    typer.Option(help="Arithmetic on the FP16 weights; a CPU takes float32 for fp16."),
]
Codec = Annotated[
    str | None,
    typer.Option(
        help="Encoder of a movie: x264 (for 8 bits unless told otherwise), x265 (for more), "
        "svt-av1, vvenc, vp9, ffv1."
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="Give what is intact of a damaged or unfinished file."),
]


def decode(
    source: Source,
    output: Output,
    frames: options.Frames = None,
    start: options.Start = None,
    end: options.End = None,
    no_audio: options.NoAudio = False,
    clip: ClipName = None,
    device: options.Device = "auto",
    precision: PrecisionName = "fp16",
    codec: Codec = None,
    keep_going: KeepGoing = False,
    limit: options.LimitChanges = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Rebuild the video from a .nvc file alone."""
    warn_as(json=json, quiet=quiet, to_stderr=output == "-")
    between = options.time_range(start, end, frames)
    wanted, limits = options.frame_range(frames), options.changed_limits(limit)
    path = None
    if not os.path.isdir(output):  # pictures may be added to a folder
        path = options.check_target(output, overwrite)
    options.check_sources([source])
    options.check_apart([source], path)
    from nvcodec.decoder import Decoder
    from nvcodec.video import create_video

    started = time.monotonic()
    opened = sys.stdin.buffer if source == "-" else source
    with (
        options.naming(source),
        Decoder(
            opened, frames=wanted, between=between, device=device, precision=precision,
            limits=limits, keep_going=keep_going, clip=clip,
        ) as decoder,
        create_video(
            output, decoder.info, codec=codec, overwrite=overwrite, **_beside(decoder, no_audio)
        ) as target,
        LiveLine(quiet or json) as line,
    ):  # fmt: skip
        count = _write(decoder, target, line)
    elapsed_s = time.monotonic() - started
    damage = [*decoder.damage, *(f"{source}: {text}" for text in _told_late(decoder, no_audio))]
    if json:
        record = {"event": "done", "frames": count, "elapsed_s": elapsed_s, "damage": damage}
        emit(record, output == "-")
    else:
        for text in damage:
            say(f"nvc: {text}")
    if not (quiet or json):
        rate = count / max(elapsed_s, 1e-9)
        say(f"{count} frames in {elapsed_s:.1f} s, {rate:.1f} frames/s")


def _write(decoder: "Decoder", target: "VideoWriter", line: LiveLine) -> int:
    """Decode all frames asked for; gives their number."""
    started, total, count = time.monotonic(), decoder.num_wanted, 0
    for planes in decoder.planes():
        target.write(planes)
        count += 1
        rate = count / max(time.monotonic() - started, 1e-9)
        eta = f"  ETA {format_time((total - count) / rate)}" if total else ""
        text = f"frame {count}/{total or '?'}  {rate:.1f} frames/s{eta}"
        line.update("decode", count / total if total else 0.0, text)
    return count


LATE = {"tstm": "times of frames", "mkvs": "audio and other streams"}
"""What stands behind all segments."""


def _is_told(decoder: "Decoder") -> bool:
    """Whether what stands behind all segments is known before them, and belongs to all frames."""
    return decoder.reader.is_seekable and not decoder.reader.keep_going


def _beside(decoder: "Decoder", no_audio: bool) -> dict[str, Any]:
    """Times and streams, where they are known."""
    if not _is_told(decoder):
        return {}
    return {
        "times": decoder.frame_times(),
        "streams": None if no_audio else decoder.streams(),
    }


def _told_late(decoder: "Decoder", no_audio: bool) -> Iterator[str]:
    """What came too late to be written."""
    for kind, what in LATE.items():
        is_there = kind in decoder.reader.ancillary_read and not (no_audio and kind == "mkvs")
        if is_there and not _is_told(decoder):
            yield f"{what} not written; that needs a whole file, not a pipe"
