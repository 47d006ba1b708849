"""The scheme's contexts in floating point: what symbols cost, and how that changes with contexts.

The integers of `coding.latents.contexts`, feature by feature, for all symbols of some frames at
once, as a coder will have them: what is not yet known to it is masked.
"""

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.coding.cdf import SHAPE_EIGHTHS, SPREAD_OFFSET, TOTAL_BITS
from nvcodec.coding.latents.contexts import (
    DIAGONAL,
    FIELDS,
    NUM_FEATURES,
    ORTHOGONAL,
    Integers,
    Model,
    field_shapes,
    usual_numbers,
)
from nvcodec.coding.latents.layout import GROUPS, Grid, Layout
from nvcodec.coding.latents.symbols import ESCAPE

UNITS = {"weight": 2.0, "offset": 2.0, "slope": 64.0, "level": 8.0, "group": 8.0, "depth": 8.0}
"""Stored steps in one unit of what is learned: octaves, and slopes of 1."""


class Twin:
    """Learned numbers of every tensor, and the bits of symbols under them.

    Args:
        layout: of the tensors.
        learned: leaves by `FIELD.TENSOR`, as `start` makes them.
        shape: shape index of the tables.
    """

    def __init__(self, layout: Layout, learned: Mapping[str, Tensor], shape: int) -> None:
        self.layout, self.learned = layout, learned
        self.exponent = SHAPE_EIGHTHS[shape] / 8
        device = next((tensor.device for tensor in learned.values()), torch.device("cpu"))
        self._totals = _log2_totals(shape).to(device)
        self._usual = self.start(layout, device)

    @staticmethod
    def start(
        layout: Layout, device: torch.device, models: Mapping[str, Model] | None = None
    ) -> dict[str, Tensor]:
        """Numbers to begin with: the inverse of `stored`, or else the usual ones."""
        found = {}
        for grid in layout.grids:
            own = usual_numbers(grid) if models is None else models[grid.name]
            for name, numbers in own.items():
                values = torch.from_numpy(numbers / UNITS[name]).float()
                found[f"{name}.{grid.name}"] = values.to(device)
        return found

    def number_bits(self) -> Tensor:
        """About what the scheme needs for the numbers themselves."""
        bits = []
        for key, usual in self._usual.items():
            steps = (self.learned[key] - usual) * UNITS[key.partition(".")[0]]
            bits.append(2 * torch.log2(1 + steps.abs()).sum())
        return torch.stack(bits).sum()

    def stored(self) -> dict[str, dict[str, Integers]]:
        """The same as the integers that the scheme stores."""
        models: dict[str, dict[str, Integers]] = {}
        for grid in self.layout.grids:
            models[grid.name] = {}
            for name in field_shapes(grid):
                field, own = FIELDS[name], self.learned[f"{name}.{grid.name}"]
                steps = (own.detach() * UNITS[name]).round().clamp(field.low, field.high)
                models[grid.name][name] = steps.cpu().numpy().astype(np.int64)
        return models

    def spreads(
        self, grid: Grid, kind: int, depth: int, found: Sequence[Tensor | None], like: Tensor
    ) -> Tensor:
        """log2 of the spread of every symbol of a tensor, of the shape of `like` (n, C, h, w)."""

        def own(name: str) -> Tensor:
            return self.learned[f"{name}.{grid.name}"]

        classes = list(grid.classes[: like.shape[1]])
        weights = torch.exp2(own("weight")[kind])[classes]
        total = torch.exp2(own("offset")[kind])[classes][:, None, None].expand_as(like)
        for number, feature in enumerate(found):
            if feature is not None:
                total = total + weights[:, number, None, None] * feature
        slopes = own("slope")[kind][classes][:, None, None]
        levels = own("level")[kind][: like.shape[1], None, None] + own("depth")[depth]
        groups = own("group")[kind][group_of(like.shape[-2], like.shape[-1], like.device)]
        result: Tensor = levels + groups + slopes * torch.log2(total)
        return result

    def bits(self, symbols: Tensor, spreads: Tensor) -> Tensor:
        """Bits of each symbol, of any shape that broadcasts against the spreads."""
        place = (spreads * 8 + SPREAD_OFFSET).clamp(0, 126.99)
        lower = place.detach().floor()
        share, index = place - lower, lower.long()
        totals = torch.lerp(self._totals[index], self._totals[index + 1], share)
        ratio = torch.log2(symbols.abs().clamp(min=0.5)) - (place - SPREAD_OFFSET) / 8
        power = torch.exp2((self.exponent * ratio).clamp(max=math.log2(TOTAL_BITS)))
        return torch.where(symbols == 0, totals, power + totals).clamp(max=TOTAL_BITS)


@functools.cache
def _log2_totals(shape: int) -> Tensor:
    """log2 of the sum of 2^-((|k| / a)^b) over all symbols, for each spread index."""
    magnitudes = torch.arange(ESCAPE, -ESCAPE).abs().double()
    octaves = (torch.arange(128).double() - SPREAD_OFFSET) / 8
    ratios = magnitudes / torch.exp2(octaves)[:, None]
    powers = torch.exp2(-(ratios ** (SHAPE_EIGHTHS[shape] / 8)))
    return torch.log2(powers.sum(dim=1)).float()


@functools.lru_cache(maxsize=64)
def group_of(height: int, width: int, device: torch.device) -> Tensor:
    """Group of every position, (h, w)."""
    pattern = torch.empty(2, 2, dtype=torch.int64)
    for group, place in enumerate(GROUPS):
        pattern[place] = group
    return pattern.repeat(-(-height // 2), -(-width // 2))[:height, :width].to(device)


def box_means(values: Tensor) -> Tensor:
    """Mean of the 3x3 around each position of (n, C, h, w), zeros outside."""
    return F.avg_pool2d(values, 3, stride=1, padding=1)


def features(
    grid: Grid,
    magnitudes: Tensor,
    parent: Tensor | None,
    texture: Tensor | None,
    residual: Tensor | None,
) -> list[Tensor | None]:
    """The features of every symbol, (n, C, h, w) or None.

    Args:
        grid: the tensor.
        magnitudes: (n, C, h, w) of the channels that are coded.
        parent: of the next coarser tensor.
        texture: that of the references, in bins, and not yet averaged.
        residual: likewise.
    """
    height, width = magnitudes.shape[-2:]
    groups = group_of(height, width, magnitudes.device)
    padded = F.pad(magnitudes, (1, 1, 1, 1))

    def mean(offsets: Sequence[tuple[int, int]]) -> Tensor:
        parts = [padded[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in offsets]
        return sum(parts[1:], parts[0]) / len(offsets)

    found: list[Tensor | None] = [None] * NUM_FEATURES
    found[0] = mean(ORTHOGONAL) * (groups >= 2)
    found[1] = mean(DIAGONAL) * (groups % 2)
    if parent is not None:
        own = parent[:, : magnitudes.shape[1]]
        found[2] = _doubled(own, height, width)
        found[3] = _doubled(box_means(own), height, width)
    means = box_means(magnitudes)
    crosses = [
        means[:, list(seen)].mean(dim=1) if seen else torch.zeros_like(means[:, 0])
        for seen in grid.crosses[: magnitudes.shape[1]]
    ]
    found[4] = torch.stack(crosses, dim=1)
    found[5] = None if texture is None else box_means(texture)
    found[6] = None if residual is None else box_means(residual)
    return found


def _doubled(values: Tensor, height: int, width: int) -> Tensor:
    """Each position as four."""
    both = values.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return both[..., :height, :width]
