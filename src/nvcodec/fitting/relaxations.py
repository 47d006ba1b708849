"""Differentiable stand-ins for rounding, and twins of what quantizers do."""

import torch
from torch import Tensor

from nvcodec.coding.quantizer import quant_axis, symbol_range


def symmetric_dequantized(values: Tensor, bits: int, mantissa_bits: int) -> Tensor:
    """`values` after the symmetric quantizer and back, twin of `coding.quantizer`; same shape.

    The rounding of values has no gradient; the bin width has, through the largest weight.

    Source: HiNeRV, section 3.6, and its repository for the bin width. Differs: bin widths are
    rounded up to half floats of `mantissa_bits`, as they are stored.
    """
    axis = quant_axis(tuple(values.shape))
    largest = values.abs().amax() if axis is None else values.abs().amax(dim=axis, keepdim=True)
    width = 2 * largest / (2**bits - 1)
    with torch.no_grad():
        exponent = torch.frexp(width).exponent.clamp(min=-13)  # of subnormal half floats
        unit = torch.ldexp(torch.ones_like(width), exponent - 1 - mantissa_bits)
        correction = (width / unit).ceil().clamp(min=1) * unit - width
    width = width + correction
    symbols = (values.detach() / width.detach()).round().clamp(*symbol_range(bits))
    dequantized: Tensor = symbols * width
    return dequantized


def straight_through(values: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` with the gradient of `values`."""
    result: Tensor = _StraightThrough.apply(values, rounded)  # type: ignore[no-untyped-call]
    return result


def round_half_up(values: Tensor) -> Tensor:
    """floor(x + 1/2) with the gradient of x."""
    return straight_through(values, (values + 0.5).floor())


def bounded(values: Tensor, low: float, high: float) -> Tensor:
    """`values` clamped, with a gradient wherever it leads back into the range.

    Source: the `LowerBound` of CompressAI, at both ends.
    """
    bound: Tensor = _Bound.apply(values, low, high)  # type: ignore[no-untyped-call]
    return bound


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, rounded):  # type: ignore[no-untyped-def]
        return rounded.view_as(rounded)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient, None


class _Bound(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, low, high):  # type: ignore[no-untyped-def]
        clamped = values.clamp(low, high)
        ctx.save_for_backward(values - clamped)
        return clamped

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        (excess,) = ctx.saved_tensors
        return gradient.masked_fill(excess * gradient < 0, 0), None, None


def soft_round(x: Tensor, temperature: float) -> Tensor:
    """Smooth rounding: a tanh in each bin; Agustsson and Theis 2020, section 4.1."""
    offset = x - x.floor() - 0.5
    scale = torch.tanh(torch.tensor(0.5 / temperature))
    return x.floor() + 0.5 + torch.tanh(offset / temperature) / (2 * scale)


def soft_round_inverse(y: Tensor, temperature: float) -> Tensor:
    """Inverse of `soft_round`."""
    offset = y - y.floor() - 0.5
    scale = torch.tanh(torch.tensor(0.5 / temperature))
    return y.floor() + 0.5 + temperature * torch.atanh((2 * scale * offset).clamp(-0.9999, 0.9999))


def noisy_soft_round(
    x: Tensor, temperature: float, kumaraswamy: float, generator: torch.Generator
) -> Tensor:
    """Soft rounding, Kumaraswamy noise, and the mean of what soft rounding hides.

    Source: NVRC, section 3.4, after C3 (Kim et al. 2024): y = r^-1(r(x) + n - 1/2) + 1/2, n being
    the noise less 1/2; for a = 1 it is uniform.
    """
    a = kumaraswamy
    b = (2**a * (a - 1) + 1) / a
    uniform = torch.rand(x.shape, generator=generator, device=x.device).clamp(1e-6, 1 - 1e-6)
    noise = (1 - uniform ** (1 / b)) ** (1 / a)  # in (0, 1), mode 1/2
    return soft_round_inverse(soft_round(x, temperature) + noise - 1, temperature) + 0.5
