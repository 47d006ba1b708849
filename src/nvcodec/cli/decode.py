"""`nvc decode`."""

import sys
import time
from typing import Annotated, Literal

import typer

from nvcodec.cli.console import LiveLine, emit, say
from nvcodec.cli.options import frame_range


def decode(
    source: Annotated[str, typer.Argument(metavar="IN.nvc", help="File to decode; - is stdin.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help=".y4m, .mp4, .mkv, .yuv, a folder for PNG, or - for Y4M on stdout.")],
    frames: Annotated[str | None, typer.Option(metavar="A:B", help="Only frames A to B - 1; nothing else is computed.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    precision: Annotated[Literal["fp16", "bf16", "fp32"], typer.Option(help="Arithmetic on the FP16 weights; a CPU takes float32 for fp16.")] = "fp16",
    codec: Annotated[str | None, typer.Option(help="Encoder for movie files: x264, x265, svt-av1, ffv1, vvenc.")] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Give what is intact of a damaged or unfinished file.")] = False,
    max_memory: Annotated[int, typer.Option(metavar="MB", min=1, help="Most memory a file may ask for.")] = 4295,
    overwrite: Annotated[bool, typer.Option("-y", "--overwrite", help="Replace an existing OUT.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:  # fmt: skip
    """Rebuild the video from a .nvc file alone."""
    wanted = frame_range(frames)
    from dataclasses import replace

    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.decoder import Decoder
    from nvcodec.video import create_video

    to_stdout = output == "-"
    limits = replace(DEFAULT_LIMITS, memory_bytes=max_memory * 10**6)
    started = time.monotonic()
    count = 0
    with (
        Decoder(
            sys.stdin.buffer if source == "-" else source, frames=wanted, device=device,
            precision=precision, limits=limits, keep_going=keep_going,
        ) as decoder,
        create_video(output, decoder.info, codec=codec, overwrite=overwrite) as target,
        LiveLine(quiet or json) as line,
    ):  # fmt: skip
        total = decoder.info.num_frames
        if wanted is not None:
            stop = min(x for x in (wanted.stop, total, sys.maxsize) if x is not None)
            total = stop - wanted.start if stop < sys.maxsize else None
        for planes in decoder:
            target.write(planes)
            count += 1
            rate = count / (time.monotonic() - started)
            line.update("decode", count / total if total else 0.0, f"frame {count}/{total or '?'}  {rate:.1f} frames/s")
        damage = decoder.damage
    elapsed_s = time.monotonic() - started
    for text in damage:
        say(f"nvc: {text}")
    if json:
        record = {"event": "done", "frames": count, "elapsed_s": elapsed_s, "damage": damage}
        emit(record, to_stdout)
    elif not quiet:
        say(f"{count} frames in {elapsed_s:.1f} s, {count / elapsed_s:.1f} frames/s")
