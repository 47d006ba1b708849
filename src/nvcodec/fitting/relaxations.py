"""Differentiable twins of what quantizers do."""

import torch
from torch import Tensor

from nvcodec.coding.quantizer import quant_axis, symbol_range


def symmetric_dequantized(values: Tensor, bits: int, mantissa_bits: int) -> Tensor:
    """`values` after the symmetric quantizer and back, twin of `coding.quantizer`; same shape.

    The rounding of values has no gradient; the bin width has, through the largest weight.

    Source: HiNeRV, section 3.6, and its repository for the bin width. Differs: bin widths are
    rounded up to `mantissa_bits`, as they are stored.
    """
    axis = quant_axis(tuple(values.shape))
    largest = values.abs().amax() if axis is None else values.abs().amax(dim=axis, keepdim=True)
    width = 2 * largest / (2**bits - 1) + 1e-6
    with torch.no_grad():
        mantissa, exponent = torch.frexp(width)  # mantissa in [0.5, 1)
        unit = 2 ** (mantissa_bits + 1)
        correction = torch.ldexp((mantissa * unit).ceil() / unit, exponent) - width
    width = width + correction
    symbols = (values.detach() / width.detach()).round().clamp(*symbol_range(bits))
    dequantized: Tensor = symbols * width
    return dequantized
