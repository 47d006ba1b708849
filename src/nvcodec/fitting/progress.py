"""How far a stage has come: by its steps, or by the clock.

`progress` runs from 0 to 1 over one stage and drives all its schedules; at 1 the stage is over.
"""

import itertools
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

ALMOST = 1 - 2.0**-20
"""Progress where time is over and there is more to do; no number of steps comes as near to 1."""


class Outlook(NamedTuple):
    """What is left."""

    num_steps: int
    """Steps in all, done ones included; an estimate under a time limit."""
    eta_s: float


class Pace(Protocol):
    """Progress of stages."""

    def progress(self, stage: int, step: int, elapsed_s: float, begun_s: float) -> float:
        """Progress of a stage before `step`, `elapsed_s` after the first stage was begun.

        This one was begun after `begun_s`, once it was prepared.
        """

    def outlook(self, steps_done: int, elapsed_s: float, step_s: float) -> Outlook:
        """What is left after so many steps, which took `step_s` each."""


class StepPace:
    """Every stage has a number of steps."""

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = steps

    def progress(self, stage: int, step: int, elapsed_s: float, begun_s: float) -> float:
        """Share of the stage's steps."""
        return step / self._steps[stage] if self._steps[stage] else 1.0

    def outlook(self, steps_done: int, elapsed_s: float, step_s: float) -> Outlook:
        """The steps that are left, at the speed of those done."""
        total = max(sum(self._steps), steps_done)
        return Outlook(total, (total - steps_done) * step_s)


class TimePace:
    """All stages share a time, in proportion to their steps; each takes its least whatever it is.

    Args:
        steps: of each stage, as it would be without a limit, and what preparing it takes.
        least: steps of each that are taken in any case, one or more.
        limit_s: for all of them.
    """

    def __init__(self, steps: Sequence[int], least: Sequence[int], limit_s: float) -> None:
        ends = list(itertools.accumulate(steps))
        self._ends = [end / max(ends[-1], 1) for end in ends]
        self._least, self.limit_s = least, limit_s

    def progress(self, stage: int, step: int, elapsed_s: float, begun_s: float) -> float:
        """Share of the time that the stage has left when it is begun."""
        if self._ends[stage] == (self._ends[stage - 1] if stage else 0.0):
            return 1.0
        end_s = self._ends[stage] * self.limit_s
        over = begun_s >= end_s
        progress = 1.0 if over else max(0.0, (elapsed_s - begun_s) / (end_s - begun_s))
        if not step:
            return 0.0
        return min(progress, ALMOST) if step < self._least[stage] else progress

    def outlook(self, steps_done: int, elapsed_s: float, step_s: float) -> Outlook:
        """The time that is left, filled with such steps."""
        eta_s = max(0.0, self.limit_s - elapsed_s)
        return Outlook(steps_done + round(eta_s / max(step_s, 1e-6)), eta_s)


class Clock:
    """Time since the start, and since several things were last done."""

    def __init__(self, before_s: float) -> None:
        """`before_s` was spent by earlier runs."""
        self.before_s = before_s
        self.started = time.monotonic()
        self.marks: dict[str, float] = {}

    @property
    def run_s(self) -> float:
        """Seconds of this run."""
        return time.monotonic() - self.started

    @property
    def elapsed_s(self) -> float:
        """Seconds of all runs."""
        return self.before_s + self.run_s

    def is_due(self, name: str, interval_s: float) -> bool:
        """Whether so long has passed since `restart`, or the start."""
        return time.monotonic() - self.marks.get(name, self.started) >= interval_s

    def restart(self, name: str) -> None:
        """It has been done now."""
        self.marks[name] = time.monotonic()
