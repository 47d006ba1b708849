"""Which integers to code: of zero and both neighbours of a coefficient, the one of least J.

    J = lambda (k - y)^2 width^2 + bits of k + what k changes in the bits of others

The transform is nearly orthonormal, so that coefficients can be judged one by one. The last term is
the slope of all bits by the magnitude of k through the contexts of others. A random half of the
symbols changes at a time, as all see each other.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

DEAD_ZONE = 0.25
"""Added to a magnitude before its fraction is dropped, for a start."""

Spreads = Callable[[Sequence[Tensor]], list[Tensor]]
"""From magnitudes of all tensors to the spreads of all symbols."""
Bits = Callable[[Tensor, Tensor], Tensor]


def first_symbols(values: Sequence[Tensor]) -> list[Tensor]:
    """A start, from values in bins."""
    return [(value.abs() + DEAD_ZONE).floor() * value.sign() for value in values]


def chosen_symbols(
    values: Sequence[Tensor],
    weights: Sequence[Tensor],
    start: Sequence[Tensor],
    spreads: Spreads,
    bits: Bits,
    rounds: int,
    generator: torch.Generator,
) -> list[Tensor]:
    """Symbols (n, C, h, w) of all tensors.

    Args:
        values: coefficients in bins.
        weights: bits that a squared error of a bin is worth, broadcasting against them.
        start: symbols to begin with.
        spreads: the contexts.
        bits: of symbols under spreads.
        rounds: how often all are looked at.
        generator: chooses the halves.
    """
    symbols = [tensor.clone() for tensor in start]
    for _ in range(rounds):
        magnitudes = [tensor.abs().requires_grad_() for tensor in symbols]
        with torch.enable_grad():
            known = spreads(magnitudes)
            total = sum((bits(s, k).sum() for s, k in zip(symbols, known, strict=True)), 0.0)
        assert isinstance(total, Tensor)
        slopes = torch.autograd.grad(total, magnitudes)
        for n, (value, weight) in enumerate(zip(values, weights, strict=True)):
            sign = torch.where(value < 0, -1.0, 1.0)
            size = value.abs()
            floor = size.floor()
            tried = torch.stack([torch.zeros_like(size), floor, floor + 1])
            costs = (
                weight * (tried - size).square()
                + bits(tried, known[n].detach())
                + slopes[n] * (tried - symbols[n].abs())
            )
            best = tried.gather(0, costs.argmin(dim=0, keepdim=True))[0] * sign
            draw = torch.rand(best.shape, generator=generator).to(best.device)
            symbols[n] = torch.where(draw < 0.5, best, symbols[n])
    return symbols
