"""Symbols in the order of `layout`, each under the table that its spread index names.

In each group of positions, symbols are coded table by table, tables rising, under one table in
raster order of (frame, row, column). A table is `cdf.parametric_table` of 8 bits; its lowest entry,
-128, is an escape: after the symbols of that table follow, for each escape, 16 bits of the symbol
plus 32768.
"""

import abc
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.cdf import TOTAL_BITS, parametric_table, uniform_table
from nvcodec.coding.latents.contexts import (
    NUM_DEPTHS,
    Around,
    Integers,
    Model,
    box_means,
    features,
    spread_indices,
)
from nvcodec.coding.latents.layout import GROUPS, Grid, Layout
from nvcodec.coding.range_coder import Model as Table
from nvcodec.coding.range_coder import RangeDecoder, RangeEncoder
from nvcodec.hierarchy import Layer, layers

SYMBOL_BITS = 8
ESCAPE = -(1 << SYMBOL_BITS - 1)
LIMIT = (1 << 15) - 1
"""Largest magnitude of a symbol."""
MOST = 1 << 23
"""Largest feature of references."""
Symbols = Mapping[str, NDArray[np.int32]]


@functools.lru_cache(maxsize=1024)
def _table(shape: int, spread: int) -> Table:
    return Table(parametric_table(shape, spread, SYMBOL_BITS))


@functools.lru_cache(maxsize=1024)
def _table_bits(shape: int, spread: int) -> NDArray[np.float64]:
    bits: NDArray[np.float64] = TOTAL_BITS - np.log2(parametric_table(shape, spread, SYMBOL_BITS))
    return bits


@functools.cache
def _half() -> Table:
    return Table(uniform_table(8))


class SymbolCoder(abc.ABC):
    """What becomes of the symbols of one group: written, read, or counted."""

    @abc.abstractmethod
    def code(self, spreads: Integers, shape: int, symbols: Integers) -> Integers:
        """Symbols of any shape under tables of a shape index; gives them as a decoder has them."""


class SymbolWriter(SymbolCoder):
    """Appends them to a stream."""

    def __init__(self) -> None:
        self._encoder = RangeEncoder()

    def code(self, spreads: Integers, shape: int, symbols: Integers) -> Integers:
        """Write them."""
        for spread, chosen in _by_table(spreads):
            entries, escapes = _split(symbols.ravel()[chosen])
            self._encoder.encode(entries, _table(shape, spread))
            raw = escapes + LIMIT + 1
            self._encoder.encode(np.stack([raw >> 8, raw & 255], axis=-1), _half())
        return symbols

    def finish(self) -> bytes:
        """The stream."""
        return self._encoder.finish()


class SymbolReader(SymbolCoder):
    """Takes them from a stream."""

    def __init__(self, data: bytes, where: str) -> None:
        self._decoder = RangeDecoder(data, where)

    def code(self, spreads: Integers, shape: int, symbols: Integers) -> Integers:
        """Read them; those given do not matter."""
        found = np.empty(spreads.size, np.int64)
        for spread, chosen in _by_table(spreads):
            own = self._decoder.decode(len(chosen), _table(shape, spread)).astype(np.int64) + ESCAPE
            escaped = np.flatnonzero(own == ESCAPE)
            if escaped.size:
                halves = self._decoder.decode(2 * escaped.size, _half()).astype(np.int64)
                own[escaped] = (halves[::2] << 8 | halves[1::2]) - LIMIT - 1
            found[chosen] = own
        return found.reshape(spreads.shape)

    def finish(self) -> None:
        """Check that the stream is the one that holds what was read."""
        self._decoder.finish()


class SymbolCounter(SymbolCoder):
    """Counts the bits that they take."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, spreads: Integers, shape: int, symbols: Integers) -> Integers:
        """Count them."""
        for spread, chosen in _by_table(spreads):
            entries, escapes = _split(symbols.ravel()[chosen])
            self.bits += float(_table_bits(shape, spread)[entries].sum()) + 16 * escapes.size
        return symbols


def _split(symbols: Integers) -> tuple[Integers, Integers]:
    """Entries of a table, and the symbols that it has no entry for."""
    escaped = np.abs(symbols) >= -ESCAPE
    return np.where(escaped, ESCAPE, symbols) - ESCAPE, symbols[escaped]


def _by_table(spreads: Integers) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Spread indices that occur, rising, and where."""
    flat = spreads.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=1)
    ends = np.cumsum(counts)
    for spread in np.flatnonzero(counts).tolist():
        yield spread, order[ends[spread] - counts[spread] : ends[spread]]


class Pixels(NamedTuple):
    """What later frames see of a coefficient tensor of one frame, in units of `lattice`."""

    residual: Integers
    texture: Integers


class Walk:
    """One pass over the symbols of a segment.

    Args:
        layout: of its tensors.
        anchor_every: of the hierarchy.
        models: stored numbers, by tensor.
        shapes: shape index of the tables, by what a layer is: no reference, one, two.
        widths: bin widths of coefficients in units of `lattice`, (T, C, 1, 1) by tensor.
    """

    def __init__(
        self,
        layout: Layout,
        anchor_every: int,
        models: Mapping[str, Model],
        shapes: Sequence[int],
        widths: Mapping[str, Integers],
    ) -> None:
        self._layout, self._models, self._shapes, self._widths = layout, models, shapes, widths
        self._layers = layers(layout.num_frames, anchor_every)
        self._pixels: dict[int, dict[str, Pixels]] = {}

    def run(self, motion: SymbolCoder, coefficients: SymbolCoder, symbols: Symbols) -> None:
        """Code all symbols, of motion and of the rest; a reader's are set in place."""
        uses = {
            frame: number
            for number, layer in enumerate(self._layers)
            for references in layer.references
            for frame in references
        }
        for number, layer in enumerate(self._layers):
            self._code_layer(motion, coefficients, symbols, layer)
            for frame in [f for f in self._pixels if uses.get(f, -1) <= number]:
                del self._pixels[frame]

    def _code_layer(
        self, motion: SymbolCoder, coefficients: SymbolCoder, symbols: Symbols, layer: Layer
    ) -> None:
        kind, frames = len(layer.references[0]), list(layer.frames)
        magnitudes: dict[str, Integers] = {}
        for grid, num_channels in self._layout.coded(kind):
            coder = motion if grid.is_motion else coefficients
            own = symbols[grid.name][frames].astype(np.int64)
            around = self._around(grid, layer, magnitudes)
            known = np.zeros_like(own)
            means: list[Integers] = []
            for channel in range(num_channels):
                for group, (top, left) in enumerate(GROUPS):
                    here = (slice(None), channel, slice(top, None, 2), slice(left, None, 2))
                    if not own[here].size:
                        continue
                    found = features(grid, channel, group, known[:, channel], means, around)
                    spreads = spread_indices(
                        self._models[grid.name], grid, channel, group, kind,
                        min(layer.depth, NUM_DEPTHS - 1), found, own[here].shape,
                    )  # fmt: skip
                    own[here] = coder.code(spreads, self._shapes[kind], own[here])
                    known[here] = np.abs(own[here])
                means.append(box_means(known[:, channel]))
            magnitudes[grid.name] = known
            symbols[grid.name][frames] = own
        self._remember(layer, magnitudes)

    def _around(self, grid: Grid, layer: Layer, magnitudes: Mapping[str, Integers]) -> Around:
        parent = magnitudes[grid.parent] if grid.parent else None
        means = None if parent is None else box_means(parent)
        if grid.is_motion or not layer.references[0]:
            return Around(parent, means, None, None)
        widths = self._widths[grid.name][list(layer.frames)]
        seen = [[self._pixels[r][grid.name] for r in refs] for refs in layer.references]

        def feature(name: str) -> Integers:
            values = np.stack([_mean([getattr(one, name) for one in refs]) for refs in seen])
            bins: Integers = np.minimum(box_means(values) // widths, MOST)
            return bins

        return Around(parent, means, feature("texture"), feature("residual"))

    def _remember(self, layer: Layer, magnitudes: Mapping[str, Integers]) -> None:
        for n, (frame, references) in enumerate(zip(layer.frames, layer.references, strict=True)):
            own: dict[str, Pixels] = {}
            for name, found in magnitudes.items():
                if name.startswith("motion"):
                    continue
                residual = found[n] * self._widths[name][frame]
                texture = residual
                if references:
                    before = _mean([self._pixels[r][name].texture for r in references])
                    texture = np.maximum(residual, before)
                own[name] = Pixels(residual, texture)
            self._pixels[frame] = own


def _mean(values: Sequence[Integers]) -> Integers:
    """Of one or two, rounded down."""
    mean: Integers = np.sum(values, axis=0) >> (len(values) - 1)
    return mean
