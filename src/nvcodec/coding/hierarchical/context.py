"""The context model of feature grids: a small causal network in exact integers.

    symbols already known, (C, positions, blocks)
          | clamped to +-127, strictly earlier neighbours inside the block
          v
    layer 1 --ReLU--> layer 2 --ReLU--> ... --> mean (bins) and sigma index, per symbol

A grid (T, h, w, C) is cut into blocks that know nothing of each other. Every channel has a network
of its own (or all share one) and sees only itself. Positions of a block come in raster order of
(t, h, w); layer 1 sees the strictly earlier ones inside its kernel, later layers also the position
itself; what lies outside the block or the grid counts as 0, in every layer.

The integers, with rshift(x, n) = floor(x / 2^n + 1/2) for any n, of either sign:

    weight    q = round(w 2^e), -127 to 127, one exponent e for each layer, -8 to 12:
              the largest that keeps max|q| in `context_weight_bits`
    bias      b in 1/16, -1023 to 1023; B = rshift(b, 4 - e - f)
    sum       acc = sum(q x) + B, with f = 0 fractional bits in x for layer 1 and 4 afterwards
    hidden    min(max(rshift(acc, e + f - 4), 0), 127): 4 fractional bits
    output 0  mean = rshift(acc, e + f), clamped to +-127: whole bins
    output 1  log2 of sigma in eighths = rshift(acc, e + f - 3), clamped to -24..64

Every sum of magnitudes stays below 2^24 (2^53), so that float32 (float64) matrix products are exact
in any order of summation.

Wavefronts: with r the largest radius of the kernels, all positions with the same w + (r + 1) h +
(r + 1)^2 t depend on smaller ones only and are coded together.

Source: NVRC, section 3.1. Differs: integers; symbols instead of de-quantized values as input; ReLU
without layer norm; one network a channel; kernels (5, 1, 1) by default, which need no cached hidden
layers.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.gaussian import MAX_SIGMA, MIN_SIGMA

VALUE_LIMIT = 127
"""Largest magnitude of an input, a weight, a hidden value or a mean."""
HIDDEN_BITS = 4
"""Fractional bits of hidden values and of biases."""
BIAS_LIMIT = 1023
MIN_EXPONENT = -8
MAX_EXPONENT = 12
NUM_OUTPUTS = 2
_SIGMA_BITS = 3  # log2 of the table's sigmas an octave
_GATHER_SIZE = 1 << 20  # contexts gathered at once, entries

Position = tuple[int, int, int]


def taps(kernel: int, is_first: bool) -> list[Position]:
    """Offsets (t, h, w) that a layer sees, in raster order.

    All before (0, 0, 0) within a cubic kernel; (0, 0, 0) itself comes last except in layer 1. A
    kernel of 5 has 62 in layer 1 and 63 later, a kernel of 3 has 13 and 14.
    """
    radius = kernel // 2
    axis = range(-radius, radius + 1)
    return [p for p in itertools.product(axis, axis, axis) if p < (0, 0, int(not is_first))]


def layer_shapes(kernels: Sequence[int], width: int, groups: int) -> list[tuple[int, ...]]:
    """Weight shapes (groups, out, in, taps) of every layer; a bias has the first two axes."""
    ends = [1, *[width] * (len(kernels) - 1), NUM_OUTPUTS]
    return [
        (groups, ends[i + 1], ends[i], len(taps(kernel, i == 0)))
        for i, kernel in enumerate(kernels)
    ]


def weight_exponent(weights: NDArray[Any], bits: int = 8) -> int:
    """Largest e from -8 to 12 with max|w| 2^e <= 2^(bits - 1) - 1; 12 for zeros."""
    peak = float(np.abs(weights).max(initial=0))
    for exponent in range(MAX_EXPONENT, MIN_EXPONENT, -1):
        if math.ldexp(peak, exponent) <= (1 << (bits - 1)) - 1:
            return exponent
    return MIN_EXPONENT


def round_shift(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """floor(values / 2^bits + 1/2); bits may be negative."""
    if bits <= 0:
        return values << -bits
    return (values + (1 << (bits - 1))) >> bits


@dataclass(frozen=True)
class ContextNetwork:
    """Integer weights of one grid's network."""

    kernels: tuple[int, ...]
    exponents: tuple[int, ...]
    weights: tuple[NDArray[np.int32], ...]
    """Per layer (G, out, in, taps), G = C or 1."""
    biases: tuple[NDArray[np.int32], ...]
    """Per layer (G, out), in 1/16."""

    @classmethod
    def of(
        cls,
        kernels: Sequence[int],
        weights: Sequence[NDArray[np.float32]],
        biases: Sequence[NDArray[np.float32]],
        weight_bits: int = 8,
    ) -> "ContextNetwork":
        """Rounded from real weights and biases, ties to even."""
        exponents = tuple(weight_exponent(w, weight_bits) for w in weights)
        rounded = [
            np.rint(np.ldexp(w.astype(np.float64), e))
            for w, e in zip(weights, exponents, strict=True)
        ]
        scaled = [np.rint(np.ldexp(b.astype(np.float64), HIDDEN_BITS)) for b in biases]
        return cls(
            tuple(kernels),
            exponents,
            tuple(np.clip(w, -VALUE_LIMIT, VALUE_LIMIT).astype(np.int32) for w in rounded),
            tuple(np.clip(b, -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32) for b in scaled),
        )

    def digest_parts(self) -> Iterator[bytes]:
        """Every integer."""
        yield np.array(self.exponents, "<i4").tobytes()
        for array in (*self.weights, *self.biases):
            yield array.astype("<i4").tobytes()

    @property
    def radius(self) -> int:
        """Largest radius of the kernels."""
        return max(self.kernels) // 2

    def scaled_bias(self, layer: int) -> NDArray[np.int64]:
        """B of a layer, in units of its sums, (G, out)."""
        shift = HIDDEN_BITS - self.exponents[layer] - _fraction_bits(layer)
        return round_shift(self.biases[layer].astype(np.int64), shift)

    def output_shifts(self, layer: int) -> list[int]:
        """Right shift of each output of a layer."""
        point = self.exponents[layer] + _fraction_bits(layer)
        if layer == len(self.kernels) - 1:
            return [point, point - _SIGMA_BITS]
        return [point - HIDDEN_BITS] * self.weights[layer].shape[1]

    def dtype(self) -> type[np.float32] | type[np.float64]:
        """The narrowest float type in which all sums are exact."""
        largest = 0
        for i, weights in enumerate(self.weights):
            peak = int(np.abs(weights).sum(axis=(2, 3)).max(initial=0)) * VALUE_LIMIT
            half = 1 << max(*self.output_shifts(i), 1)
            bias = int(np.abs(self.scaled_bias(i)).max(initial=0))
            largest = max(largest, peak + bias + half)
        assert largest < 1 << 53, largest
        return np.float32 if largest < 1 << 24 else np.float64


def _fraction_bits(layer: int) -> int:
    """Fractional bits of the values that go into a layer."""
    return HIDDEN_BITS if layer else 0


@functools.lru_cache(maxsize=16)
def wavefronts(block: Position, radius: int) -> tuple[NDArray[np.intp], ...]:
    """Raster positions of a block, step by step; ascending inside a step."""
    t, h, w = np.indices(block).reshape(3, -1)
    step = w + (radius + 1) * h + (radius + 1) ** 2 * t
    order = np.argsort(step, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(step[order])) + 1))


class Blocks:
    """How a grid (T, h, w, C) is cut: arrays (C, positions, blocks) and back.

    A block that is longer than the grid is cut to the grid; positions that stick out at the end of
    an axis exist in the arrays and are never coded.
    """

    def __init__(self, shape: Sequence[int], block: Sequence[int]) -> None:
        t, h, w, self.num_channels = shape
        self.shape = (t, h, w)
        sizes = [max(1, min(n, b)) for n, b in zip(self.shape, block, strict=True)]
        self.block: Position = (sizes[0], sizes[1], sizes[2])
        self.counts = [-(-n // b) for n, b in zip(self.shape, self.block, strict=True)]
        self.num_positions = math.prod(self.block)
        self.num_blocks = math.prod(self.counts)

    def split(self, grid: NDArray[np.int32]) -> NDArray[np.int32]:
        """(T, h, w, C) to (C, positions, blocks), zeros outside the grid."""
        counts, block = self.counts, self.block
        ends = [(0, k * b - n) for k, b, n in zip(counts, block, self.shape, strict=True)]
        padded = np.pad(grid, [*ends, (0, 0)])
        channels = grid.shape[3]
        cut = padded.reshape(
            counts[0], block[0], counts[1], block[1], counts[2], block[2], channels
        )
        moved = cut.transpose(6, 1, 3, 5, 0, 2, 4)
        return np.ascontiguousarray(moved).reshape(channels, self.num_positions, self.num_blocks)

    def join(self, arrays: NDArray[np.int32]) -> NDArray[np.int32]:
        """Inverse of `split`."""
        counts, block = self.counts, self.block
        cut = arrays.reshape(self.num_channels, *block, *counts).transpose(4, 1, 5, 2, 6, 3, 0)
        ends = [k * b for k, b in zip(counts, block, strict=True)]
        t, h, w = self.shape
        return np.ascontiguousarray(cut.reshape(*ends, self.num_channels)[:t, :h, :w])

    def inside(self) -> NDArray[np.bool_]:
        """Which positions of which blocks lie in the grid, (positions, blocks)."""
        inside: NDArray[np.bool_] = self.split(np.ones((*self.shape, 1), np.int32))[0] > 0
        return inside


class Predictor:
    """Means and sigma indices of a grid, position by position, from the symbols known so far."""

    def __init__(self, network: ContextNetwork, blocks: Blocks) -> None:
        self._blocks = blocks
        self._network = network
        radius = network.radius
        self._dtype = dtype = network.dtype()
        t, h, w = blocks.block
        # room for taps that reach out of the block: nothing follows along t
        padded = (t + radius, h + 2 * radius, w + 2 * radius)
        self._strides = (padded[1] * padded[2], padded[2], 1)
        at = np.indices(blocks.block).reshape(3, -1) + radius
        self._places = np.asarray(np.dot(self._strides, at), np.intp)
        rows = (blocks.num_channels, math.prod(padded))
        self._symbols = np.zeros((*rows, blocks.num_blocks), dtype)
        self._hidden = [
            np.zeros((*rows, network.weights[i].shape[1], blocks.num_blocks), dtype)
            for i in range(len(network.kernels) - 1)
            if network.kernels[i + 1] > 1
        ]
        inside = blocks.inside()
        self._inside = None if inside.all() else inside.astype(dtype)
        self._layers = [self._layer(i) for i in range(len(network.kernels))]

    @staticmethod
    def num_bytes(kernels: Sequence[int], width: int, blocks: Blocks) -> int:
        """Memory that a predictor may need, about."""
        radius = max(kernels) // 2
        padded = math.prod(b + 2 * radius for b in blocks.block)
        arrays = 2 + width * sum(kernel > 1 for kernel in kernels[1:])
        wavefront = min(blocks.block[0] * blocks.block[1], blocks.num_positions)
        gathered = wavefront * width * max(kernels) ** 3
        return 8 * blocks.num_blocks * (arrays * padded * blocks.num_channels + gathered)

    def _layer(self, i: int) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Tap offsets; weights (G, 1, out, taps * in) and bias (G, 1, out, 1), scaled.

        Divided by 2^shift, a power of two, which leaves float arithmetic as exact as on integers;
        the bias brings the half that makes a floor a rounding.
        """
        network = self._network
        offsets = np.dot(taps(network.kernels[i], i == 0), self._strides)
        shifts = np.array(network.output_shifts(i))
        weights = network.weights[i].transpose(0, 1, 3, 2)  # (G, out, taps, in)
        flat = weights.reshape(*weights.shape[:2], -1).astype(np.float64)
        flat = np.ldexp(flat, -shifts[:, None])[:, None]
        bias = np.ldexp(network.scaled_bias(i).astype(np.float64), -shifts)
        bias += np.where(shifts > 0, 0.5, 0)
        return (
            np.asarray(offsets, np.intp),
            np.ascontiguousarray(flat, self._dtype),
            np.ascontiguousarray(bias[:, None, :, None], self._dtype),
        )

    def fill(self, positions: NDArray[np.intp], symbols: NDArray[np.int32]) -> None:
        """Make symbols known: (C, len(positions), blocks), 0 outside the grid."""
        clamped = np.clip(symbols, -VALUE_LIMIT, VALUE_LIMIT)
        self._symbols[:, self._places[positions]] = clamped

    def predict(self, positions: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Means (bins) and sigma indices, (C, len(positions), blocks) each.

        The positions must be of one wavefront or follow in the order of wavefronts; all wavefronts
        before must have been predicted, and all symbols before be known.
        """
        num_channels, num_blocks = self._blocks.num_channels, self._blocks.num_blocks
        output = np.empty((num_channels, len(positions), NUM_OUTPUTS, num_blocks), self._dtype)
        largest = max(layer[1].shape[-1] for layer in self._layers)
        channels = max(1, _GATHER_SIZE // (len(positions) * largest * num_blocks))
        for start in range(0, num_channels, channels):
            part = slice(start, min(start + channels, num_channels))
            self._predict(positions, part, output[part])
        low = np.array([-VALUE_LIMIT, MIN_SIGMA], self._dtype)[:, None]
        high = np.array([VALUE_LIMIT, MAX_SIGMA], self._dtype)[:, None]
        np.clip(output, low, high, out=output)
        return output[:, :, 0].astype(np.int32), (output[:, :, 1] - MIN_SIGMA).astype(np.uint8)

    def _predict(self, positions: NDArray[np.intp], part: slice, output: NDArray[Any]) -> None:
        places = self._places[positions]
        hidden = iter(self._hidden)
        source = self._symbols[part][:, :, None]  # (C, places, in, blocks)
        values: NDArray[Any] = np.empty(0)
        last = len(self._layers) - 1
        for i, (offsets, weights, bias) in enumerate(self._layers):
            group = part if weights.shape[0] > 1 else slice(None)
            if i == 0 or self._network.kernels[i] > 1:
                if i > 0:
                    source = next(hidden)[part]
                    source[:, places] = values
                values = source.take(places[:, None] + offsets, axis=1, mode="clip")
                values = values.reshape(*values.shape[:2], -1, values.shape[-1])
            values = np.matmul(weights[group], values, out=output if i == last else None)
            values += bias[group]
            np.floor(values, out=values)
            if i < last:
                np.clip(values, 0, VALUE_LIMIT, out=values)
                if self._inside is not None and self._network.kernels[i + 1] > 1:
                    values *= self._inside[positions][:, None]
