"""How much moves in a video, from few frames at a small size.

frames --few pairs--> luma in squares --the best shift of the whole--> what is left, over detail
"""

import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nvcodec.samples import Chroma
from nvcodec.video.info import Planes, VideoInfo

LOOKED_FRAMES = 33
"""At the beginning of a video, which is where its motion is measured."""
SIDE = 128
"""Longer side, in pixels, that pictures are compared at."""
REACH = 4
"""Pixels at that size by which the whole picture is shifted at most, each way."""
NUM_PAIRS = 8
FLAT = 0.5 / 255
"""Detail, as a share of the range of samples, below which a picture counts as flat."""


def motion(frames: Sequence[Planes], info: VideoInfo) -> float:
    """Change from a frame to the next, over the change from a pixel to the next.

    Mean absolute differences of luma (green of RGB) at a small size, after the shift of the whole
    picture that leaves least; the median over a few pairs of neighbours. 0 is a still; a picture
    whose parts move by a pixel at that size has about 1.

    Args:
        frames: consecutive ones, in their own samples.
        info: of the video.

    Returns:
        At least 0; 0 for fewer than two frames.
    """
    last = len(frames) - 1
    starts = sorted({last * i // NUM_PAIRS for i in range(NUM_PAIRS)}) if last > 0 else []
    pairs = ((_small(frames[t], info), _small(frames[t + 1], info)) for t in starts)
    return statistics.median([_change(*pair) for pair in pairs] or [0.0])


def _small(planes: Planes, info: VideoInfo) -> NDArray[np.float32]:
    """Luma, averaged in squares, 0 to 1."""
    plane = planes[1 if info.chroma is Chroma.RGB else 0]
    cell = -(-max(plane.shape) // SIDE)
    rows, columns = (max(size // cell, 1) for size in plane.shape)
    whole = plane[: rows * cell, : columns * cell].astype(np.float32) / info.max_sample
    small: NDArray[np.float32] = whole.reshape(rows, len(whole) // rows, columns, -1).mean((1, 3))
    return small


def _change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    height, width = after.shape
    reach = min(REACH, height // 4, width // 4)
    middle = after[reach : height - reach, reach : width - reach]
    change = min(
        float(np.abs(before[y : y + middle.shape[0], x : x + middle.shape[1]] - middle).mean())
        for y in range(2 * reach + 1)
        for x in range(2 * reach + 1)
    )
    detail = sum(float(np.abs(np.diff(after, axis=axis)).sum()) for axis in (0, 1)) / 2
    return change / max(detail / after.size, FLAT)
