"""A plane predicted from others along the motion of cells.

    one reference     what each cell moves reaches half a cell into its neighbours:
                      prediction = sum over cells of window x (reference moved as that cell says)
    two references    motion, bilinear between centres of cells, moves each sample of both, and both
                      are blended

The first is for what resembles its reference little: cells may differ, and nothing between them is
torn. The second is for frames between close references, whose motion is inherited and smooth. The
window along an axis is 3 s^2 - 2 s^3, with s from 0 in the centre of the neighbour to 1 in its own.

Sources: overlapped block motion compensation, Orchard and Sullivan (IEEE TIP 1994).
"""

import functools
import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

BLEND_SLOPE = 2.0


class Compensation:
    """Prediction of one plane.

    Args:
        size: (height, width) of the plane.
        cell: its samples a side that a cell stands for.
        counts: (rows, columns) of cells.
        scale: its samples in a unit of motion.
    """

    def __init__(
        self, size: tuple[int, int], cell: int, counts: tuple[int, int], scale: float
    ) -> None:
        self.size, self.cell, self.counts, self.scale = size, cell, counts, scale

    def predicted(self, references: Sequence[Tensor], motion: Tensor) -> Tensor:
        """From one reference (H, W) or two, by motion (5, rows, columns)."""
        number = len(references)
        moved = [self.moved(r, motion[2 * i : 2 * i + 2], number) for i, r in enumerate(references)]
        return blended(moved, self.share(motion[4:5]) if number == 2 else None)

    def moved(self, reference: Tensor, motion: Tensor, num_references: int) -> Tensor:
        """One reference (H, W), of so many, by motion (2, rows, columns) down and right."""
        if num_references == 1:
            return self._overlapped(reference, motion * self.scale)
        return warp(reference, self.everywhere(motion) * self.scale)

    def _overlapped(self, reference: Tensor, motion: Tensor) -> Tensor:
        """Cells of equal parity in both directions do not touch: four pictures are enough."""
        (height, width), (rows, columns) = self.size, self.counts
        y = _overlaps(height, self.cell, rows, reference.device)
        x = _overlaps(width, self.cell, columns, reference.device)
        total = torch.zeros_like(reference)
        for (row, down), (column, across) in itertools.product(y, x):
            flow = motion[:, row][:, :, column]
            total = total + down[:, None] * across * warp(reference, flow)
        return total

    def share(self, blend: Tensor) -> Tensor:
        """Of the first of two references at every sample: sigmoid of 2 blend (1, rows, columns)."""
        return torch.sigmoid(BLEND_SLOPE * self.everywhere(blend)[0])

    def everywhere(self, values: Tensor) -> Tensor:
        """Values (C, rows, columns) of cells at every sample, bilinear between their centres."""
        return enlarged(values, self.cell, self.size, is_smooth=True)


def enlarged(values: Tensor, factor: int, size: tuple[int, int], is_smooth: bool) -> Tensor:
    """Values (C, h, w) so much larger, cut to a size (H, W): bilinear, or each one a block."""
    height, width = size
    if is_smooth:
        whole = F.interpolate(
            values[None], scale_factor=factor, mode="bilinear", align_corners=False
        )
    else:
        whole = F.interpolate(values[None], scale_factor=factor, mode="nearest")
    return whole[0, :, :height, :width]


@functools.lru_cache(maxsize=16)
def _overlaps(
    length: int, cell: int, count: int, device: torch.device
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Of each sample of an axis the cell of even number and its weight; those of odd number."""
    with torch.inference_mode(False):  # kept for whoever asks next, gradients or not
        place = (torch.arange(length, device=device) + 0.5) / cell - 0.5
        number, share = place.floor().long(), place - place.floor()
        window = share.square() * (3 - 2 * share)
        is_odd = number % 2
        even = (number + is_odd).clamp(0, count - 1), torch.where(is_odd == 1, window, 1 - window)
        odd = (number + 1 - is_odd).clamp(0, count - 1), 1 - even[1]
        return even, odd


def blended(moved: Sequence[Tensor], share: Tensor | None) -> Tensor:
    """One moved reference, or two with a share of the first."""
    if share is None:
        return moved[0]
    first, second = moved
    return share * first + (1 - share) * second


def warp(plane: Tensor, flow: Tensor) -> Tensor:
    """A plane (H, W) read at every sample plus its flow (2, H, W), bicubic, edges repeated."""
    height, width = plane.shape
    y = torch.arange(height, device=plane.device)[:, None] + flow[0]
    x = torch.arange(width, device=plane.device)[None] + flow[1]
    grid = torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], dim=-1)
    return F.grid_sample(plane[None, None], grid[None], "bicubic", "border", align_corners=True)[
        0, 0
    ]
