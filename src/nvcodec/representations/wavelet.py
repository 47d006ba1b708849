"""The 9/7 wavelet by lifting, one level at a time, scaled so that every basis picture has norm 1.

    samples of even place  s ----+--------> + ---- ... --> low  / LOW
                                 | a        ^ b
    samples of odd place   d --> + ---------+ ---- ... --> high / HIGH

Each of the four steps adds, to the samples of one kind, a factor times the sum of both neighbours
of the other kind; beyond an edge the last one counts twice. Along x first when taken apart, along y
first when put together.
"""

import torch
from torch import Tensor

STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
LOW, HIGH = 1.139764, 0.887277
"""Norms of what one coefficient adds without them."""


def synthesis(low: Tensor, bands: Tensor) -> Tensor:
    """A plane (2h, 2w) from its low half and three bands, high along x, along y, along both."""
    along_x, along_y, both = bands
    left = _merge(low, along_y, -2)
    right = _merge(along_x, both, -2)
    return _merge(left, right, -1)


def analysis(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse of `synthesis`: low half (h, w), bands (3, h, w)."""
    left, right = _split(plane, -1)
    low, along_y = _split(left, -2)
    along_x, both = _split(right, -2)
    return low, torch.stack([along_x, along_y, both])


def _merge(low: Tensor, high: Tensor, axis: int) -> Tensor:
    even, odd = low / LOW, high / HIGH
    for number in (3, 2, 1, 0):
        if number % 2:
            even = even - STEPS[number] * (odd + _before(odd, axis))
        else:
            odd = odd - STEPS[number] * (even + _behind(even, axis))
    return torch.stack([even, odd], dim=even.ndim if axis == -1 else -2).flatten(
        *((-2, -1) if axis == -1 else (-3, -2))
    )


def _split(plane: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    pairs = [slice(None)] * (plane.ndim - 1) if axis == -1 else [slice(None)] * (plane.ndim - 2)
    even, odd = (plane[(*pairs, slice(phase, None, 2))] for phase in (0, 1))
    for number, factor in enumerate(STEPS):
        if number % 2:
            even = even + factor * (odd + _before(odd, axis))
        else:
            odd = odd + factor * (even + _behind(even, axis))
    return even * LOW, odd * HIGH


def _before(x: Tensor, axis: int) -> Tensor:
    """The neighbour before each sample; the first has itself."""
    count = x.shape[axis]
    return torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, count - 1)], dim=axis)


def _behind(x: Tensor, axis: int) -> Tensor:
    """The neighbour behind each sample; the last has itself."""
    count = x.shape[axis]
    return torch.cat([x.narrow(axis, 1, count - 1), x.narrow(axis, count - 1, 1)], dim=axis)
