"""Real values to symbols, given a bin width: the one rounding rule of every scheme and stage.

    max |w| over an axis --symmetric_quant_scale--> quant_scale (float16)
    w, quant_scale       --quantize---------------> symbol (int32) = round(w / quant_scale), clamped

    min w, max w of a row --affine_quant_scale----> quant_scale, minimum (float16)
    w and both            --affine_quantize-------> symbol = round((w - minimum) / quant_scale)

The arithmetic is float32 and in the order written here, so that a torch twin of these functions
gives the same symbols. Nothing of it runs in a decoder, save for the shapes: `dequantize` of
`QuantizedTensor` and `AffineTensor` is the way back.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HALF_MANTISSA_BITS = 10  # IEEE 754 binary16
HALF_INFINITY_BITS = 31 << HALF_MANTISSA_BITS
MAX_HALF = 65504.0

MIN_AXIS_LENGTH = 20
"""HiNeRV shares a scale along an axis when this leaves under 5 % as many scales as values."""
MIN_ROW_LENGTH = 80
"""Rows of at least so many weights have a bin width and a minimum of their own: at 8 bits these
cost 5 % at most."""


def symbol_range(bits: int) -> tuple[int, int]:
    """Smallest and largest symbol of `bits` bits, both included."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def quant_axis(shape: Sequence[int]) -> int | None:
    """Axis along which values share a bin width; None where the whole tensor shares one.

    The longest axis (the first of equals), if sharing along it costs less than 5 % as many scales
    as there are values.

    Source: HiNeRV, section 3.6 and its code: longest axis with numel / dim < 0.05 numel, which is
    dim > 20.
    """
    if 0 in shape or max(shape, default=0) <= MIN_AXIS_LENGTH:
        return None
    return max(range(len(shape)), key=lambda axis: shape[axis])


def quant_scale_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a tensor's bin widths: its own with the shared axis, or all axes, reduced to 1."""
    axis = quant_axis(shape)
    return tuple(1 if axis is None or i == axis else n for i, n in enumerate(shape))


def symmetric_quant_scale(
    values: NDArray[np.float32], bits: int, mantissa_bits: int = HALF_MANTISSA_BITS
) -> NDArray[np.float16]:
    """Bin widths that spread the symbols of each slice over the symmetric range of `bits` bits.

    Args:
        values: finite weights, any shape, zero where pruned.
        bits: width of a symbol, at least 2.
        mantissa_bits: precision of a bin width, 0 to 10 (float16). Fewer bits are cheaper to code.

    Returns:
        float16 with the shape of `quant_scale_shape`: finite, positive, each a multiple of the
        chosen precision and not below 2 max|w| / (2^bits - 1). A slice of zeros gets the largest
        bin width of its tensor, or 1.

    Source: HiNeRV, section 3.6: 2 max|w| / (2^n - 1) + 1e-6. Differs: rounded up to what is stored
    before it is used (HiNeRV quantizes with float32 and decodes with float16), and no 1e-6, since a
    float16 cannot become zero here.
    """
    axis = quant_axis(values.shape)
    magnitude = np.minimum(np.abs(values.astype(np.float32)), np.float32(MAX_HALF))
    # initial=0 for tensors without entries
    peak = np.max(magnitude, axis=axis, keepdims=True, initial=0).astype(np.float32)
    width = np.float32(2) * peak / np.float32((1 << bits) - 1)
    filler = width.max() if width.max() > 0 else np.float32(1)
    width = np.where(width > 0, width, filler)
    return rounded_up(width, mantissa_bits)


def rounded_up(width: NDArray[np.float32], mantissa_bits: int) -> NDArray[np.float16]:
    """Smallest positive float16 not below `width`, of so many bits of mantissa."""
    half = width.astype(np.float16)
    index = half.view(np.uint16).astype(np.int64) + (half.astype(np.float32) < width)
    unit = 1 << (HALF_MANTISSA_BITS - mantissa_bits)
    index = np.clip(-(-index // unit) * unit, unit, HALF_INFINITY_BITS - unit)
    return index.astype(np.uint16).view(np.float16)


def quantize(
    values: NDArray[np.float32], quant_scale: NDArray[np.float16], bits: int
) -> NDArray[np.int32]:
    """Symbols of `values`: round(values / quant_scale), ties to even, clamped to `bits` bits.

    Args:
        values: finite weights.
        quant_scale: positive float16, broadcasts against `values`.
        bits: width of a symbol.
    """
    ratio = values.astype(np.float32) / quant_scale.astype(np.float32)
    return np.clip(np.rint(ratio), *symbol_range(bits)).astype(np.int32)


def affine_scale_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a tensor's affine bin widths and minima: one a row, or one for the whole tensor.

    A row is what one index of the first axis holds. Source: NeRV's repository. Differs: tensors of
    short rows share one pair.
    """
    row_length = math.prod(shape[1:])
    if len(shape) < 2 or row_length < MIN_ROW_LENGTH:
        return (1,) * len(shape)
    return (shape[0], *(1,) * (len(shape) - 1))


def affine_quant_scale(
    values: NDArray[np.float32], mask: NDArray[np.bool_] | None, bits: int
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Bin widths and minima that spread the kept weights of each row over 2^bits symbols.

    Args:
        values: finite weights within the range of half floats, any shape.
        mask: True where kept; pruned entries do not count.
        bits: width of a symbol.

    Returns:
        Two float16 arrays of the shape of `affine_scale_shape`: bin widths, positive and at least
        (max - min) / (2^bits - 1), and minima, rounded down, where that can be.

    Source: NeRV, Eq. 4, with 2^bits - 1 in place of 2^bits: the top symbol then has `bits` bits.
    """
    shape = affine_scale_shape(values.shape)
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    kept = np.ones(values.shape, np.bool_) if mask is None else mask
    low = np.min(values, axis=axes, keepdims=True, where=kept, initial=MAX_HALF)
    high = np.max(values, axis=axes, keepdims=True, where=kept, initial=-MAX_HALF)
    nothing = low > high  # all pruned
    low, high = np.where(nothing, 0, low), np.where(nothing, 0, high)
    minimum = low.astype(np.float16)
    above = minimum.astype(np.float32) > low
    lower = np.nextafter(minimum, np.float16(-MAX_HALF))
    minimum = np.where(above, lower, minimum).reshape(shape)
    width = (high.astype(np.float64).reshape(shape) - minimum) / ((1 << bits) - 1)
    quant_scale = width.astype(np.float16)
    below = quant_scale.astype(np.float64) < width
    quant_scale = np.where(below, np.nextafter(quant_scale, np.float16(MAX_HALF)), quant_scale)
    smallest = np.float16(2.0**-24)
    return np.maximum(quant_scale, smallest).astype(np.float16), minimum.astype(np.float16)


def affine_quantize(
    values: NDArray[np.float32],
    quant_scale: NDArray[np.float16],
    minimum: NDArray[np.float16],
    bits: int,
) -> NDArray[np.int32]:
    """Symbols of `values`: round((values - minimum) / quant_scale), clamped to 0 ... 2^bits - 1."""
    offset = values.astype(np.float32) - minimum.astype(np.float32)
    ratio = np.rint(offset / quant_scale.astype(np.float32))
    return np.clip(ratio, 0, (1 << bits) - 1).astype(np.int32)
