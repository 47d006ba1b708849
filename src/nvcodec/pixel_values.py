"""Between samples and the numbers of a network, 0 to 1: one place divides, one multiplies."""

import torch
from torch import Tensor

from nvcodec.samples import max_sample


def to_unit(samples: Tensor, depth: int) -> Tensor:
    """Samples of `depth` bits as float32 in [0, 1]."""
    return samples.float() / max_sample(depth)


def from_unit(values: Tensor, depth: int) -> Tensor:
    """What a network gives, in float32 whole numbers of samples' range; not a number becomes 0."""
    return values.float().nan_to_num(0.0).clamp(0, 1).mul_(max_sample(depth)).round_()


def to_samples(values: Tensor, depth: int) -> Tensor:
    """The same as samples: uint8, or uint16 for more than 8 bits, on the device of `values`."""
    return from_unit(values, depth).to(torch.uint8 if depth == 8 else torch.uint16)
