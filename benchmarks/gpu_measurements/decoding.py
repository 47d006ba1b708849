"""`decode`: how fast files of each size are decoded, FP16, on networks that were not fitted.

Speed of the network does not depend on the weights' values. Counted are the network alone; frames
as 8-bit pixels in memory; entropy decoding of all integers; and `nvc decode` in a fresh process,
to a Y4M of the whole file and of its first frame alone, loading of torch included.
"""

import functools
import math
import time
from typing import Any

from gpu_measurements.work import Point, Work, run_nvc, seconds_each
from nerv_speed import forward_fps, write_unfitted
from nvcodec.decoder import Decoder
from nvcodec.segment_decoder import SegmentDecoder
from nvcodec.segment_values import unpack_segment

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
PRESETS = ("hinerv-xxs", "hinerv-s", "nvrc-s1", "nvrc-s2", "nerv-s")
NUM_FRAMES = 120


def points(rehearsal: bool) -> list[Point]:
    """Every preset at both sizes."""
    sizes = ("720p",) if rehearsal else SIZES
    presets = ("hinerv-xxs", "nvrc-s1") if rehearsal else PRESETS
    return [
        Point("decode", f"{size}/{name}", 0.4, functools.partial(measure, name=name, size=size))
        for size in sizes
        for name in presets
    ]


def measure(work: Work, name: str, size: str) -> dict[str, Any]:
    """All speeds of one preset."""
    picture, num_frames = SIZES[size], NUM_FRAMES
    if work.rehearsal:
        picture, num_frames = (160, 90), 2
    path = work.folder("decode") / f"{size}-{name}.nvc"
    parameters = write_unfitted(path, work.preset(name), picture, num_frames)
    device = work.device.type
    with Decoder(path, device=device, precision="fp16") as video:
        ((_, coded),) = video.segments()
        unpack_s = _seconds(lambda: unpack_segment(video.head, coded, video.limits))
        decoder = SegmentDecoder(video.head, coded, video.device, "fp16", video.limits)
    forward = forward_fps(decoder, num_frames, passes=2)
    pixels_s = seconds_each(
        work, functools.partial(decoder.pixels, 0), 0.05 if work.rehearsal else 2
    )
    target = path.with_suffix(".y4m")
    words = ("decode", path, "-o", target, "-y", "--device", device, "--precision", "fp16")
    whole_s = _seconds(lambda: run_nvc(*words))
    first_s = _seconds(lambda: run_nvc(*words, "--frames", "0:1"))
    target.unlink()
    return {
        "preset": name,
        "size": list(picture),
        "frames": num_frames,
        "parameters": parameters,
        "file_bytes": path.stat().st_size,
        "network_fps": forward,
        "pixels_fps": 1 / pixels_s,
        "entropy_decoding_s": unpack_s,
        "entropy_decoded_per_s": parameters / unpack_s,
        "decode_s": whole_s,
        "decode_fps": num_frames / whole_s,
        "first_frame_s": first_s,
        "after_first_fps": (num_frames - 1) / max(whole_s - first_s, math.ulp(1.0)),
        "banded": decoder.band_height,
    }


def _seconds(act: Any) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started
