"""Index arithmetic that representations share: positions of padded patches, knots in time.

Rows and columns are integers in the grid of the stage at hand; a position outside `[0, limit)` is
padding.
"""

import torch
from torch import Tensor


def padded_range(start: Tensor, length: int, padding: int) -> Tensor:
    """Indices of a span with `padding` on both sides, int64 (N, length + 2 padding)."""
    return start[:, None] + torch.arange(-padding, length + padding, device=start.device)


def is_inside(index: Tensor, limit: int) -> Tensor:
    """1.0 where `0 <= index < limit`, else 0.0; float32, shape of `index`."""
    return ((index >= 0) & (index < limit)).float()


def blend_times(t: Tensor, num_frames: int, num_knots: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where frames fall between the knots of a temporal grid; linear, align_corners false.

    Returns:
        Index of the knot before, index of the knot after (int64), and the weight of the latter
        (float32), each (N,).
    """
    position = ((t.float() + 0.5) * (num_knots / num_frames) - 0.5).clamp(0, num_knots - 1)
    before = position.floor().long().clamp(max=num_knots - 1)
    after = (before + 1).clamp(max=num_knots - 1)
    return before, after, position - before.float()
