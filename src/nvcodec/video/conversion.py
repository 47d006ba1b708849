"""Between a frame's planes and the samples that a representation gives."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvcodec.samples import Samples
from nvcodec.video.color import (
    packed_to_planes,
    planes_to_packed,
    planes_to_rgb,
    planes_to_yuv444,
    rgb_to_planes,
    yuv444_to_planes,
)
from nvcodec.video.info import Pixels, Planes, VideoInfo

STRIP_ROWS = 256
"""Even, so that chroma of a strip is that of the frame."""


class _Conversion(NamedTuple):
    from_planes: Callable[[Planes, VideoInfo], Pixels]
    to_planes: Callable[[Pixels, VideoInfo], Planes]


_CONVERSIONS: Mapping[Samples, _Conversion] = {
    Samples.RGB: _Conversion(planes_to_rgb, rgb_to_planes),
    Samples.GRAY: _Conversion(planes_to_rgb, rgb_to_planes),
    Samples.YUV444: _Conversion(planes_to_yuv444, yuv444_to_planes),
    Samples.PACKED420: _Conversion(planes_to_packed, packed_to_planes),
}


def from_planes(samples: Samples, planes: Planes, info: VideoInfo) -> Pixels:
    """A frame in these samples, (H, W, C) as `samples.shape` tells, at the depth of `info`."""
    return _CONVERSIONS[samples].from_planes(planes, info)


def to_planes(samples: Samples, pixels: Pixels, info: VideoInfo) -> Planes:
    """Planes of a frame from its samples; the inverse, but for rounding of colours.

    Large frames are done in strips, as conversions take several integers a sample.
    """
    convert = _CONVERSIONS[samples].to_planes
    if info.height <= STRIP_ROWS:
        return convert(pixels, info)
    shapes = info.chroma.plane_shapes(info.height, info.width)
    planes = tuple(np.empty(shape, info.sample_type) for shape in shapes)
    step = STRIP_ROWS // 2 if samples is Samples.PACKED420 else STRIP_ROWS
    for number, top in enumerate(range(0, info.height, STRIP_ROWS)):
        strip = replace(info, height=min(STRIP_ROWS, info.height - top))
        parts = convert(pixels[number * step : (number + 1) * step], strip)
        for i, part in enumerate(parts):
            begin = top // info.chroma.subsampling[0] if i else top
            planes[i][begin : begin + len(part)] = part
    return planes


def for_looking(planes: Planes, info: VideoInfo) -> NDArray[np.uint8]:
    """A frame as uint8 (H, W, 3), full-range RGB, whatever its depth and colours."""
    rgb = planes_to_rgb(planes, info)
    looks: NDArray[np.uint8] = (rgb >> (info.depth - 8)).astype(np.uint8)
    return looks.repeat(3 // looks.shape[2], axis=2)


def to_rgb(samples: Samples, pixels: Pixels, info: VideoInfo) -> Pixels:
    """A frame for looking at: full-range RGB (H, W, 3), or grey (H, W, 1)."""
    if samples in (Samples.RGB, Samples.GRAY):
        return pixels
    return planes_to_rgb(to_planes(samples, pixels, info), info)
