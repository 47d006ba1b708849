"""Differentiable twins of what quantizers do."""

import torch
from torch import Tensor

from nvcodec.coding.quantizer import quant_axis


def symmetric_dequantized(values: Tensor, bits: int) -> Tensor:
    """`values` after HiNeRV's symmetric quantizer and back, twin of `coding.quantizer`; same shape.

    The rounding has no gradient; the bin width has, through the largest weight.
    Source: HiNeRV, section 3.6, and its repository for the bin width.
    """
    axis = quant_axis(tuple(values.shape))
    largest = values.abs().amax() if axis is None else values.abs().amax(dim=axis, keepdim=True)
    quant_scale = 2 * largest / (2**bits - 1) + 1e-6
    symbols = (values / quant_scale).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return symbols.detach() * quant_scale
