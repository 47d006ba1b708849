"""How spread out a symbol is expected to be, from what is known around it: exact integers.

    magnitudes around  --x weights, summed--> m --log2--> x slope + level + ... --> spread index

    feature 0   mean of the four nearest             where the group before has them: groups 2, 3
            1   mean of the four diagonal ones       likewise: groups 1, 3
            2   the symbol of the next coarser tensor above it
            3   mean of the 3x3 around that
            4   mean of the 3x3 around it in earlier channels (`Grid.crosses`), and of these
            5   mean of the 3x3 around it in the texture of the references, in bins
            6   mean of the 3x3 around it in their residuals, in bins

All in 1/256, every division rounds down, and what lies outside counts as 0. A frame's residual is
its magnitudes times their bin widths; its texture is the larger of that and the mean texture of its
references, for each position: what moved here has edges where they had. Then, with the logarithm of
`lattice`,

    m       = (offset + sum of weights x features) >> 16, at least 1
    spread  = (32 level + (slope x log2 m >> 6) + 32 group + 32 depth + 16 >> 5) + 32, from 0 to 127

Weights, offsets (in halves of an octave, `lattice.weight_values`), slopes (1/64), levels, and what
groups and depths add (eighths of an octave) are stored; they differ by tensor, by what the layer is
(intra, one reference, two), and by class of channel, channel or group.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.latents.lattice import (
    LOG_BITS,
    MAX_WEIGHT,
    MIN_WEIGHT,
    WEIGHT_BITS,
    logarithms,
    weight_values,
)
from nvcodec.coding.latents.layout import GROUPS, Grid

NUM_FEATURES = 7
NUM_KINDS = 3
"""Of layers: no reference, one, two."""
NUM_DEPTHS = 8
FEATURE_BITS = 8
ORTHOGONAL = ((-1, 0), (1, 0), (0, -1), (0, 1))
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
SLOPE_BITS = 6

Integers = NDArray[np.int64]
Model = Mapping[str, Integers]
"""Stored numbers of one tensor, by the names of `FIELDS`."""


class Field(NamedTuple):
    """Range of one kind of stored number."""

    low: int
    high: int


FIELDS = {
    "weight": Field(MIN_WEIGHT, MAX_WEIGHT),
    "offset": Field(MIN_WEIGHT, MAX_WEIGHT),
    "slope": Field(0, 255),
    "level": Field(-128, 127),
    "group": Field(-64, 63),
    "depth": Field(-64, 63),
}
USUAL_WEIGHTS = {
    "motion": (-3, -7, -8, -8, -4, -7, -7),
    "base": (-3, -5, -7, -7, -7, -9, -9),
    "detail": (-2, -6, -9, -9, -6, -9, -9),
}
"""Of each feature, by the first word of a tensor's name."""
USUAL_LEVELS = {"motion": (0, -16, -16), "base": (20, -12, -12), "detail": (0, 0, 0)}
"""Of each kind of layer."""
USUAL_GROUPS = {"motion": (0, 0, 0, 0), "base": (0, 0, 0, 0), "detail": (3, 2, -3, -4)}
USUAL_OFFSET, USUAL_SLOPE, USUAL_DEPTH = -11, 60, 0


def usual_numbers(grid: Grid) -> dict[str, Integers]:
    """What a tensor's stored numbers are coded against: medians of what two clips had learned."""
    word = grid.name.partition(".")[0]
    usual = {
        "weight": np.array(USUAL_WEIGHTS[word]),
        "offset": np.array(USUAL_OFFSET),
        "slope": np.array(USUAL_SLOPE),
        "level": np.array(USUAL_LEVELS[word])[:, None],
        "group": np.array(USUAL_GROUPS[word]),
        "depth": np.array(USUAL_DEPTH),
    }
    return {
        name: np.broadcast_to(usual[name], shape).astype(np.int64, order="C")
        for name, shape in field_shapes(grid).items()
    }


def field_shapes(grid: Grid) -> dict[str, tuple[int, ...]]:
    """Shapes of a tensor's stored numbers, in the order in which they are stored."""
    classes = max(grid.classes) + 1
    return {
        "weight": (NUM_KINDS, classes, NUM_FEATURES),
        "offset": (NUM_KINDS, classes),
        "slope": (NUM_KINDS, classes),
        "level": (NUM_KINDS, grid.num_channels),
        "group": (NUM_KINDS, len(GROUPS)),
        "depth": (NUM_DEPTHS,),
    }


class Around(NamedTuple):
    """What is known around the symbols of a tensor, for all frames of a layer."""

    parent: Integers | None
    """Magnitudes of the next coarser tensor, (n, C', h', w'), and the means around them."""
    parent_means: Integers | None
    texture: Integers | None
    """Feature 5 of every position, (n, C, h, w); None without references."""
    residual: Integers | None


def box_means(values: Integers) -> Integers:
    """Mean of the 3x3 around each position of (..., h, w), zeros outside, in 1/256."""
    padded = _padded(values)
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    means: Integers = (sums << FEATURE_BITS) // 9
    return means


def features(
    grid: Grid, channel: int, group: int, known: Integers, means: Sequence[Integers], around: Around
) -> list[Integers | None]:
    """The features of one channel's positions of a group, each (n, rows, columns) or None.

    Args:
        grid: the tensor.
        channel: of it.
        group: of positions.
        known: magnitudes of the channel, (n, h, w), zero where not yet known.
        means: `box_means` of the channels before.
        around: what other tensors tell.
    """
    top, left = GROUPS[group]
    rows, columns = -(-(known.shape[1] - top) // 2), -(-(known.shape[2] - left) // 2)
    here = (slice(None), slice(top, None, 2), slice(left, None, 2))
    padded = _padded(known)

    def mean(offsets: Sequence[tuple[int, int]]) -> Integers:
        parts = [
            padded[
                :,
                1 + top + dy : top + dy + 2 * rows : 2,
                1 + left + dx : left + dx + 2 * columns : 2,
            ]
            for dy, dx in offsets
        ]
        total: Integers = sum(parts[1:], parts[0]) << (FEATURE_BITS - 2)
        return total

    found: list[Integers | None] = [None] * NUM_FEATURES
    if group >= 2:
        found[0] = mean(ORTHOGONAL)
    if group % 2:
        found[1] = mean(DIAGONAL)
    if around.parent is not None and around.parent_means is not None:
        found[2] = around.parent[:, channel, :rows, :columns] << FEATURE_BITS
        found[3] = around.parent_means[:, channel, :rows, :columns]
    crosses = grid.crosses[channel]
    if crosses:
        total = sum((means[c][here] for c in crosses[1:]), means[crosses[0]][here])
        found[4] = total // len(crosses)
    if around.texture is not None:
        found[5] = around.texture[:, channel][here]
    if around.residual is not None:
        found[6] = around.residual[:, channel][here]
    return found


def spread_indices(
    model: Model,
    grid: Grid,
    channel: int,
    group: int,
    kind: int,
    depth: int,
    found: Sequence[Integers | None],
    shape: tuple[int, ...],
) -> Integers:
    """Spread index of every symbol of a channel's group, of the given shape."""
    own = grid.classes[channel]
    total = np.full(shape, int(weight_values(model["offset"][kind, own])) << FEATURE_BITS, np.int64)
    weights = weight_values(model["weight"][kind, own])
    for weight, feature in zip(weights.tolist(), found, strict=True):
        if feature is not None:
            total += weight * feature
    logs = logarithms(np.maximum(total >> WEIGHT_BITS, 1)) - (FEATURE_BITS << LOG_BITS)
    constant = model["level"][kind, channel] + model["group"][kind, group] + model["depth"][depth]
    scaled = (int(model["slope"][kind, own]) * logs >> SLOPE_BITS) + (int(constant) << 5)
    indices: Integers = np.clip((scaled + 16 >> 5) + 32, 0, 127)
    return indices


def _padded(values: Integers) -> Integers:
    """Zeros around the last two axes."""
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(1, 1), (1, 1)])
