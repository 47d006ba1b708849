"""`nvc decode`."""

import os
import sys
import time
from typing import Annotated, Literal

import typer

from nvcodec.cli import config, options
from nvcodec.cli.console import LiveLine, emit, format_time, warn_as
from nvcodec.cli.process import say

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
    clip: ClipName = None,
    device: options.Device = "auto",
    precision: PrecisionName = "fp16",
    codec: Codec = None,
    keep_going: KeepGoing = False,
    limit: options.LimitChanges = None,
    overwrite: options.Overwrite = False,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Rebuild the video from a .nvc file alone."""
    warn_as(json=json, quiet=quiet, to_stderr=output == "-")
    wanted, limits = options.frame_range(frames), options.changed_limits(limit)
    path = None
    if not os.path.isdir(output):  # pictures may be added to a folder
        path = options.check_target(output, overwrite)
    options.check_sources([source])
    options.check_apart([source], path)
    from nvcodec.decoder import Decoder
    from nvcodec.video import create_video

    to_stdout = output == "-"
    started = time.monotonic()
    count = 0
    with (
        options.naming(source),
        Decoder(
            sys.stdin.buffer if source == "-" else source,
            frames=wanted,
            device=device,
            precision=precision,
            limits=limits,
            keep_going=keep_going,
            clip=clip,
        ) as decoder,
        create_video(output, decoder.info, codec=codec, overwrite=overwrite) as target,
        LiveLine(quiet or json) as line,
    ):
        total = _num_wanted(decoder.info.num_frames, wanted)
        for planes in decoder.planes():
            target.write(planes)
            count += 1
            rate = count / max(time.monotonic() - started, 1e-9)
            eta = f"  ETA {format_time((total - count) / rate)}" if total else ""
            text = f"frame {count}/{total or '?'}  {rate:.1f} frames/s{eta}"
            line.update("decode", count / total if total else 0.0, text)
    elapsed_s = time.monotonic() - started
    if json:
        ends = {"frames": count, "elapsed_s": elapsed_s, "damage": decoder.damage}
        emit({"event": "done", **ends}, to_stdout)
    else:
        for text in decoder.damage:
            say(f"nvc: {text}")
    if not (quiet or json):
        say(f"{count} frames in {elapsed_s:.1f} s, {count / max(elapsed_s, 1e-9):.1f} frames/s")


def _num_wanted(num_frames: int | None, wanted: slice | None) -> int | None:
    """How many frames will come, as far as it is known."""
    if wanted is None:
        return num_frames
    stop = min((n for n in (wanted.stop, num_frames) if n is not None), default=None)
    return None if stop is None else max(stop - wanted.start, 0)
