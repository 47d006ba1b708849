"""Integer lattices of compression parameters ("phi" in NVRC): bin widths, spreads, means.

    phi, real --to_lattice--> phi, integers --> bin widths, sigma indices, means (symbols)

A log2 of a bin width or of a spread counts eighths of an octave, a mean sixteenths of a bin. Bin
widths are float16 values of one table; all else here is integer arithmetic, so every machine finds
the same.

Source: NVRC, sections 3.1 and 3.2. Differs: phi lives on fixed lattices; NVRC learns one more step
for each tensor of phi.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.gaussian_runs import SYMBOL_LIMIT
from nvcodec.coding.quantizer import MAX_HALF

PER_OCTAVE = 8
"""Points of the lattice of log2 bin widths and spreads, an octave."""
PER_BIN = 16
"""Points of the lattice of means, a bin."""
MIN_LOG2_WIDTH = -160
"""Smallest log2 of a bin width, in eighths: 2^-20, sixteen times the smallest float16."""
MAX_LOG2_WIDTH = 120
LOG_LIMIT = 511
"""Largest magnitude of one axis' share of a log2, in eighths."""
MEAN_LIMIT = 2047
"""Largest magnitude of one axis' share of a mean, in sixteenths of a bin."""


def to_lattice(values: NDArray[Any], per_unit: int, limit: int) -> NDArray[np.int32]:
    """round(values * per_unit), ties to even, clamped to +-limit."""
    scaled = np.rint(np.asarray(values, np.float64) * per_unit)
    points: NDArray[np.int32] = np.clip(scaled, -limit, limit).astype(np.int32)
    return points


@functools.cache
def width_table() -> NDArray[np.float16]:
    """Bin widths 2^(k / 8), k = MIN_LOG2_WIDTH to MAX_LOG2_WIDTH, as float16, by integers alone."""
    result = np.empty(MAX_LOG2_WIDTH - MIN_LOG2_WIDTH + 1, np.float16)
    for i in range(len(result)):
        octave, eighth = divmod(i + MIN_LOG2_WIDTH, PER_OCTAVE)
        # 2^(eighth / 8) with 40 bits of fraction, rounded down
        mantissa = math.isqrt(math.isqrt(math.isqrt(1 << (8 * 40 + eighth))))
        unit = max(octave, -14) - 10  # log2 of the spacing of float16 here
        shift = 40 - octave + unit  # at least 30; no ties, except for exact powers of two
        result[i] = math.ldexp((mantissa + (1 << (shift - 1))) >> shift, unit)
    result.flags.writeable = False
    return result


def width_values(log2_width: NDArray[np.int32]) -> NDArray[np.float32]:
    """Bin widths of integer log2 widths (eighths, clamped to the table), float32."""
    clamped = np.clip(log2_width, MIN_LOG2_WIDTH, MAX_LOG2_WIDTH)
    values: NDArray[np.float32] = width_table().astype(np.float32)[clamped - MIN_LOG2_WIDTH]
    return values


def quantized(values: NDArray[np.float32], widths: NDArray[np.float32]) -> NDArray[np.int32]:
    """Symbols round(values / widths), ties to even, clamped to the limit; float32 throughout."""
    ratio = np.rint(values.astype(np.float32) / widths)
    symbols: NDArray[np.int32] = np.clip(ratio, -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int32)
    return symbols


def dequantized(symbols: NDArray[np.int32], widths: NDArray[np.float32]) -> NDArray[np.float16]:
    """float16(float32(symbol) * float32(width)), clamped to the largest finite float16."""
    values = symbols.astype(np.float32)
    values *= widths
    np.clip(values, -MAX_HALF, MAX_HALF, out=values)
    return values.astype(np.float16)


def rounded_mean(mean: NDArray[np.int32]) -> NDArray[np.int32]:
    """Means in sixteenths of a bin to whole bins, halves up."""
    whole: NDArray[np.int32] = (mean + PER_BIN // 2) >> 4
    return whole


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Rows (the first axis) and columns (all others) of a layer; (n, 1) for one axis."""
    if not shape:
        return 1, 1
    return shape[0], math.prod(shape[1:])


def axis_lengths(shape: Sequence[int], share: int, per_tensor: bool) -> tuple[int, int]:
    """Entries of a layer's side vectors for rows and for columns; 1 where the axis has none.

    An entry must serve at least `share` values. Source: NVRC, section 3.2.
    """
    rows, columns = matrix_shape(shape)
    if per_tensor or rows * columns == 0:
        return 1, 1
    return rows if columns >= share else 1, columns if rows >= share else 1
