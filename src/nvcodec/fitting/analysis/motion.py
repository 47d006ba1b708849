"""Motion of a frame by search: coarse to fine for each reference, then by what it costs and saves.

A prediction's squared error e^2 is counted as c log(1 + e^2 / c) with c some times the error that
rounding leaves: beyond it the residual is coded, and its bits rise with the logarithm.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.coding.latents.layout import GROUPS
from nvcodec.coding.latents.tensors import motion_width
from nvcodec.fitting.analysis.twin import group_of
from nvcodec.representations.compensation import blended, enlarged, warp
from nvcodec.representations.configs.latents import FINEST_CELL, NUM_MOTION
from nvcodec.representations.families.latents import Latents, Rendered

POOLED = 4
"""Pixels a side that coarse search looks at as one."""
POOLED_FROM = 64
"""Cells from which on search begins so."""
KNEE = 4.0
"""The c above, in errors of rounding."""
SEARCH_BITS = (0.35, 3.0, 2.0)
"""Bits of a motion symbol before anything is learned: of zero, of one, and of each octave above."""
SEARCH_WEIGHT = 3.0
"""Factor on them: contexts make rare symbols dearer."""
OWN_SHARE = 0.7
"""Of a cell's own error while it is searched; the rest is that of the cells around it."""
Bits = Callable[[int, Tensor], Tensor]
"""Of a grid's number and symbols (5, h, w), the bits of each."""


def width_of(k: int) -> float:
    """Bin width of a motion grid in pixels."""
    return float(2.0 ** (motion_width(k) / 8))


class MotionSearch:
    """Motion of one frame, in symbols of its grids.

    Args:
        network: for what it inherits and how grids are spread.
        target: the first plane of the frame.
        t: its number.
        known: its references, by number.
        error_weight: bits that a squared error of one is worth.
        rounding_error: mean squared error that rounding leaves.
    """

    def __init__(
        self,
        network: Latents,
        target: Tensor,
        t: int,
        known: Mapping[int, Rendered],
        error_weight: float,
        rounding_error: float,
    ) -> None:
        self.network, self.target = network, target
        self.references = [one.planes[0] for one in known.values()]
        self.inherited, self.compensation = network.inherited(t, known), network.compensation[0]
        self.error_weight, self.knee = error_weight, KNEE * rounding_error
        self.sizes = network.config.motion_shapes(network.shape)

    def none(self) -> list[Tensor]:
        """No motion of its own."""
        return [self.target.new_zeros(NUM_MOTION, *size) for size in self.sizes]

    def _cost(self, errors: Tensor) -> Tensor:
        return self.error_weight * self.knee * torch.log1p(errors.square() / self.knee)

    def _motion(self, grids: Sequence[Tensor]) -> Tensor:
        steps = [grid * width_of(k) for k, grid in enumerate(grids)]
        return self.network.summed(self.inherited, steps, len(self.references))

    def search(self, whole_reach: int, reach: int, fine_reach: int) -> list[Tensor]:
        """Motion towards each reference alone, coarse to fine.

        Args:
            whole_reach: pixels from what is inherited, for the frame as a whole.
            reach: and for cells of some 32 to 128 pixels.
            fine_reach: and for other cells.
        """
        grids, coarsest = self.none(), len(self.sizes) - 1
        for number, reference in enumerate(self.references):
            own = slice(2 * number, 2 * number + 2)
            for k in range(coarsest, -1, -1):
                cell = self.network.cells[k]
                far = whole_reach if k == coarsest else reach if 32 <= cell <= 128 else fine_reach
                start = self._start(self._motion(grids)[own])
                best = grids[k][own]
                if cell >= POOLED_FROM:
                    best = self._search_grid(k, start, reference, best, far, POOLED)
                    far = POOLED - 1
                grids[k][own] = self._search_grid(k, start, reference, best, far, 1)
        return grids

    def _start(self, motion: Tensor) -> Tensor:
        """Motion (2, rows, columns) at every pixel."""
        if len(self.references) == 2:
            return self.compensation.everywhere(motion)
        height, width = self.target.shape
        return enlarged(motion, FINEST_CELL, (height, width), is_smooth=False)

    def _search_grid(
        self, k: int, start: Tensor, reference: Tensor, best: Tensor, reach: int, pooled: int
    ) -> Tensor:
        """The best symbols of a grid (2, h, w) around some, in steps of `pooled` pixels or less."""
        cell, (rows, columns) = self.network.cells[k] // pooled, self.sizes[k]
        zero, one, octave = (SEARCH_WEIGHT * bits for bits in SEARCH_BITS)
        target = self.target
        if pooled > 1:
            target, reference = (F.avg_pool2d(p[None], pooled)[0] for p in (target, reference))
            start = F.avg_pool2d(start[None], pooled)[0] / pooled
        height, width = target.shape
        bottom, right = rows * cell - height, columns * cell - width

        def cost(symbols: Tensor) -> Tensor:
            steps = symbols * (width_of(k) / pooled)
            spread = enlarged(steps, cell, (height, width), is_smooth=False)
            errors = target - warp(reference, start + spread)
            padded = F.pad(self._cost(errors)[None], (0, max(right, 0), 0, max(bottom, 0)))
            sums = F.avg_pool2d(padded[:, : rows * cell, : columns * cell], cell)
            sums = sums * (cell * pooled) ** 2
            if k < 2:
                around = F.avg_pool2d(F.pad(sums, (1, 1, 1, 1), mode="replicate"), 3, 1)
                sums = OWN_SHARE * sums + (1 - OWN_SHARE) * around
            sizes = symbols.abs()
            bits = torch.where(sizes < 0.5, zero, one + octave * torch.log2(sizes.clamp(min=1)))
            return sums[0] + bits.sum(dim=0)

        least = cost(best)
        for step in (s for s in (float(pooled), 0.5, 0.25) if s >= width_of(k)):
            places = range(-(reach // pooled), reach // pooled + 1) if step >= 1 else (-1, 0, 1)
            centre = best.clone()
            for y, x in itertools.product(places, places):
                tried = centre + torch.tensor([y, x]).to(best)[:, None, None] * (step / width_of(k))
                found = cost(tried)
                best = torch.where(found < least, tried, best)
                least = torch.minimum(found, least)
        return best

    def refine(self, grids: list[Tensor], bits: Bits) -> None:
        """Change symbols, in place, where error and bits together become fewer."""
        moved = [self._moved(number, self._motion(grids)) for number in range(len(self.references))]
        parts = [slice(0, 2), slice(2, 4)][: len(self.references)]
        for k in reversed(range(len(self.sizes))):
            for number, own in enumerate(parts):
                for group in range(len(GROUPS)):
                    self._refine_group(grids, moved, k, group, own, number, bits)
            if len(parts) == 2:
                for group in range(len(GROUPS)):
                    self._refine_group(grids, moved, k, group, slice(4, 5), None, bits)

    def _moved(self, number: int, motion: Tensor) -> Tensor:
        own = motion[2 * number : 2 * number + 2]
        return self.compensation.moved(self.references[number], own, len(self.references))

    def _refine_group(
        self,
        grids: list[Tensor],
        moved: list[Tensor],
        k: int,
        group: int,
        own: slice,
        number: int | None,
        bits: Bits,
    ) -> None:
        """One group of positions, whose surroundings hardly overlap."""
        cell, (rows, columns) = self.network.cells[k], self.sizes[k]
        height, width = self.target.shape
        chosen = group_of(rows, columns, self.target.device) == group
        motion, before = self._motion(grids), grids[k][own].clone()
        share = self.compensation.share(motion[4:5]) if len(self.references) == 2 else None
        best, least = before, None
        for tried in _candidates(before):
            change = torch.zeros_like(grids[k])
            change[own] = (tried - before) * chosen
            changed_motion = motion + self.network.spread(
                change * width_of(k), k, len(self.references)
            )
            pictures = list(moved)
            if number is not None:
                pictures[number] = self._moved(number, changed_motion)
            else:
                share = self.compensation.share(changed_motion[4:5])
            costs = self._cost(self.target - blended(pictures, share))
            half, low, right = cell // 2, rows * cell - height, columns * cell - width
            padded = F.pad(costs[None], (half, half + right, half, half + low))
            changed = grids[k].clone()
            changed[own] = tried
            total = F.avg_pool2d(padded, 2 * cell, cell)[0] * (4 * cell**2)
            total = total + bits(k, changed)[own].sum(dim=0)
            if least is None:
                least = total
                continue
            better = (total < least - 1e-6) & chosen
            best, least = torch.where(better, tried, best), torch.where(better, total, least)
        grids[k][own] = best
        if number is not None:
            moved[number] = self._moved(number, self._motion(grids))


def _candidates(before: Tensor) -> list[Tensor]:
    """What may become of a motion: itself first."""
    found = [before, torch.zeros_like(before), (before / 2).round()]
    if len(before) == 1:
        return found + [before + step for step in (-2.0, -1.0, 1.0, 2.0)]
    for y, x in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        if y or x:
            found.append(before + torch.tensor([y, x]).to(before)[:, None, None])
    return found
