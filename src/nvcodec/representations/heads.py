"""What ends a network: numbers become pixels in [0, 1], and none is ever stuck at an end.

The slope of a sigmoid vanishes at both ends: a network that has painted bright, flat content white
would never learn the dark parts. Here a gradient that leads back inside finds a least slope.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

LEAST_SLOPE = 0.02
"""Of a sigmoid towards the inside; its own is flatter below 5 and above 250 of 255."""


class _Curve(NamedTuple):
    """A function that flattens at both ends, and its gradient from what it gave."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    middle: float
    least_slope: float


_SIGMOID = _Curve(torch.sigmoid, torch.ops.aten.sigmoid_backward, 0.5, LEAST_SLOPE)
_TANH = _Curve(torch.tanh, torch.ops.aten.tanh_backward, 0.0, 2 * LEAST_SLOPE)


class _NeverStuck(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, curve: _Curve) -> Tensor:
        values = curve.forward(x)
        ctx.save_for_backward(values)
        ctx.curve = curve
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (values,), (gradient,), curve = ctx.saved_tensors, gradients, ctx.curve
        slope = curve.backward(torch.ones_like(values), values)
        leads_inside = (gradient > 0) == (values > curve.middle)
        is_lifted = (slope < curve.least_slope) & leads_inside
        own = curve.backward(gradient, values)
        return torch.where(is_lifted, gradient * curve.least_slope, own), None


def sigmoid(x: Tensor) -> Tensor:
    """Pixels."""
    pixels: Tensor = _NeverStuck.apply(x, _SIGMOID)  # type: ignore[no-untyped-call]
    return pixels


def half_tanh(x: Tensor) -> Tensor:
    """Pixels, (tanh(x) + 1) / 2: a sigmoid of twice the slope."""
    values: Tensor = _NeverStuck.apply(x, _TANH)  # type: ignore[no-untyped-call]
    return (values + 1) / 2
