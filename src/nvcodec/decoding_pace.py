"""Frames a second that decoding will come to on this processor, without decoding anything.

    time of a frame = (multiply-adds + MACS_A_VALUE * values held at once) / pace of a large product

A product of two matrices, some hundredths of a second long, tells how fast the machine is. Narrow
networks are bound by what they hold, wide ones by their products. `benchmarks/decode_speed.py` sets
what this gives beside what is measured.
"""

import functools
import time

import numpy as np

from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import VideoShape

SIDE, TIMES = 512, 6
MACS_A_VALUE = 325.0
"""Multiply-adds that take as long as what is done to one value; eleven presets are within 40 %."""


def expected_fps(config: RepresentationConfig, shape: VideoShape) -> float:
    """Frames/s of decoding on all cores of this machine, about.

    Args:
        config: of the representation, resolved for the picture.
        shape: of a segment's samples.
    """
    work = config.macs_per_frame(shape) + MACS_A_VALUE * config.activations_per_frame(shape)
    return macs_per_s() / work


@functools.cache
def macs_per_s() -> float:
    """Multiply-adds a second of a large float32 product, the best of some."""
    a = np.ones((SIDE, SIDE), np.float32)
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - began)
    return SIDE**3 / min(taken)
