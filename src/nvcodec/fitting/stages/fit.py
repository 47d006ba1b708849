"""Stage `fit`: distortion only, and the rate of a change, where that is what is coded."""

import torch

from nvcodec.fitting.changes import kept_rate, value_bits
from nvcodec.fitting.configs.fit import FitConfig
from nvcodec.fitting.stage import Stage, Turn, View
from nvcodec.fitting.state import FitState


class Fit(Stage[FitConfig]):
    """Minimise the distortion."""

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """As the base class; bits of a change are valued anew now and then."""
        value_bits(state, progress)
        return super().begin_step(state, progress)

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """As the base class, and the rate of a change."""
        values = state.masked()
        if not state.reference:
            return View(values)
        return View(values, lambda: kept_rate(state, values))
