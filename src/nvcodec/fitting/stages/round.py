"""Stage `round`: one bin width a tensor, by what the picture bears; then fitting what is rounded.

    w --/ width--> round --x width--> what the network sees, from the first step to the last
      <------ gradients pass as if nothing had been rounded ------

Rounding to bins of a width adds S width^2 / 12 to the squared error for every weight, S being the
sensitivity of its tensor, and a bit a weight halves the width: so the fewest bits for an error are
those that let every weight add the same. How much all add together, measured by the error that the
network has anyway, is one number from coarse to fine, and means the same for every video and size.

Where what is coded is the change from another segment, that is rounded, and its rate minimised too.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from nvcodec.coding.quantizer import rounded_up, symbol_range
from nvcodec.coding.schemes.arithmetic import Arithmetic
from nvcodec.fitting.changes import rate, weight_of
from nvcodec.fitting.configs.round import RoundConfig
from nvcodec.fitting.landing import Landing, octaves_of_lmbda, shrunk_bins, turn
from nvcodec.fitting.relaxations import straight_through
from nvcodec.fitting.sensitivity import NUM_DRAWS, error_share, unit_widths
from nvcodec.fitting.stage import Turn, View
from nvcodec.fitting.state import FitState

MARKS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
"""Progress at which widths are turned towards a goal; the first before anything is fitted."""
ALONE = 0.0
"""What a tensor is coded as the change of where it is coded alone."""
_IDEAL, _SHARE = "ideal.", "share"


class Round(Landing[RoundConfig]):
    """Widths are chosen once, and held; kept: one a tensor of symbols, by its name."""

    @torch.no_grad()
    def prepare(self, state: FitState) -> None:
        """Choose the widths, no finer than symbols reach and no coarser than what is all zero."""
        scheme = _scheme(state)
        names = [spec.name for spec in state.representation.specs if scheme.side_shapes(spec)]
        share = error_share(state, names, self.config.error_ratio)
        ideal = {n: math.sqrt(share) * width for n, width in unit_widths(state, names).items()}
        state.kept = _stored(state, ideal) | {_SHARE: share}
        if state.steering is not None:
            state.kept |= {_IDEAL + name: width for name, width in ideal.items()}

    def frames_to_prepare(self, state: FitState) -> int:
        """Some for each tensor whose width is chosen; see `sensitivity`."""
        scheme = _scheme(state)
        return NUM_DRAWS * sum(bool(scheme.side_shapes(s)) for s in state.representation.specs)

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """As the base class; towards a goal, all widths are turned."""
        if turn(state, progress, MARKS, lambda: self.measured(state)):
            # The squared width goes with 1 / lambda.
            factor = math.exp2(-octaves_of_lmbda(state) / 2)
            ideal = {
                name.removeprefix(_IDEAL): factor * float(width)
                for name, width in state.kept.items()
                if name.startswith(_IDEAL)
            }
            state.kept |= _stored(state, ideal)
        return super().begin_step(state, progress)

    @torch.no_grad()
    def shrunk(self, state: FitState, zone: float) -> dict[str, Tensor]:
        """See the base class."""
        values = state.masked()
        if zone:
            for name, width in _widths(state).items():
                before = state.reference.get(name, ALONE)
                bins = shrunk_bins((values[name] - before) / width, zone)
                values[name] = before + bins * width
        return values

    def finish(self, state: FitState) -> None:
        """As the base class; towards a goal with a dead zone."""
        if state.steering is None:
            super().finish(state)
        else:
            self.land(state)

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """Symbols times their widths; of changes, added to what they change, and their rate."""
        low, high = symbol_range(_scheme(state).config.bits)
        fitted, widths = state.masked(), _widths(state)
        values = dict(fitted)
        for name, width in widths.items():
            before = state.reference.get(name, ALONE)
            symbols = ((fitted[name].detach() - before) / width).round().clamp(low, high)
            values[name] = straight_through(fitted[name], before + symbols * width)
        changes = {name: w for name, w in widths.items() if name in state.reference}
        if not changes:
            return View(values)
        weight = weight_of(float(state.kept[_SHARE]) * math.exp2(-octaves_of_lmbda(state)))
        return View(values, lambda: rate(state, fitted, changes, weight))

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """A tensor's width, for each of its slices."""
        scheme, specs = _scheme(state), state.representation.specs
        shapes = {spec.name: scheme.side_shapes(spec) for spec in specs}
        return {
            name: {"quant_scale": width.expand(shapes[name]["quant_scale"])}
            for name, width in _widths(state).items()
        }


def _stored(state: FitState, ideal: Mapping[str, float]) -> dict[str, Tensor | float]:
    """Widths as the scheme stores them, by tensor."""
    scheme, values = _scheme(state), state.masked()
    widths: dict[str, Tensor | float] = {}
    for name, width in ideal.items():
        own = values[name].detach()
        peak = float((own - state.reference.get(name, ALONE)).abs().max()) or 1.0
        finest, coarsest = 2 * peak / (2**scheme.config.bits - 1), 2 * peak
        chosen = np.array([min(max(width, finest), coarsest)], np.float32)
        stored = rounded_up(chosen, scheme.config.quant_scale_mantissa_bits)
        widths[name] = torch.from_numpy(stored).to(values[name])
    return widths


def _widths(state: FitState) -> dict[str, Tensor]:
    names = {spec.name for spec in state.representation.specs}
    return {n: w for n, w in state.kept.items() if isinstance(w, Tensor) and n in names}


def _scheme(state: FitState) -> Arithmetic:
    assert isinstance(state.scheme, Arithmetic)
    return state.scheme
