"""Between planes and pixel arrays (H, W, C): YUV <-> RGB in integers, 4:2:0 and 4:2:2 <-> 4:4:4.

One rounding rule: coefficients are rounded once to 20 fractional bits, sums are exact in int32 (8
bits a sample) or int64, then halves round up (`(x + 2**19) >> 20`) and values are clipped to the
samples' range. No float takes part, so every machine gives the same pixels. Chroma goes up by
replication and down by the mean of its block (edges repeated at odd sizes), which makes 4:2:0 ->
4:4:4 -> 4:2:0 the identity.

4:2:0 samples can also be packed at half size: four of luma, U and V as six channels, nothing
converted.

The matrix is BT.601 unless the video is tagged otherwise; grey stays one channel; RGB planes pass
through.
"""

import functools
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import UnsupportedVideoError
from nvcodec.samples import Chroma, max_sample
from nvcodec.video.info import (
    UNSPECIFIED,
    ColorTags,
    Pixels,
    Planes,
    VideoInfo,
    sample_type,
    widened,
)

FRACTION_BITS = 20
"""The largest sum at 8 bits, BT.2020 limited range, is 553 < 2^10, so that 31 bits hold it."""

LUMA_WEIGHTS = {
    1: (Fraction(2126, 10000), Fraction(722, 10000)),
    4: (Fraction(30, 100), Fraction(11, 100)),
    5: (Fraction(299, 1000), Fraction(114, 1000)),
    6: (Fraction(299, 1000), Fraction(114, 1000)),
    7: (Fraction(212, 1000), Fraction(87, 1000)),
    9: (Fraction(2627, 10000), Fraction(593, 10000)),
}
"""(K_R, K_B) by CICP matrix code (ITU-T H.273, table 4).

In order: BT.709, FCC, BT.601 twice, SMPTE 240M, BT.2020.
"""

DEFAULT_MATRIX = 6
"""BT.601, for videos that name none."""

_T = TypeVar("_T", bound=np.generic)
IntArray = NDArray[np.signedinteger[Any]]


def luma_weights(color: ColorTags) -> tuple[Fraction, Fraction]:
    """(K_R, K_B) of a video's matrix.

    Raises:
        UnsupportedVideoError: The matrix is none that a constant 3x3 conversion describes.
    """
    code = DEFAULT_MATRIX if color.matrix == UNSPECIFIED else color.matrix
    if code not in LUMA_WEIGHTS:
        raise UnsupportedVideoError(
            f"colour matrix {code} (CICP) has no conversion to RGB here; "
            f"allowed are {sorted(LUMA_WEIGHTS)} and 2 (unspecified, read as BT.601)"
        )
    return LUMA_WEIGHTS[code]


def _fixed(value: Fraction) -> int:
    return int((value * (1 << FRACTION_BITS) + Fraction(1, 2)) // 1)


def _spans(color: ColorTags, depth: int) -> tuple[int, int, int]:
    """Black level, and the spans of luma and of chroma (ITU-T H.273, 8.3)."""
    if color.range == "full":
        return 0, max_sample(depth), max_sample(depth)
    return 16 << depth - 8, 219 << depth - 8, 224 << depth - 8


@functools.lru_cache(maxsize=32)
def _to_rgb_factors(color: ColorTags, depth: int) -> tuple[int, int, int, int, int]:
    """Fixed-point factors luma -> all, V -> R, U -> G, V -> G, U -> B (ITU-T H.273, 8.3)."""
    k_r, k_b = luma_weights(color)
    k_g = 1 - k_r - k_b
    _, luma, chroma = _spans(color, depth)
    to_chroma = Fraction(max_sample(depth), chroma)
    return (
        _fixed(Fraction(max_sample(depth), luma)),
        _fixed(2 * (1 - k_r) * to_chroma),
        _fixed(-2 * (1 - k_b) * k_b / k_g * to_chroma),
        _fixed(-2 * (1 - k_r) * k_r / k_g * to_chroma),
        _fixed(2 * (1 - k_b) * to_chroma),
    )


@functools.lru_cache(maxsize=32)
def _from_rgb_factors(color: ColorTags, depth: int) -> tuple[tuple[int, int, int], ...]:
    """Fixed-point rows R, G, B -> Y, U, V. A row sums to exactly its span, chroma to 0."""
    k_r, k_b = luma_weights(color)
    _, luma, chroma = _spans(color, depth)
    rows = []
    for row, span in (
        ((k_r, None, k_b), Fraction(luma, max_sample(depth))),
        ((-k_r / (1 - k_b) / 2, None, Fraction(1, 2)), Fraction(0)),
        ((Fraction(1, 2), None, -k_b / (1 - k_r) / 2), Fraction(0)),
    ):
        scale = span or Fraction(chroma, max_sample(depth))
        red, blue = _fixed(row[0] * scale), _fixed(row[2] * scale)
        rows.append((red, _fixed(span) - red - blue, blue))  # grey stays grey
    return tuple(rows)


def _rounded(sums: IntArray, depth: int) -> Pixels:
    sums += 1 << (FRACTION_BITS - 1)
    sums >>= FRACTION_BITS
    return np.clip(sums, 0, max_sample(depth), out=sums).astype(sample_type(depth))


def _replicated(plane: NDArray[_T], info: VideoInfo) -> NDArray[_T]:
    v, h = info.chroma.subsampling
    plane = plane if h == 1 else np.repeat(plane, h, axis=1)
    plane = plane if v == 1 else np.repeat(plane, v, axis=0)
    return plane[: info.height, : info.width]


def _block_means(plane: Pixels, chroma: Chroma) -> Pixels:
    v, h = chroma.subsampling
    if v * h == 1:
        return np.ascontiguousarray(plane)
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % v), (0, -width % h)), mode="edge").astype(np.uint32)
    sums = padded[::v, ::h].copy()
    for y, x in list(np.ndindex(v, h))[1:]:
        sums += padded[y::v, x::h]
    return ((sums + v * h // 2) // (v * h)).astype(plane.dtype)


def planes_to_yuv444(planes: Planes, info: VideoInfo) -> Pixels:
    """Own samples as pixels, (H, W, 3), chroma replicated; grey gives (H, W, 1)."""
    return np.stack([planes[0], *(_replicated(p, info) for p in planes[1:])], axis=-1)


def yuv444_to_planes(yuv: Pixels, info: VideoInfo) -> Planes:
    """Planes of a frame from its own samples at full resolution; inverse of `planes_to_yuv444`."""
    luma = np.ascontiguousarray(yuv[:, :, 0])
    return luma, *(_block_means(yuv[:, :, c], info.chroma) for c in range(1, yuv.shape[2]))


def planes_to_packed(planes: Planes, info: VideoInfo) -> Pixels:
    """4:2:0 samples at half size, (ceil(H / 2), ceil(W / 2), 6).

    Channels: luma at top left, top right, bottom left, bottom right, then U and V. Luma of odd
    sizes is continued by its edge.
    """
    luma, u, v = planes
    luma = np.pad(luma, ((0, info.height % 2), (0, info.width % 2)), mode="edge")
    return np.stack([*(luma[y::2, x::2] for y, x in np.ndindex(2, 2)), u, v], axis=-1)


def packed_to_planes(packed: Pixels, info: VideoInfo) -> Planes:
    """Planes of a frame from packed samples; inverse of `planes_to_packed`."""
    height, width = packed.shape[:2]
    luma = packed[:, :, :4].reshape(height, width, 2, 2).swapaxes(1, 2)
    luma = luma.reshape(2 * height, 2 * width)[: info.height, : info.width]
    return tuple(np.ascontiguousarray(p) for p in (luma, packed[:, :, 4], packed[:, :, 5]))


def planes_to_rgb(planes: Planes, info: VideoInfo) -> Pixels:
    """Full-range RGB of a frame at its depth, (H, W, 3); grey gives its luma as (H, W, 1).

    Raises:
        UnsupportedVideoError: The colour matrix has no conversion.
    """
    if info.chroma is Chroma.RGB:
        return np.stack(planes, axis=-1)
    depth = info.depth
    black, _, _ = _spans(info.color, depth)
    if info.chroma is Chroma.GRAY:
        factor = _to_rgb_factors(replace(info.color, matrix=2), depth)[0]
        return _rounded((widened(planes[0]) - black) * factor, depth)[:, :, None]
    y_all, v_r, u_g, v_g, u_b = _to_rgb_factors(info.color, depth)
    luma = (widened(planes[0]) - black) * y_all
    u, v = (widened(plane) - (1 << depth - 1) for plane in planes[1:])
    rgb = np.empty((info.height, info.width, 3), info.sample_type)
    for c, chroma in enumerate((v * v_r, u * u_g + v * v_g, u * u_b)):
        rgb[:, :, c] = _rounded(luma + _replicated(chroma, info), depth)
    return rgb


def rgb_to_planes(rgb: Pixels, info: VideoInfo) -> Planes:
    """Planes of a frame from full-range RGB at its depth, (H, W, 3), or (H, W, 1) for grey.

    Chroma is rounded at full resolution, then averaged.

    Raises:
        UnsupportedVideoError: The colour matrix has no conversion.
    """
    if info.chroma is Chroma.RGB:
        return tuple(np.ascontiguousarray(rgb[:, :, c]) for c in range(3))
    depth = info.depth
    black, span, _ = _spans(info.color, depth)
    one, centre = 1 << FRACTION_BITS, 1 << depth - 1
    if info.chroma is Chroma.GRAY:
        luma = widened(rgb[:, :, 0]) * _fixed(Fraction(span, info.max_sample)) + black * one
        return (_rounded(luma, depth),)
    wide = widened(rgb)
    red, green, blue = wide[:, :, 0], wide[:, :, 1], wide[:, :, 2]
    planes: list[Pixels] = []
    rows = _from_rgb_factors(info.color, depth)
    for (r, g, b), offset in zip(rows, (black, centre, centre), strict=True):
        full = _rounded(red * r + green * g + blue * b + offset * one, depth)
        planes.append(_block_means(full, info.chroma) if planes else full)
    return tuple(planes)


PICTURE_DEPTH = 16
"""Bits a sample of pictures of more than 8, as PNG has them."""


def picture_info(info: VideoInfo) -> VideoInfo:
    """How the same video is described as pictures: in full range, RGB or grey, 8 or 16 bits."""
    is_gray = info.chroma is Chroma.GRAY
    color = replace(info.color, range="full", matrix=UNSPECIFIED if is_gray else 0)
    return replace(
        info,
        chroma=Chroma.GRAY if is_gray else Chroma.RGB,
        color=color,
        depth=8 if info.depth == 8 else PICTURE_DEPTH,
    )


def picture_planes(planes: Planes, info: VideoInfo) -> Planes:
    """Planes of a frame as `picture_info(info)` describes them."""
    if info.chroma is not Chroma.RGB:
        pixels = planes_to_rgb(planes, info)
        planes = tuple(np.ascontiguousarray(pixels[:, :, c]) for c in range(pixels.shape[2]))
    if info.depth in (8, PICTURE_DEPTH):
        return planes
    peak, top = info.max_sample, max_sample(PICTURE_DEPTH)
    return tuple(((p.astype(np.uint64) * top + peak // 2) // peak).astype(p.dtype) for p in planes)


BT709, BT601 = 1, 6
"""Codes of matrices."""


def yuv_info_of_rgb(info: VideoInfo, matrix: int = BT709) -> VideoInfo:
    """How an RGB video is described once it is YUV: 4:4:4, limited range, of a matrix.

    BT.709 where the matrix is stated beside the frames; where it is not, as in Y4M and raw files,
    readers take BT.601.
    """
    color = replace(info.color, range="limited", matrix=matrix)
    return replace(info, chroma=Chroma.YUV444, color=color)


def yuv_planes_of_rgb(planes: Planes, yuv: VideoInfo) -> Planes:
    """Planes of an RGB frame as `yuv`, from `yuv_info_of_rgb`, describes them."""
    return rgb_to_planes(np.stack(planes, axis=-1), yuv)
