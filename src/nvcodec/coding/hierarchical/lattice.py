"""Tensors whose compression parameters ("phi") are integers too: steps, spreads, means, contexts.

    phi, real --to_lattice--> phi, integers --> bin widths, sigma indices, means (symbols)

A log2 of a bin width or of a spread counts eighths of an octave, a mean sixteenths of a bin. Bin
widths are float16 values of one table; all else here is integer arithmetic, so every machine finds
the same.

Source: NVRC, sections 3.1 and 3.2. Differs: phi lives on fixed lattices; NVRC learns one more step
for each tensor of phi.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.context import ContextNetwork
from nvcodec.coding.hierarchical.gaussian import MAX_SIGMA, MIN_SIGMA
from nvcodec.coding.hierarchical.gaussian_runs import SYMBOL_LIMIT
from nvcodec.coding.parameters import CodedTensor
from nvcodec.coding.quantizer import MAX_HALF

PER_OCTAVE = 8
"""Points of the lattice of log2 bin widths and spreads, an octave."""
PER_BIN = 16
"""Points of the lattice of means, a bin."""
MIN_STEP = -160
"""Smallest log2 of a bin width, in eighths: 2^-20, sixteen times the smallest float16."""
MAX_STEP = 120
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
def step_table() -> NDArray[np.float16]:
    """Bin widths 2^(k / 8) for k = MIN_STEP to MAX_STEP, rounded to float16, in integers."""
    result = np.empty(MAX_STEP - MIN_STEP + 1, np.float16)
    for i in range(len(result)):
        octave, eighth = divmod(i + MIN_STEP, PER_OCTAVE)
        # 2^(eighth / 8) with 40 bits of fraction, rounded down
        mantissa = math.isqrt(math.isqrt(math.isqrt(1 << (8 * 40 + eighth))))
        unit = max(octave, -14) - 10  # log2 of the spacing of float16 here
        shift = 40 - octave + unit  # at least 30; no ties, except for exact powers of two
        result[i] = math.ldexp((mantissa + (1 << (shift - 1))) >> shift, unit)
    result.flags.writeable = False
    return result


def step_values(step: NDArray[np.int32]) -> NDArray[np.float32]:
    """Bin widths of integer log2 steps (eighths, clamped to the table), float32."""
    clamped = np.clip(step, MIN_STEP, MAX_STEP)
    values: NDArray[np.float32] = step_table().astype(np.float32)[clamped - MIN_STEP]
    return values


def quantized(values: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.int32]:
    """Symbols round(values / step), ties to even, clamped to the limit; float32 throughout."""
    ratio = np.rint(values.astype(np.float32) / step)
    symbols: NDArray[np.int32] = np.clip(ratio, -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int32)
    return symbols


def dequantized(symbols: NDArray[np.int32], step: NDArray[np.float32]) -> NDArray[np.float16]:
    """float16(float32(symbol) * float32(step)), clamped to the largest finite float16."""
    values = symbols.astype(np.float32)
    values *= step
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

    Source: NVRC, section 3.2 and its code: an entry must serve at least 128 values.
    """
    rows, columns = matrix_shape(shape)
    if per_tensor or rows * columns == 0:
        return 1, 1
    return rows if columns >= share else 1, columns if rows >= share else 1


@dataclass(frozen=True)
class AxisPair:
    """One kind of phi of a layer: the value at (i, j) is rows[i] + columns[j].

    An axis without a vector has one entry. Where one axis, or both, have one entry, `columns` or
    else `rows` carries it all and the other is zero: sums have one spelling.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]

    @classmethod
    def of(cls, rows: NDArray[np.int32], columns: NDArray[np.int32], limit: int) -> "AxisPair":
        """The one spelling of any pair, clamped to +-limit."""
        if len(columns) == 1:
            rows, columns = rows + columns, np.zeros(1, np.int32)
        elif len(rows) == 1:
            rows, columns = np.zeros(1, np.int32), rows + columns
        return cls(np.clip(rows, -limit, limit), np.clip(columns, -limit, limit))

    @property
    def is_scalar(self) -> bool:
        """Whether one number says it all."""
        return len(self.rows) == len(self.columns) == 1

    def matrix(self) -> NDArray[np.int32]:
        """All sums, (rows or 1, columns or 1)."""
        total: NDArray[np.int32] = self.rows[:, None] + self.columns[None, :]
        return total


@dataclass(frozen=True)
class LayerTensor(CodedTensor):
    """A weight tensor as a matrix with bin widths, spreads and means along both axes.

    Source: NVRC, section 3.2 (dual-axis Gaussian). Differs: log2 values add up over the axes, as
    in the paper's product (its code averages); means add up instead of being scaled.
    """

    symbols: NDArray[np.int32]
    step: AxisPair
    """log2 of the bin width, eighths."""
    sigma: AxisPair
    """log2 of the spread in units of the weights, eighths."""
    mean: AxisPair
    """Sixteenths of a bin."""

    def sigma_index(self) -> NDArray[np.uint8]:
        """Index of the Gaussian table of every entry, (rows, columns), read-only."""
        width = np.clip(self.step.matrix(), MIN_STEP, MAX_STEP)
        index = np.clip(self.sigma.matrix() - width, MIN_SIGMA, MAX_SIGMA) - MIN_SIGMA
        return np.broadcast_to(index.astype(np.uint8), matrix_shape(self.spec.shape))

    def mean_symbols(self) -> NDArray[np.int32]:
        """Mean of every entry in whole bins, (rows, columns), read-only."""
        return np.broadcast_to(rounded_mean(self.mean.matrix()), matrix_shape(self.spec.shape))

    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values: one product in float32, rounded once."""
        matrix = self.symbols.reshape(matrix_shape(self.spec.shape))
        return dequantized(matrix, step_values(self.step.matrix())).reshape(self.spec.shape)

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols and phi."""
        yield self.symbols.astype("<i4").tobytes()
        for pair in (self.step, self.sigma, self.mean):
            yield pair.rows.astype("<i4").tobytes()
            yield pair.columns.astype("<i4").tobytes()


@dataclass(frozen=True)
class GridTensor(CodedTensor):
    """A feature grid (T, h, w, C) in blocks, under a context network or a Gaussian per channel."""

    symbols: NDArray[np.int32]
    block: tuple[int, int, int]
    step: NDArray[np.int32]
    """log2 of the bin width in eighths, per block and channel, or (1, 1, 1, C)."""
    network: ContextNetwork | None
    sigma: NDArray[np.int32] | None = None
    """Without a network: log2 of the spread in bins, eighths, (C,)."""
    mean: NDArray[np.int32] | None = None
    """Without a network: sixteenths of a bin, (C,)."""

    def sigma_index(self) -> NDArray[np.uint8]:
        """Without a network: index of the Gaussian table of every entry, read-only."""
        assert self.sigma is not None
        index = np.clip(self.sigma, MIN_SIGMA, MAX_SIGMA) - MIN_SIGMA
        return np.broadcast_to(index.astype(np.uint8), self.spec.shape)

    def mean_symbols(self) -> NDArray[np.int32]:
        """Without a network: mean of every entry in whole bins, read-only."""
        assert self.mean is not None
        return np.broadcast_to(rounded_mean(self.mean), self.spec.shape)

    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values: one product in float32, rounded once."""
        return dequantized(self.symbols, grid_step_values(self.step, self.spec.shape, self.block))

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols, steps, and whatever steers their probabilities."""
        yield self.symbols.astype("<i4").tobytes()
        yield self.step.astype("<i4").tobytes()
        if self.network is not None:
            yield from self.network.digest_parts()
        for array in (self.sigma, self.mean):
            if array is not None:
                yield array.astype("<i4").tobytes()


def num_blocks(shape: Sequence[int], block: Sequence[int]) -> tuple[int, int, int]:
    """Blocks along t, h and w; the last of an axis may be cut off."""
    t, h, w = (-(-n // b) for n, b in zip(shape[:3], block, strict=True))
    return t, h, w


def grid_step_values(
    step: NDArray[np.int32], shape: Sequence[int], block: Sequence[int]
) -> NDArray[np.float32]:
    """Bin widths of a grid, broadcastable to (T, h, w, C)."""
    values = step_values(step)
    if step.shape[:3] == (1, 1, 1):
        return values
    for axis, (n, b) in enumerate(zip(shape[:3], block, strict=True)):
        values = np.repeat(values, min(n, b), axis=axis)
        values = values[(slice(None),) * axis + (slice(n),)]
    return values
