"""The numbers that the scheme stores, as integers: bin widths, weights and logarithms.

    bin width   2^(i/8), i from -48 to 80: mantissa M(i mod 8) / 1024 times 2^(i div 8)
    weight      2^(i/2), i from -32 to 16, in 1/65536
    logarithm   log2 of an integer from 1 to 2^52, in 1/256: its bit length and its next seven bits

M(j) = round(1024 x 2^(j/8)), and logarithms of seven bits, come from the exact integers of `cdf`.
"""

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.cdf import log2, negative_exp2

MIN_WIDTH, MAX_WIDTH = -48, 80
"""Indices of bin widths, in eighths of an octave."""
MIN_WEIGHT, MAX_WEIGHT = -32, 16
"""Indices of weights, in halves of an octave."""
WEIGHT_BITS = 16
"""Fraction of a weight."""
LOG_BITS = 8
"""Fraction of a logarithm."""
UNIT_BITS = 16
"""Fraction of a magnitude in pixels, as contexts see it."""
MANTISSA_BITS = 10

_EIGHTHS = (negative_exp2(np.arange(8, dtype=np.int64) * -8192 + 65536) + (1 << 18)) >> 19
"""M(0) to M(7), 1024 to 1878."""
_LOGS = (log2(np.arange(128, 256, dtype=np.int64)) - (7 << 16) + 128) >> 8
"""log2 of 1 to 2 in steps of 1/128, in 1/256."""


def width_values(indices: NDArray[np.int64]) -> NDArray[np.float16]:
    """Bin widths, exact half floats."""
    mantissas = _EIGHTHS[indices % 8].astype(np.float32)
    return np.ldexp(mantissas, indices // 8 - MANTISSA_BITS).astype(np.float16)


def width_units(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bin widths in units of `UNIT_BITS`."""
    return _EIGHTHS[indices % 8] << (indices // 8 + UNIT_BITS - MANTISSA_BITS)


def weight_values(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weights in units of `WEIGHT_BITS`."""
    octaves = indices // 2
    roots = np.where(indices % 2 == 1, 92682, 65536)  # 65536 x 2^(1/2), and 65536
    up, down = np.maximum(octaves, 0), np.maximum(-octaves, 0)
    values: NDArray[np.int64] = (roots << up) >> down
    return values


def logarithms(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """log2 of integers from 1 to 2^52, in 1/256, rounded down to the seven bits below the first."""
    mantissas, exponents = np.frexp(values.astype(np.float64))  # both exact: 1/2 to 1, and a power
    steps = (mantissas * 256).astype(np.int64) - 128
    found: NDArray[np.int64] = (exponents.astype(np.int64) - 1 << LOG_BITS) + _LOGS[steps]
    return found
