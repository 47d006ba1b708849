"""Raw frames with times into ffmpeg: IVF, the smallest container that it reads from a pipe.

    IVF = header of 32 bytes, then for each frame: size, time (12 bytes), samples

A frame's time is an integer in the time base of the header, so that it arrives exactly.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nvcodec.errors import VideoError
from nvcodec.times import FrameTimes
from nvcodec.video.info import VideoInfo
from nvcodec.video.matroska import fourcc

INPUTS: dict[str, Any] = {"copyts": None}
"""ffmpeg's options of all inputs: times stay as they are, also where they do not begin at 0."""

_HEADER, _FRAME = struct.Struct("<4sHH4sHHIIII"), struct.Struct("<IQ")


def headers(info: VideoInfo, times: FrameTimes) -> Iterator[bytes]:
    """What goes before the samples of each frame.

    Raises:
        VideoError: a time has no place in 64 bits.
    """
    base, count, tag = times.base, len(times), fourcc(info)
    start = _HEADER.pack(
        b"DKIF", 0, _HEADER.size, tag, info.width, info.height, base.denominator, 1, count, 0
    )
    if max(abs(times.ticks[0]), abs(times.ticks[-1])) * base.numerator >= 1 << 63:
        raise VideoError(
            f"times of up to {float(max(map(abs, times.seconds()))):.3g} s, in {base} s each: "
            f"ffmpeg takes up to 2^63 / {base.denominator} s"
        )
    for tick in times.ticks:
        yield start + _FRAME.pack(info.frame_bytes, tick * base.numerator % (1 << 64))
        start = b""


def outputs(times: FrameTimes, path: str) -> dict[str, Any]:
    """Ffmpeg's output options that keep the times, as exactly as the container can."""
    denominator = times.base.denominator
    options: dict[str, Any] = {"fps_mode": "passthrough", "enc_time_base": f"1/{denominator}"}
    if Path(path).suffix.lower() in (".mp4", ".mov"):
        options["video_track_timescale"] = denominator
    return options
