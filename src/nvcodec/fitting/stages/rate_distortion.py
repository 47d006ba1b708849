"""Stage `rate_distortion`: minimise R + lambda D with the scheme's own entropy models in the loop.

    x --/ width-> bins --relaxed--> x width  ---> D, every step
                    |
                    +--> twin of the coder   ---> R, every step or every few

Needs the `hierarchical` scheme. Source: NVRC, sections 3.4 and 3.5.
"""

import math

import torch
from torch import Tensor

from nvcodec.coding.parameters import Parameter, ParameterSet
from nvcodec.coding.schemes.hierarchical import Hierarchical
from nvcodec.fitting.config import LossConfig
from nvcodec.fitting.configs.rate_distortion import RateDistortionConfig
from nvcodec.fitting.hierarchical_rate import Observation, Twin
from nvcodec.fitting.landing import Landing, octaves_of_lmbda, shrunk_bins, turn
from nvcodec.fitting.relaxations import noisy_soft_round, straight_through
from nvcodec.fitting.stage import Turn, View
from nvcodec.fitting.state import FitState
from nvcodec.samples import Samples

MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87, 0.94)
"""Progress at which lambda is turned towards a goal."""
START_OF_ZEROS = -6.0
"""log2 of the bin width for a tensor that is zero at the start, such as biases."""


class RateDistortion(Landing[RateDistortionConfig]):
    """Values, bin widths and entropy models are fitted together."""

    def __init__(self, config: RateDistortionConfig) -> None:
        super().__init__(config)
        self._twin: Twin | None = None
        self._lmbda = config.lmbda

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """As the base class; towards a goal, lambda is turned."""
        turn(state, progress, MARKS, lambda: self.measured(state))
        self._lmbda = self.config.lmbda * math.exp2(octaves_of_lmbda(state))
        return super().begin_step(state, progress)

    @torch.no_grad()
    def shrunk(self, state: FitState, zone: float) -> dict[str, Tensor]:
        """See the base class."""
        values = state.masked()
        if not zone:
            return values
        twin = self._get_twin(state)
        seen = twin.observe(values, state.learned)
        return twin.values([shrunk_bins(bins, zone) for bins in seen.bins], seen)

    def prepare(self, state: FitState) -> None:
        """Begin with side information that was given, or else with the scheme's own."""
        if state.learned:
            return
        tables = dict(state.given) or self._start(state)
        joined = self._get_twin(state).join_side(tables)
        state.learned = {name: tensor.clone().requires_grad_() for name, tensor in joined.items()}

    def _start(self, state: FitState) -> dict[str, dict[str, Tensor]]:
        """Side information of every tensor from its values."""
        scheme, twin = self._scheme(state), self._get_twin(state)
        tables = {}
        for spec in state.representation.specs:
            values = state.representation.get_parameter(spec.name).detach()
            start = scheme.default_side(Parameter(spec, values.float().cpu().numpy()))
            side = {name: torch.from_numpy(array).to(values) for name, array in start.items()}
            log2_width = self._start_width(values)
            if spec.name in twin.grids:
                narrower = float(side["log2_width"].mean()) - log2_width
                side["log2_width"].fill_(log2_width)
                _start_grid(side, scheme.config.context_kernels, narrower)
            else:
                side["log2_width_rows"].zero_()
                side["log2_width_columns"].fill_(log2_width)
            tables[spec.name] = side
        return tables

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """Parameters after relaxed rounding, and R in bits a pixel of the same noise."""
        twin = self._get_twin(state)
        seen = twin.observe(state.masked(), self._side(state))
        relaxed = [self._relaxed(bins, progress, generator) for bins in seen.bins]

        def rate() -> Tensor:
            return self._rate(state, progress, seen, relaxed)

        return View(twin.values(relaxed, seen), rate)

    def loss(self, output: Tensor, target: Tensor, samples: Samples, config: LossConfig) -> Tensor:
        """Lambda D."""
        return self._lmbda * super().loss(output, target, samples, config)

    def _rate(
        self, state: FitState, progress: float, seen: Observation, relaxed: list[Tensor]
    ) -> Tensor:
        """R in bits a pixel."""
        twin, side = self._get_twin(state), self._side(state)
        # With straight-through rounding the gradient is taken at the unrounded value.
        at = seen.bins if self.config.relaxation == "straight_through" else relaxed
        bits = twin.bits(at, seen, side, context=relaxed)
        rate = (bits["layers"] + bits["grids"] + twin.phi_bits(side)) / state.num_pixels
        warmup = self.config.rate_warmup
        return rate * min(1.0, progress / warmup) if warmup else rate

    def estimated_bits(self, state: FitState, coded: ParameterSet) -> dict[str, float]:
        """The twin's rate of the values as they are coded now.

        Side information is coded as integers throughout, so its value here is the coder's count;
        the twin's surrogate gives the gradient alone.
        """
        twin, side = self._get_twin(state), self._side(state)
        with torch.no_grad():
            seen = twin.observe(state.masked(), side)
            bins = [bins.round() for bins in seen.bins]
            bits = twin.bits(bins, seen, side)
        groups = {group: float(value) for group, value in bits.items()}
        return groups | {"phi": self._scheme(state).group_bits(coded)["phi"]}

    def finish(self, state: FitState) -> None:
        """Leave the values for the scheme, which rounds them; towards a goal with a dead zone."""
        if state.steering is not None:
            self.land(state)

    def side_information(self, state: FitState) -> dict[str, dict[str, Tensor]]:
        """Side information of every tensor."""
        return self._get_twin(state).split_side(state.learned)

    def _relaxed(self, bins: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Bins as the network sees them."""
        config = self.config
        if config.relaxation == "straight_through":
            return straight_through(bins, bins.round())
        if config.relaxation == "quant_noise":
            ratio = _between(config.noise_ratio, progress)
            noisy = torch.rand(bins.shape, generator=generator, device=bins.device) < ratio
            return torch.where(noisy, bins.detach().round(), bins)
        temperature = _between(config.temperature, progress)
        return noisy_soft_round(
            bins, temperature, _between(config.kumaraswamy, progress), generator
        )

    def _start_width(self, values: Tensor) -> float:
        """log2 of a tensor's bin widths at the start."""
        if self.config.log2_width is not None:
            return self.config.log2_width
        rms = float(values.square().mean().sqrt())
        return math.log2(self.config.width_to_rms * rms) if rms > 0 else START_OF_ZEROS

    def _side(self, state: FitState) -> dict[str, Tensor]:
        if self.config.learn_widths:
            return state.learned
        return {n: t.detach() if "log2_width" in n else t for n, t in state.learned.items()}

    def _get_twin(self, state: FitState) -> Twin:
        if self._twin is None:
            specs = state.representation.specs
            device = next(state.representation.parameters()).device
            self._twin = Twin(specs, self._scheme(state).config, device)
        return self._twin

    def _scheme(self, state: FitState) -> Hierarchical:
        assert isinstance(state.scheme, Hierarchical)
        return state.scheme


def _start_grid(side: dict[str, Tensor], kernels: tuple[int, ...], narrower: float) -> None:
    """A grid's side information for bins that are narrower by 2^`narrower`.

    Random context weights, always the same: a network of zeros would never learn.
    """
    generator = torch.Generator().manual_seed(0)
    last = side.get(f"context_bias_{len(kernels) - 1}")
    mean, log2_sigma = (side["mean"], side["log2_sigma"]) if last is None else last.unbind(-1)
    mean.mul_(2.0**narrower)
    log2_sigma.add_(narrower)
    for i in range(len(kernels) - 1):
        weight = side.get(f"context_weight_{i}")
        if weight is not None:
            bound = (weight.shape[2] * weight.shape[3]) ** -0.5
            weight.copy_(bound * (2 * torch.rand(weight.shape, generator=generator) - 1))


def _between(ends: tuple[float, float], progress: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * progress
