"""Raw frames with times into ffmpeg: IVF, the smallest container that it reads from a pipe.

    IVF = header of 32 bytes, then for each frame: size, time (12 bytes), samples

A frame's time is an integer in the time base of the header, so that it arrives exactly.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nvcodec.times import FrameTimes
from nvcodec.video.info import VideoInfo
from nvcodec.video.matroska import fourcc

INPUTS: dict[str, Any] = {"copyts": None}
"""ffmpeg's options of all inputs: times stay as they are, also where they do not begin at 0."""

_HEADER, _FRAME = struct.Struct("<4sHH4sHHIIII"), struct.Struct("<IQ")


def headers(info: VideoInfo, times: FrameTimes) -> Iterator[bytes]:
    """What goes before the samples of each frame."""
    base, count, tag = times.base, len(times), fourcc(info)
    start = _HEADER.pack(
        b"DKIF", 0, _HEADER.size, tag, info.width, info.height, base.denominator, 1, count, 0
    )
    for tick in times.ticks:
        tick = tick * base.numerator % (1 << 64)
        yield start + _FRAME.pack(info.frame_bytes, tick)
        start = b""


def outputs(times: FrameTimes, path: str) -> dict[str, Any]:
    """Ffmpeg's output options that keep the times, as exactly as the container can."""
    denominator = times.base.denominator
    options: dict[str, Any] = {"fps_mode": "passthrough", "enc_time_base": f"1/{denominator}"}
    if Path(path).suffix.lower() in (".mp4", ".mov"):
        options["video_track_timescale"] = denominator
    return options
