"""How much the picture changes with a weight: curvature of the squared error, without a target.

Where a network fits, the second derivative of the squared error by a weight is nearly the squared
slope of its samples by that weight (Gauss-Newton). Stages weigh weights by it: which may be
dropped, and how coarsely they may be rounded.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call

from nvcodec.fitting.batches import Batches
from nvcodec.fitting.losses import mean_error
from nvcodec.fitting.state import FitState
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import Samples

NUM_ROWS, FEW_ROWS = 64, 384
"""Of a frame that are computed, and how many it may have for all of them to be: bands need margins,
so that 64 rows in narrow ones take as long as a few hundred at once."""
NUM_FRAMES = 8
NUM_DRAWS = 4
LEAST_ERROR = 1e-12
"""Mean squared error that a network is taken to have, however well it fits: far below a sample."""
SMALL_CHANGE = 1e-3
"""Of an entry, over its tensor's RMS."""


def spread_bands(network: Representation, t: int) -> Patches:  # type: ignore[type-arg]
    """Bands from all over a frame, `NUM_ROWS` in all, as low as they can be had; or all of it."""
    device = next(network.parameters()).device
    height, width = network.canvas
    heights, _ = network.patch_sizes()
    lowest = heights[0]
    if height <= FEW_ROWS or lowest == height:
        return Patches.frames(torch.tensor([t]), device)
    tops = range(0, height, lowest * max(1, height // max(NUM_ROWS, lowest)))
    bands = Patches.frames(torch.full((len(tops),), t), device)
    return replace(bands, y=torch.tensor(tops, device=device), size=(lowest, width))


@torch.no_grad()
def tensor_sensitivities(
    network: Representation,  # type: ignore[type-arg]
    values: Mapping[str, Tensor],
    samples: Samples,
    num_draws: int = NUM_DRAWS,
    names: Iterable[str] | None = None,
) -> dict[str, float]:
    """Squared error that a change of an entry of a tensor makes, by its square: mean over entries.

    Of these tensors, or of all. From small changes of all its entries at once, up or down at
    random, in frames from all over, of which there are `num_draws`.
    """
    drawn = _bands_from_all_over(network, num_draws)
    network.eval()  # batch norms keep their statistics
    before = [functional_call(network, dict(values), (patches,)) for patches in drawn]
    sensitivities = {}
    for name in values if names is None else names:
        tensor = values[name]
        size = SMALL_CHANGE * (float(tensor.square().mean().sqrt()) or 1.0)
        generator = torch.Generator().manual_seed(0)
        total = 0.0
        for patches, samples_before in zip(drawn, before, strict=True):
            changed = {**values, name: tensor + size * _signs(tensor, generator)}
            after = functional_call(network, changed, (patches,))
            total += float(mean_error((after - samples_before).square(), samples))
        sensitivities[name] = total / (num_draws * size**2 * tensor.numel())
    network.train()
    return sensitivities


def unit_widths(
    state: FitState, names: Iterable[str], num_draws: int = NUM_DRAWS
) -> dict[str, float]:
    """Bin widths with which every weight of these tensors adds an error of 1; see `error_share`."""
    network, values, samples = state.representation, state.masked(), state.samples
    found = tensor_sensitivities(network, values, samples, num_draws, names)
    return {name: math.sqrt(12 / max(one, 1e-30)) for name, one in found.items()}


def error_share(state: FitState, names: Container[str], error_ratio: float) -> float:
    """Error that rounding may add for every weight of some tensors; widths go with its root.

    Args:
        state: with a network whose weights will be rounded.
        names: of tensors that are rounded.
        error_ratio: what all add together, over the error that the network has.
    """
    counts = [s.num_values for s in state.representation.specs if s.name in names]
    return error_ratio * max(fitted_error(state), LEAST_ERROR) / sum(counts)


@torch.no_grad()
def fitted_error(state: FitState) -> float:
    """Mean squared error of the network as it stands, in bands of some frames."""
    network, errors = state.representation, []
    network.eval()
    for patches in _bands_from_all_over(network, NUM_DRAWS):
        batches = Batches(state.frames, network.canvas, patches.size, 1, 0, state.depth)
        target = batches.pixels(patches)
        output = functional_call(network, state.masked(), (patches,))
        output = batches.ignore_padding(output, target, patches)
        errors.append(float(mean_error((output - target).square(), state.samples)))
    network.train()
    return sum(errors) / len(errors)


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


def _bands_from_all_over(
    network: Representation,  # type: ignore[type-arg]
    num_draws: int,
) -> list[Patches]:
    """A draw each, of frames from the first on."""
    num_frames = network.shape.num_frames
    return [spread_bands(network, i * num_frames // num_draws) for i in range(num_draws)]


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """Ones, half of them negative."""
    return torch.randint(0, 2, like.shape, generator=generator).to(like) * 2 - 1
