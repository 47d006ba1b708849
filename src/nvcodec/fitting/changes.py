"""Fitting a segment that is coded as the change of another's values: what the change costs.

    reference --begin--> w --|w - reference| / width--> log2(1 + .) bits a weight --> loss

Widths are about those that rounding will have, so that a bit is worth the error that it saves where
the change is rounded.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from nvcodec.fitting.sensitivity import error_share, unit_widths
from nvcodec.fitting.state import FitState

ERROR_RATIO = 0.5
"""As of stage `round`."""
MARKS = (0.0, 1 / 3, 2 / 3)
"""Progress at which a bit is valued anew, by the error that is left then."""
NUM_DRAWS = 1
"""Frames that widths are found from, of the network as it begins; `round` takes its time."""
_SHARE, _WIDTH, _PASSED = "change.share", "change.width.", "change.passed"


def value_bits(state: FitState, progress: float) -> None:
    """Keep in the state what a bit of a change is worth, if that is due."""
    passed = sum(mark <= progress for mark in MARKS)
    if not state.reference or state.kept.get(_PASSED) == passed:
        return
    if _PASSED not in state.kept:
        widths = unit_widths(state, state.reference, NUM_DRAWS)
        state.kept |= {_WIDTH + name: width for name, width in widths.items()}
    share = error_share(state, state.reference, ERROR_RATIO)
    state.kept |= {_SHARE: share, _PASSED: passed}


def kept_rate(state: FitState, values: Mapping[str, Tensor]) -> Tensor:
    """The rate of values, as `value_bits` has valued it."""
    share = float(state.kept[_SHARE])
    widths = {name: math.sqrt(share) * float(state.kept[_WIDTH + name]) for name in state.reference}
    return rate(state, values, widths, weight_of(share))


def weight_of(share: float) -> float:
    """What a bit is worth: a bit more of a weight halves its bin, of whose error this is left.

    The error that rounding adds to a weight, `share`, goes with the squared width.
    """
    return 2 * math.log(2) * share


def rate(
    state: FitState,
    values: Mapping[str, Tensor],
    widths: Mapping[str, Tensor] | Mapping[str, float],
    weight: float,
) -> Tensor:
    """Bits of all changes, about, times what a bit is worth."""
    bits = [
        torch.log2(1 + (values[name] - state.reference[name]).abs() / width).sum()
        for name, width in widths.items()
    ]
    return weight * torch.stack(bits).sum()
