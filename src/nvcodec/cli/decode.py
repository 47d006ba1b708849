"""`nvc decode`."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nvcodec.cli import config, options
from nvcodec.cli.console import LiveLine, counted, emit, format_time, warn_as
from nvcodec.cli.process import say

if TYPE_CHECKING:
    from nvcodec.decoder import Decoder
    from nvcodec.video import Planes, VideoWriter

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
        help=".y4m, .yuv, a movie (.mp4, .mkv, .mov, .webm, .avi), .gif, .apng, .webp, a folder "
        "for PNG, f%03d.jpg for numbered pictures, one picture (.png, .jpg, .webp, .bmp, .tif), "
        "or - for Y4M on standard output.",
    ),
]
At = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only the frame shown at this time: 12.5, 1:02:03.5."),
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
Crf = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Quality of a movie, 0 the best, instead of visually lossless: to 51 with x264 and "
        "x265, to 63 with svt-av1, vp9 and vvenc (its qp).",
    ),
]
Speed = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The movie encoder's own preset: ultrafast to placebo with x264 and x265, faster to "
        "slower with vvenc, 0 to 13 with svt-av1, 0 to 5 with vp9.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Processes that decode at once, with a share of the threads each.",
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="Give what is intact of a damaged or unfinished file."),
]


def decode(
    ctx: typer.Context,
    source: Source,
    output: Output,
    frames: options.Frames = None,
    at: At = None,
    start: options.Start = None,
    end: options.End = None,
    no_audio: options.NoAudio = False,
    clip: options.ClipName = None,
    device: options.Device = "auto",
    workers: Workers = 1,
    precision: PrecisionName = "fp16",
    codec: Codec = None,
    crf: Crf = None,
    speed: Speed = None,
    keep_going: KeepGoing = False,
    limit: options.LimitChanges = None,
    overwrite: options.Overwrite = False,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Rebuild the video from a .nvc file alone; of an unfinished OUT.nvc.part, what is there."""
    warn_as(json=json, quiet=quiet, to_stderr=output == "-")
    wanted, between = options.frame_range(frames), options.time_range(start, end, frames)
    moment, limits = options.moment_s(at), options.changed_limits(limit)
    if moment is not None and (wanted is not None or between is not None):
        raise typer.BadParameter("--at and --frames, --start or --end: one of them")
    path = None
    if not os.path.isdir(output):  # pictures may be added to a folder
        path = options.check_target(output, overwrite)
    options.check_sources([source])
    options.check_apart([source], path)
    from nvcodec.cli.opening import open_decoder
    from nvcodec.video import create_video

    started = time.monotonic()
    with (
        options.naming(source),
        _telling_what_is_left(source, keep_going),
        open_decoder(
            source, frames=wanted, between=between, at=moment, device=device, precision=precision,
            limits=limits, keep_going=keep_going, clip=clip,
        ) as decoder,
    ):  # fmt: skip
        info = replace(decoder.info, num_frames=decoder.num_selected or None)
        with (
            create_video(
                output, info, codec=codec, crf=crf, speed=speed, overwrite=overwrite,
                **_beside(decoder, no_audio),
            ) as target,
            LiveLine(quiet or json) as line,
        ):  # fmt: skip
            frames_of = decoder.planes() if workers == 1 else _by_workers(decoder, source, ctx)
            count = _write_frames(decoder, frames_of, target, line)
    damage = [*decoder.damage, *(f"{source}: {text}" for text in _told_late(decoder, no_audio))]
    _tell(count, time.monotonic() - started, damage, json, quiet, output == "-")


@contextlib.contextmanager
def _telling_what_is_left(source: str, keep_going: bool) -> "Iterator[None]":
    """Says of a damaged file how much of it could be decoded all the same."""
    from nvcodec.container.reader import inspect
    from nvcodec.errors import BitstreamError, LimitError

    try:
        yield
    except BitstreamError as error:
        if not (keep_going or error.advice or source == "-" or isinstance(error, LimitError)):
            with contextlib.suppress(BitstreamError, OSError):
                seen = inspect(source)
                if seen.damage and seen.num_frames:
                    left = counted(seen.num_frames, "frame")
                    error.advice = f"{{keep_going}} decodes what is whole: {left}"
        raise


def _by_workers(decoder: "Decoder", source: str, ctx: typer.Context) -> "Iterator[Planes]":
    """The frames asked for, by several processes."""
    from nvcodec.cli import decode_workers

    typed = ctx.params
    decode_workers.check(decoder)
    words = ["--device", typed["device"], "--precision", typed["precision"], "--threads"]
    words.append(str(options.share_of_threads(typed["workers"])))
    words += [word for change in typed["limit"] or () for word in ("--limit", change)]
    return decode_workers.planes_of(decoder, source, typed["workers"], words)


def _write_frames(
    decoder: "Decoder", frames: "Iterator[Planes]", target: "VideoWriter", line: LiveLine
) -> int:
    """Decode every frame asked for into a video, and tell how many there were."""
    started, count, total = time.monotonic(), 0, decoder.num_selected
    for planes in frames:
        target.write(planes)
        count += 1
        rate = count / max(time.monotonic() - started, 1e-9)
        eta = f"  ETA {format_time((total - count) / rate)}" if total else ""
        text = f"frame {count}/{total or '?'}  {rate:.1f} frames/s{eta}"
        line.update("decode", count / total if total else 0.0, text)
    return count


def _tell(
    count: int, elapsed_s: float, damage: list[str], json: bool, quiet: bool, to_stderr: bool
) -> None:
    if json:
        record = {"event": "done", "frames": count, "elapsed_s": elapsed_s, "damage": damage}
        emit(record, to_stderr)
        return
    for text in damage:
        say(f"nvc: {text}")
    if not quiet:
        rate = count / max(elapsed_s, 1e-9)
        say(f"{counted(count, 'frame')} in {elapsed_s:.1f} s, {rate:.1f} frames/s")


LATE = {"tstm": "times of frames", "mkvs": "audio and other streams"}
"""What stands behind all segments."""


def _is_told(decoder: "Decoder") -> bool:
    """Whether what stands behind all segments is known before them, and belongs to all frames."""
    return decoder.reader.is_seekable and not decoder.reader.keep_going


def _beside(decoder: "Decoder", no_audio: bool) -> dict[str, Any]:
    """Times and streams, where they are known; one frame alone has neither."""
    if not _is_told(decoder) or decoder.num_selected == 1:
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
            why = "--keep-going keeps" if decoder.reader.keep_going else "a pipe brings"
            yield f"{what} not written; {why} pictures alone"
