"""The scheme `hierarchical`: side information, layers under Gaussians, grids ("hierarchical")."""

from math import prod
from typing import Any

import numpy as np

from independent.context import ContextGrid, Network, decode_grids
from independent.gaussian import decode_residuals
from independent.schemes import Sections, own, signed_symbols
from independent.streams import BitReader, ByteReader, RangeDecoder
from independent.tables import equal, read_table
from independent.tensors import Spec, Tensor, half, widths_from_log2

DEFAULTS = {
    "share": 128,
    "context_kernels": [5, 1, 1],
    "context_width": 8,
    "context_shared": False,
    "block": [16, 8, 8],
    "width_per_block": True,
    "per_tensor": False,
    "context": True,
    "phi_coded": True,
}
BATCH = 2**20


class Side:
    """The streams of side information, and arrays from them."""

    def __init__(self, qscl: bytes, entp: bytes, phi_coded: bool) -> None:
        source = ByteReader(entp)
        self.psi = BitReader(source.take(source.varint()))
        self.qscl, self.entp = RangeDecoder(qscl), RangeDecoder(source.rest())
        self.phi_coded = phi_coded

    def array(self, stream: RangeDecoder, *shape: int) -> np.ndarray:
        count = prod(shape)
        if count == 0:
            return np.zeros(shape, np.int32)
        if not self.phi_coded:
            found = np.array(stream.symbols(equal(65536), count), np.int32) - 32768
        else:
            found = np.full(count, self.psi.signed(4), np.int32)
            d = self.psi.take(4)
            if d > 0:
                found += signed_symbols(stream, read_table(self.psi, d), count)
        return found.reshape(shape)


class Layer:
    """A matrix: rows' and columns' vectors of log2 widths, log2 sigmas and means."""

    def __init__(self, spec: Spec, settings: dict[str, Any]) -> None:
        self.spec = spec
        rows, columns = self.sides = (spec.shape[0], prod(spec.shape[1:]))
        vectors, share = not settings["per_tensor"], settings["share"]
        self.num_rows = rows if vectors and columns >= share else 0
        self.num_columns = columns if vectors and rows >= share else 0
        self.alone = self.num_rows <= 1 and self.num_columns <= 1
        self.vectors = [np.zeros(1, np.int32) for _ in range(6)]  # rows', columns' of each kind

    def read(self, side: Side) -> None:
        for kind, stream in enumerate((side.qscl, side.entp, side.entp)):
            if self.num_rows > 1:
                self.vectors[2 * kind] = side.array(stream, self.num_rows)
            if self.num_columns > 1:
                self.vectors[2 * kind + 1] = side.array(stream, self.num_columns)

    def sums(self, kind: int) -> np.ndarray:
        """Log2 widths (0), log2 sigmas (1) or means (2) of all entries, row-major."""
        rows, columns = self.vectors[2 * kind : 2 * kind + 2]
        return np.broadcast_to(rows[:, None] + columns, self.sides).ravel()

    def tensor(self, symbols: np.ndarray) -> Tensor:
        symbols = symbols.astype(np.int32).reshape(self.spec.shape)
        widths = widths_from_log2(self.sums(0)).reshape(self.spec.shape)
        values = half(symbols.astype(np.float32) * widths.astype(np.float32))
        return Tensor([symbols, *self.vectors], values)


class Grid:
    """A grid (T, h, w, C): bin widths of its blocks, and how its symbols are predicted."""

    def __init__(self, spec: Spec, settings: dict[str, Any], side: Side) -> None:
        self.spec = spec
        *space, channels = spec.shape
        self.block = [min(pair) for pair in zip(settings["block"], space, strict=True)]
        counts = [-(-n // b) for n, b in zip(space, self.block, strict=True)]
        self.widths = side.array(
            side.qscl, *(counts if settings["width_per_block"] else [1, 1, 1]), channels
        )
        if settings["context"]:
            network = Network(channels, settings, side)
            self.model = ContextGrid(spec.shape, self.block, network)
            self.arrays = network.arrays()
        else:
            self.arrays = [side.array(side.entp, channels) for _ in ("sigmas", "means")]

    def tensor(self, symbols: np.ndarray) -> Tensor:
        widths = self.widths
        if widths.shape[:3] != (1, 1, 1):
            for axis, b in enumerate(self.block):
                widths = np.repeat(widths, b, axis)
        t, h, w, _ = self.spec.shape
        scale = widths_from_log2(widths[:t, :h, :w]).astype(np.float32)
        symbols = symbols.astype(np.int32).reshape(self.spec.shape)
        values = half(symbols.astype(np.float32) * scale)
        return Tensor([symbols, self.widths, *self.arrays], values)


def decode_static(
    stream: RangeDecoder, sigmas: list[np.ndarray], means: list[np.ndarray]
) -> list[np.ndarray]:
    """Symbols of several tensors, one after the other, in batches."""
    if not sigmas:
        return []
    indices = np.clip(np.concatenate(sigmas), -24, 64) + 24
    batches = [indices[i : i + BATCH] for i in range(0, len(indices), BATCH)]
    residuals = np.concatenate([decode_residuals(stream, batch) for batch in batches])
    symbols = (np.concatenate(means).astype(np.int64) + 8 >> 4) + residuals
    return np.split(symbols, np.cumsum([len(part) for part in sigmas])[:-1])


def hierarchical(specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> list[Tensor]:
    settings = DEFAULTS | settings
    gridstream, laystream, qscl, entp = own(sections, "GRID", "LAYR", "QSCL", "ENTP")
    side = Side(qscl, entp, settings["phi_coded"])
    is_grid = [s.role == "grid" and len(s.shape) == 4 and s.size > 0 for s in specs]
    grids = [Grid(s, settings, side) for s, yes in zip(specs, is_grid, strict=True) if yes]
    layers = [Layer(s, settings) for s, yes in zip(specs, is_grid, strict=True) if not yes]
    for layer in layers:
        layer.read(side)
    alone = [layer for layer in layers if layer.alone]
    widths, spreads, means = (
        side.array(stream, len(alone)) for stream in (side.qscl, side.entp, side.entp)
    )
    for i, layer in enumerate(alone):
        layer.vectors[0::2] = [widths[i : i + 1], (widths + spreads)[i : i + 1], means[i : i + 1]]
    side.psi.end()

    stream = RangeDecoder(gridstream)
    if settings["context"]:
        decode_grids(stream, [grid.model for grid in grids])
        symbols = [grid.model.symbols for grid in grids]
    else:
        both = [
            [np.broadcast_to(array, grid.spec.shape).ravel() for array in grid.arrays]
            for grid in grids
        ]
        symbols = decode_static(stream, [sigmas for sigmas, _ in both], [m for _, m in both])
    found = {g.spec.name: g.tensor(s) for g, s in zip(grids, symbols, strict=True)}

    sigmas = [layer.sums(1) - np.clip(layer.sums(0), -160, 120) for layer in layers]
    symbols = decode_static(RangeDecoder(laystream), sigmas, [layer.sums(2) for layer in layers])
    found |= {y.spec.name: y.tensor(s) for y, s in zip(layers, symbols, strict=True)}
    return [found[spec.name] for spec in specs]
