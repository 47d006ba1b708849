"""Stage `round`: one bin width a tensor, by what the picture bears; then fitting what is rounded.

    w --/ width--> round --x width--> what the network sees, from the first step to the last
      <------ gradients pass as if nothing had been rounded ------

Rounding to bins of a width adds S width^2 / 12 to the squared error for every weight, S being the
sensitivity of its tensor, and a bit a weight halves the width: so the fewest bits for an error are
those that let every weight add the same. How much all add together, measured by the error that the
network has anyway, is one number from coarse to fine, and means the same for every video and size.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from nvcodec.coding.quantizer import rounded_up, symbol_range
from nvcodec.coding.schemes.arithmetic import Arithmetic
from nvcodec.fitting.configs.round import RoundConfig
from nvcodec.fitting.relaxations import straight_through
from nvcodec.fitting.sensitivity import fitted_error, tensor_sensitivities
from nvcodec.fitting.stage import Stage, View
from nvcodec.fitting.state import FitState


class Round(Stage[RoundConfig]):
    """Widths are chosen once, and held; kept: one a tensor of symbols, by its name."""

    @torch.no_grad()
    def prepare(self, state: FitState) -> None:
        """Choose the widths, no finer than symbols reach and no coarser than what is all zero."""
        scheme, values = _scheme(state), state.masked()
        sensitivities = tensor_sensitivities(state.representation, values, state.samples)
        specs = [spec for spec in state.representation.specs if scheme.side_shapes(spec)]
        num_values = sum(spec.num_values for spec in specs)
        share = self.config.error_ratio * fitted_error(state) / num_values
        widths: dict[str, Tensor | int] = {}
        for spec in specs:
            peak = float(values[spec.name].abs().max()) or 1.0
            finest, coarsest = 2 * peak / (2**scheme.config.bits - 1), 2 * peak
            ideal = math.sqrt(12 * share / max(sensitivities[spec.name], 1e-30))
            width = np.array([min(max(ideal, finest), coarsest)], np.float32)
            stored = rounded_up(width, scheme.config.quant_scale_mantissa_bits)
            widths[spec.name] = torch.from_numpy(stored).to(values[spec.name])
        state.kept = widths

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """Symbols times their widths."""
        low, high = symbol_range(_scheme(state).config.bits)
        values = state.masked()
        for name, width in _widths(state).items():
            symbols = (values[name].detach() / width).round().clamp(low, high)
            values[name] = straight_through(values[name], symbols * width)
        return View(values)

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """A tensor's width, for each of its slices."""
        scheme, specs = _scheme(state), state.representation.specs
        shapes = {spec.name: scheme.side_shapes(spec) for spec in specs}
        return {
            name: {"quant_scale": width.expand(shapes[name]["quant_scale"])}
            for name, width in _widths(state).items()
        }


def _widths(state: FitState) -> dict[str, Tensor]:
    return {name: width for name, width in state.kept.items() if isinstance(width, Tensor)}


def _scheme(state: FitState) -> Arithmetic:
    assert isinstance(state.scheme, Arithmetic)
    return state.scheme
