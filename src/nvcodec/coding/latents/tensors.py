"""What the scheme stores beside symbols, and tensors that carry it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.latents.contexts import (
    NUM_DEPTHS,
    NUM_KINDS,
    Integers,
    Model,
    usual_numbers,
)
from nvcodec.coding.latents.lattice import MAX_WIDTH, MIN_WIDTH
from nvcodec.coding.latents.layout import BANDS, Grid, Layout
from nvcodec.coding.parameters import QuantizedTensor
from nvcodec.hierarchy import layers

DEFAULT_SHAPE = 2
"""Laplace."""
NUM_PLANE_KINDS = 2
"""The first plane, and all others."""
MOTION_WIDTHS = (-16, -8, 0)
"""Indices of the bin widths of motion, finest grid first, the last for all coarser ones: a quarter,
half and a whole pixel."""


@dataclass(frozen=True)
class Coding:
    """Everything but the symbols, as integers; see `schemes.latents` for what they are."""

    shapes: Integers
    """(3,)"""
    depths: Integers
    """Bin widths by depth, (8,)."""
    offsets: Integers
    """(tensors of coefficients in coding order, 2)"""
    models: Mapping[str, Model]

    @classmethod
    def default(cls, layout: Layout, width: int = 0) -> "Coding":
        """One bin width, and contexts before anything is learned."""
        models = {grid.name: usual_numbers(grid) for grid in layout.grids}
        return cls(
            np.full(NUM_KINDS, DEFAULT_SHAPE, np.int64),
            np.full(NUM_DEPTHS, width, np.int64),
            np.zeros((len(layout.coefficients), NUM_PLANE_KINDS), np.int64),
            models,
        )

    def arrays(self) -> list[Integers]:
        """All numbers, in a fixed order."""
        numbers = [array for model in self.models.values() for array in model.values()]
        return [self.shapes, self.depths, self.offsets, *numbers]

    def flat(self) -> NDArray[np.float32]:
        """The same as one vector."""
        return np.concatenate([array.ravel() for array in self.arrays()]).astype(np.float32)

    @classmethod
    def unflattened(cls, layout: Layout, vector: NDArray[np.float32]) -> "Coding":
        """Inverse of `flat`.

        Raises:
            ValueError: another number of values.
        """
        like = cls.default(layout)
        sizes = [array.size for array in like.arrays()]
        if vector.shape != (sum(sizes),):
            raise ValueError(f"coding: {vector.shape} values, allowed: ({sum(sizes)},)")
        parts = iter(np.split(np.rint(vector).astype(np.int64), np.cumsum(sizes)[:-1]))
        shapes, depths, offsets = (
            next(parts).reshape(array.shape) for array in (like.shapes, like.depths, like.offsets)
        )
        models = {
            name: {field: next(parts).reshape(array.shape) for field, array in model.items()}
            for name, model in like.models.items()
        }
        return cls(shapes, depths, offsets, models)

    def width_indices(self, layout: Layout, anchor_every: int) -> dict[str, Integers]:
        """Of every tensor, (T, C, 1, 1); (1, 1, 1, 1) for motion; in the range of `lattice`."""
        depths = np.empty(layout.num_frames, np.int64)
        for layer in layers(layout.num_frames, anchor_every):
            depths[list(layer.frames)] = self.depths[min(layer.depth, NUM_DEPTHS - 1)]
        found = {
            grid.name: np.full((1, 1, 1, 1), motion_width(grid.scale), np.int64)
            for grid in layout.motion
        }
        for grid, offsets in zip(layout.coefficients, self.offsets, strict=True):
            own = depths[:, None] + offsets[plane_kinds(grid)]
            found[grid.name] = np.clip(own, MIN_WIDTH, MAX_WIDTH)[:, :, None, None]
        return found


def motion_width(scale: int) -> int:
    """Index of the bin width of a motion grid."""
    return MOTION_WIDTHS[min(scale, len(MOTION_WIDTHS) - 1)]


def plane_kinds(grid: Grid) -> list[int]:
    """Of each channel of a tensor of coefficients: 0 for the first plane, 1 for others."""
    bands = 1 if grid.name == "base" else BANDS
    return [min(channel // bands, 1) for channel in range(grid.num_channels)]


@dataclass(frozen=True)
class LatentTensor(QuantizedTensor):
    """Symbols and bin widths of one tensor, and how all of them are coded."""

    coding: Coding | None = None
