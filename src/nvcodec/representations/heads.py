"""What ends a network: numbers become pixels in [0, 1], and none is ever stuck at an end.

The slope of a sigmoid vanishes at both ends: a network that has painted bright, flat content white
would never learn the dark parts. Here a gradient that leads back inside finds a least slope.
"""

from typing import Any

import torch
from torch import Tensor

LEAST_SLOPE = 0.02
"""Of a sigmoid towards the inside; its own is flatter below 5 and above 250 of 255."""


class _Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        pixels = torch.sigmoid(x)
        ctx.save_for_backward(pixels)
        return pixels

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (pixels,), (gradient,) = ctx.saved_tensors, gradients
        own = torch.ops.aten.sigmoid_backward(gradient, pixels)
        is_stuck = (pixels - 0.5).abs() > (0.25 - LEAST_SLOPE) ** 0.5
        leads_inside = (gradient > 0) == (pixels > 0.5)
        return torch.where(is_stuck & leads_inside, gradient * LEAST_SLOPE, own)


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        values = torch.tanh(x)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (values,), (gradient,) = ctx.saved_tensors, gradients
        own = torch.ops.aten.tanh_backward(gradient, values)
        is_stuck = values.abs() > (1 - 2 * LEAST_SLOPE) ** 0.5
        leads_inside = (gradient > 0) == (values > 0)
        return torch.where(is_stuck & leads_inside, gradient * (2 * LEAST_SLOPE), own)


def sigmoid(x: Tensor) -> Tensor:
    """Pixels."""
    pixels: Tensor = _Sigmoid.apply(x)  # type: ignore[no-untyped-call]
    return pixels


def half_tanh(x: Tensor) -> Tensor:
    """Pixels, (tanh(x) + 1) / 2: a sigmoid of twice the slope."""
    values: Tensor = _Tanh.apply(x)  # type: ignore[no-untyped-call]
    return (values + 1) / 2
