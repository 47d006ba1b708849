"""How much the picture changes with a weight: curvature of the squared error, without a target.

Where a network fits, the second derivative of the squared error by a weight is nearly the squared
slope of its samples by that weight (Gauss-Newton). Stages weigh weights by it: which may be
dropped, and how coarsely they may be rounded.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from nvcodec.fitting.losses import mean_error
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import Samples

NUM_ROWS = 64
NUM_FRAMES = 8
NUM_DRAWS = 4
SMALL_CHANGE = 1e-3
"""Of an entry, over its tensor's RMS."""


def spread_bands(network: Representation, t: int) -> Patches:  # type: ignore[type-arg]
    """Bands from all over a frame, `NUM_ROWS` in all, as low as they can be had."""
    device = next(network.parameters()).device
    height, width = network.canvas
    heights, _ = network.patch_sizes()
    lowest = heights[0]
    tops = range(0, height, lowest * max(1, height // max(NUM_ROWS, lowest)))
    times = torch.full((len(tops),), t, device=device)
    if lowest == height:
        return Patches.frames(times)
    return Patches(times, torch.tensor(tops, device=device), 0 * times, (lowest, width))


@torch.no_grad()
def tensor_sensitivities(
    network: Representation,  # type: ignore[type-arg]
    values: Mapping[str, Tensor],
    samples: Samples,
) -> dict[str, float]:
    """Squared error that a change of an entry of a tensor makes, by its square: mean over entries.

    From small changes of all its entries at once, up or down at random, in the first frame.
    """
    patches = spread_bands(network, 0)
    before = functional_call(network, dict(values), (patches,))
    sensitivities = {}
    for name, tensor in values.items():
        size = SMALL_CHANGE * (float(tensor.square().mean().sqrt()) or 1.0)
        generator = torch.Generator().manual_seed(0)
        total = 0.0
        for _ in range(NUM_DRAWS):
            changed = {**values, name: tensor + size * _signs(tensor, generator)}
            after = functional_call(network, changed, (patches,))
            total += float(mean_error((after - before).square(), samples))
        sensitivities[name] = total / (NUM_DRAWS * size**2 * tensor.numel())
    return sensitivities


def entry_sensitivities(
    network: Representation,  # type: ignore[type-arg]
    values: Mapping[str, Tensor],
    names: Sequence[str],
) -> dict[str, Tensor]:
    """The same for every entry of some tensors, up to one factor for all of them.

    The mean, over random signs of samples, of the squared slope of their sum; some frames.
    """
    tensors = [values[name] for name in names]
    generator = torch.Generator().manual_seed(0)
    sums = {name: torch.zeros_like(values[name]) for name in names}
    num_frames = network.shape.num_frames
    network.eval()  # batch norms keep their statistics
    for t in range(0, num_frames, -(-num_frames // NUM_FRAMES)):
        for _ in range(NUM_DRAWS):
            samples = functional_call(network, dict(values), (spread_bands(network, t),))
            total = (samples * _signs(samples, generator)).sum()
            for name, slope in zip(names, torch.autograd.grad(total, tensors), strict=True):
                sums[name] += slope.square()
    network.train()
    return sums


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """Ones, half of them negative."""
    return torch.randint(0, 2, like.shape, generator=generator).to(like) * 2 - 1
