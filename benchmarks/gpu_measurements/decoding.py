"""`decode`: how fast files of each size are decoded, FP16, on networks that were not fitted.

Speed of the network does not depend on the weights' values. Counted are the network alone; frames
as 8-bit pixels in memory; entropy decoding of all integers; and `nvc decode` in a fresh process,
to a Y4M of the whole file and of its first frame alone, loading of torch included.
"""

import functools
import math
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from common import write_file
from gpu_measurements.work import Point, Work, run_nvc, seconds_each
from nvcodec.coding.parameters import Parameter
from nvcodec.coding.schemes import load_scheme
from nvcodec.decoder import Decoder
from nvcodec.presets import Preset
from nvcodec.representations import build
from nvcodec.representations.representation import Patches
from nvcodec.samples import Chroma, VideoShape
from nvcodec.segment_decoder import SegmentDecoder
from nvcodec.segment_values import unpack_segment
from nvcodec.video import VideoInfo

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


def write_unfitted(path: Path, preset: Preset, size: tuple[int, int], num_frames: int) -> int:
    """A file with an initialised network; gives its number of parameters."""
    info = VideoInfo(*size, Chroma.YUV420, Fraction(25), num_frames=num_frames)
    torch.manual_seed(0)
    shape = VideoShape(num_frames, info.height, info.width, 3)
    network = build(preset.representation, shape)
    values = dict(network.named_parameters())
    fitted = [Parameter(s, values[s.name].detach().numpy()) for s in network.specs]
    write_file(path, info, preset, load_scheme(preset.scheme).quantize(fitted), num_frames)
    return network.config.num_parameters(shape)


def forward_s(work: Work, decoder: SegmentDecoder) -> float:
    """Seconds of a pass of the network alone, on what lies on the device (NeRV, section 4.3)."""
    patches = Patches.frames(torch.tensor([0], device=decoder.device))
    with decoder.inference():
        return seconds_each(
            work, lambda: decoder.representation(patches), 0.05 if work.rehearsal else 2
        )


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
        decoder = SegmentDecoder(video.head, coded, video.device, "fp16", limits=video.limits)
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
        "network_fps": 1 / forward_s(work, decoder),
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
