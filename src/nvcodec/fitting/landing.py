"""Towards a goal with a network: lambda while it is fitted, a dead zone of rounding at the end.

    progress   0 ---- mark ---- mark ---- ... ---- 1
    lambda        |   by what is measured then        dead zone: values nearer to zero, until the
                                                      file is small enough
A dead zone moves what lies near the border of two bins into the one nearer to zero; everything else
stays as it was fitted. It only takes away, so marks aim a little above a size.
"""

import abc
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nvcodec.fitting.stage import ConfigT, Stage
from nvcodec.fitting.state import FitState
from nvcodec.goals import Goal, Measured, Response

RESPONSE = Response(size_octaves=0.35, db=0.9)
"""Of lambda where networks are fitted; measured on three clips, nvrc-tiny and nvrc-mini."""
GAIN, FURTHEST = 0.8, 2.0
"""Share of what is missing that a mark changes, as networks follow slowly; and octaves at most."""
ABOVE = 1.03
"""Size that marks aim at, over the one that steering aims at elsewhere."""
WIDEST, FINENESS = 4.0, 1 / 256
"""Dead zones that are tried, in bins."""
_OCTAVES, _PASSED = "turning.octaves", "turning.passed"
Measure = Callable[[], Measured]


class Landing(Stage[ConfigT]):
    """A stage that can end at a goal by a dead zone of rounding."""

    @abc.abstractmethod
    def shrunk(self, state: FitState, zone: float) -> dict[str, Tensor]:
        """Values as the scheme would get them, after a dead zone of so many bins."""

    def measured(self, state: FitState, zone: float = 0.0) -> Measured:
        """What the file would be now, with a dead zone."""
        assert state.steering is not None
        side = self.side_information(state)
        return state.steering.measure(state, state.parameters(self.shrunk(state, zone), side))

    def land(self, state: FitState) -> None:
        """Leave the values with the dead zone that the goal takes."""
        assert state.steering is not None
        zone = dead_zone(state.steering.goal, lambda zone: self.measured(state, zone))
        with torch.no_grad():
            for name, values in self.shrunk(state, zone).items():
                state.representation.get_parameter(name).copy_(values)


def octaves_of_lmbda(state: FitState) -> float:
    """By how much lambda is turned now."""
    return float(state.kept.get(_OCTAVES, 0.0))


def turn(state: FitState, progress: float, marks: Sequence[float], measure: Measure) -> bool:
    """Turn lambda where progress has come to the next mark; says whether it did."""
    steering, octaves = state.steering, octaves_of_lmbda(state)
    number = int(state.kept.get(_PASSED, 0))
    passed = sum(mark <= progress for mark in marks)
    if steering is None or passed == number:
        return False
    is_next = passed > number  # else another stage has begun
    if is_next:
        missing = _aiming_above(steering.goal).octaves(measure(), RESPONSE)
        octaves += max(-FURTHEST, min(FURTHEST, GAIN * missing))
    state.kept |= {_OCTAVES: octaves, _PASSED: passed}
    return is_next


def _aiming_above(goal: Goal) -> Goal:
    if goal.size_bytes is None:
        return goal
    return replace(goal, size_bytes=round(ABOVE * goal.size_bytes))


def dead_zone(goal: Goal, measure: Callable[[float], Measured]) -> float:
    """The dead zone, in bins, with which a goal is met as nearly as can be.

    Size and quality fall with it, so that halving an interval finds the place.

    Args:
        goal: what to come to.
        measure: what a dead zone makes of the file.
    """
    seen = measure(0.0)
    if goal.is_met(seen) or goal.octaves(seen, RESPONSE) >= 0:
        return 0.0
    best, least, low, high = 0.0, goal.miss(seen, RESPONSE), 0.0, WIDEST
    while high - low > FINENESS:
        middle = (low + high) / (2 if low or high < WIDEST else 16)
        seen = measure(middle)
        if (miss := goal.miss(seen, RESPONSE)) < least:
            best, least = middle, miss
        if goal.is_met(seen):
            return middle
        if goal.octaves(seen, RESPONSE) < 0:
            low = middle
        else:
            high = middle
    return best


def shrunk_bins(bins: Tensor, zone: float) -> Tensor:
    """Values in bins, nearer to zero by a dead zone."""
    return bins.sign() * (bins.abs() - zone).clamp(min=0)
