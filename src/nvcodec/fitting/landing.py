"""Towards a goal with a network: lambda while it is fitted, a dead zone of rounding at the end.

    progress   0 ---- mark ---- mark ---- ... ---- 1
    lambda        |   by what is measured then        dead zone: values nearer to zero, until the
                                                      file is small enough
A dead zone moves what lies near the border of two bins into the one nearer to zero; everything else
stays as it was fitted. It only takes away, so marks aim a little above a size.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nvcodec.fitting.state import FitState
from nvcodec.fitting.steering import Steering
from nvcodec.goals import Measured, Response

RESPONSE = Response(size_octaves=0.35, db=0.9)
"""Of lambda where networks are fitted; measured on three clips, nvrc-tiny and nvrc-mini."""
GAIN, FURTHEST = 0.8, 2.0
"""Share of what is missing that a mark changes, as networks follow slowly; and octaves at most."""
ABOVE = 1.015
"""Size that marks aim at, over the one that steering aims at elsewhere."""
WIDEST, FINENESS = 4.0, 1 / 256
"""Dead zones that are tried, in bins."""
_KEY = "turning"
Measure = Callable[[], Measured]


def octaves_of_lmbda(state: FitState) -> float:
    """By how much lambda is turned now."""
    stored = state.kept.get(_KEY)
    return float(stored[0]) if isinstance(stored, Tensor) else 0.0


def turn(state: FitState, progress: float, marks: Sequence[float], measure: Measure) -> bool:
    """Turn lambda where progress has come to the next mark; says whether it did."""
    steering, stored = state.steering, state.kept.get(_KEY)
    octaves, number = stored.tolist() if isinstance(stored, Tensor) else (0.0, 0.0)
    passed = sum(mark <= progress for mark in marks)
    if steering is None or passed == number:
        return False
    if passed < number:  # another stage has begun
        state.kept[_KEY] = torch.tensor([octaves, passed], dtype=torch.float64)
        return False
    missing = _aiming_above(steering).goal.octaves(measure(), RESPONSE)
    octaves += max(-FURTHEST, min(FURTHEST, GAIN * missing))
    state.kept[_KEY] = torch.tensor([octaves, passed], dtype=torch.float64)
    return True


def _aiming_above(steering: Steering) -> Steering:
    goal = steering.goal
    if goal.size_bytes is None:
        return steering
    return replace(steering, goal=replace(goal, size_bytes=round(ABOVE * goal.size_bytes)))


def dead_zone(steering: Steering, measure: Callable[[float], Measured]) -> float:
    """The dead zone, in bins, with which a goal is met as nearly as can be.

    Size and quality fall with it, so that halving an interval finds the place.

    Args:
        steering: the goal.
        measure: what a dead zone makes of the file.
    """
    goal = steering.goal
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


def shrunk(bins: Tensor, zone: float) -> Tensor:
    """Values in bins, nearer to zero by a dead zone."""
    return bins.sign() * (bins.abs() - zone).clamp(min=0)
