"""Tensors in integers whose bin widths, spreads and means ("phi" in NVRC) are integers too.

    LayerTensor   a matrix; phi along both axes
    GridTensor    a feature grid in blocks; widths a block, probabilities from a context network

Source: NVRC, sections 3.1 and 3.2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.context import ContextNetwork
from nvcodec.coding.hierarchical.gaussian import MAX_SIGMA, MIN_SIGMA
from nvcodec.coding.hierarchical.lattice import (
    MAX_LOG2_WIDTH,
    MIN_LOG2_WIDTH,
    dequantized,
    matrix_shape,
    rounded_mean,
    width_values,
)
from nvcodec.coding.parameters import CodedTensor


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

    Source: NVRC, section 3.2 (dual-axis Gaussian). Differs: means add up over the axes, as log2
    values do, instead of being scaled.
    """

    symbols: NDArray[np.int32]
    log2_width: AxisPair
    """log2 of the bin width, eighths."""
    sigma: AxisPair
    """log2 of the spread in units of the weights, eighths."""
    mean: AxisPair
    """Sixteenths of a bin."""

    def sigma_index(self) -> NDArray[np.uint8]:
        """Index of the Gaussian table of every entry, (rows, columns), read-only."""
        width = np.clip(self.log2_width.matrix(), MIN_LOG2_WIDTH, MAX_LOG2_WIDTH)
        index = np.clip(self.sigma.matrix() - width, MIN_SIGMA, MAX_SIGMA) - MIN_SIGMA
        return np.broadcast_to(index.astype(np.uint8), matrix_shape(self.spec.shape))

    def mean_symbols(self) -> NDArray[np.int32]:
        """Mean of every entry in whole bins, (rows, columns), read-only."""
        return np.broadcast_to(rounded_mean(self.mean.matrix()), matrix_shape(self.spec.shape))

    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values: one product in float32, rounded once."""
        matrix = self.symbols.reshape(matrix_shape(self.spec.shape))
        return dequantized(matrix, width_values(self.log2_width.matrix())).reshape(self.spec.shape)

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols and phi."""
        yield self.symbols.astype("<i4").tobytes()
        for pair in (self.log2_width, self.sigma, self.mean):
            yield pair.rows.astype("<i4").tobytes()
            yield pair.columns.astype("<i4").tobytes()


@dataclass(frozen=True)
class GridTensor(CodedTensor):
    """A feature grid (T, h, w, C) in blocks, under a context network or a Gaussian per channel."""

    symbols: NDArray[np.int32]
    block: tuple[int, int, int]
    log2_width: NDArray[np.int32]
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
        widths = grid_width_values(self.log2_width, self.spec.shape, self.block)
        return dequantized(self.symbols, widths)

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols, widths, and whatever steers their probabilities."""
        yield self.symbols.astype("<i4").tobytes()
        yield self.log2_width.astype("<i4").tobytes()
        if self.network is not None:
            yield from self.network.digest_parts()
        for array in (self.sigma, self.mean):
            if array is not None:
                yield array.astype("<i4").tobytes()


def num_blocks(shape: Sequence[int], block: Sequence[int]) -> tuple[int, int, int]:
    """Blocks along t, h and w; the last of an axis may be cut off."""
    t, h, w = (-(-n // b) for n, b in zip(shape[:3], block, strict=True))
    return t, h, w


def grid_width_values(
    log2_width: NDArray[np.int32], shape: Sequence[int], block: Sequence[int]
) -> NDArray[np.float32]:
    """Bin widths of a grid, broadcastable to (T, h, w, C)."""
    values = width_values(log2_width)
    if log2_width.shape[:3] == (1, 1, 1):
        return values
    for axis, (n, b) in enumerate(zip(shape[:3], block, strict=True)):
        values = np.repeat(values, min(n, b), axis=axis)
        values = values[(slice(None),) * axis + (slice(n),)]
    return values
