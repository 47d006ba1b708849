"""The passes of stage `analysis` towards a goal: lambda between passes, then landing.

    pass --measure--> lambda --> pass --measure--> lambda --> ... --> landing passes

Size and quality answer to lambda alike on every clip, so that few passes come near. Landing passes
leave motion and bin widths as they are and turn rounding alone: the weight of the distortion, by
`trim` octaves.
"""

from dataclasses import astuple, dataclass, fields
from typing import Self

import torch
from torch import Tensor

from nvcodec.fitting.state import FitState
from nvcodec.fitting.steering import Steering
from nvcodec.goals import Measured, Response

RESPONSE = Response(size_octaves=0.55, db=1.8)
"""Of lambda; measured on four clips, 125 to 1000."""
FIRST_GAIN = 1.7
"""Octaves of trim for one that is missing of lambda, before it is known better."""
GAINS = (0.7, 5.0)
LANDING_SHARE = 0.3
"""Of a pass' time, for a landing pass and measuring."""
FAR, MOST_EXTRA = 0.4, 3
"""Octaves that landing cannot bridge well, and passes that are added for them."""
ANSWERS = (0.4, 2.0)
MOST_LANDINGS, MOST_LANDINGS_ABOVE = 8, 12
"""Passes of landing; the second while a size is exceeded."""
FURTHEST = 3.0
"""Octaves that lambda changes at most from a pass to the next."""
_KEY = "course"


@dataclass
class Course:
    """Where the way to a goal stands; numbers alone, so that it can be stored."""

    octaves: float = 0.0
    """Of lambda, above that of the settings."""
    trim: float = 0.0
    number: float = 0
    """Of the pass, landing included."""
    first_step: float = 0
    """Of the pass."""
    began: float = 0.0
    """Progress at the first step of the pass."""
    landings: float = 0
    """Landing passes begun; 0: not there yet."""
    is_done: float = 0
    best_miss: float = 1e9
    best_octaves: float = 0.0
    """Lambda of what is kept as the best."""
    before_trim: float = 0.0
    before_missing: float = 0.0
    """Of the pass before, for how rounding answers to trim."""
    gain: float = FIRST_GAIN
    before_octaves: float = 0.0
    answer: float = 1.0
    """Octaves that lambda comes nearer for one that it is changed by."""

    @classmethod
    def of(cls, state: FitState) -> Self:
        """That of a state; the start where there is none yet."""
        stored = state.kept.get(_KEY)
        if not isinstance(stored, Tensor):
            return cls()
        return cls(**dict(zip((f.name for f in fields(cls)), stored.tolist(), strict=True)))

    def store(self, state: FitState) -> None:
        """Keep it with the state."""
        state.kept[_KEY] = torch.tensor(astuple(self), dtype=torch.float64)

    @property
    def is_landing(self) -> bool:
        """Whether rounding alone is turned."""
        return self.landings > 0

    def is_cut(self, step: int, progress: float) -> bool:
        """Whether time ran out inside a pass that is not needed."""
        return progress >= 1 and not self.is_landing and self.number > 0 and step > self.first_step

    def land(self, step: int) -> None:
        """Give up the pass, for landing from what is kept."""
        self.octaves, self.landings, self.first_step = self.best_octaves, 1, step
        self.number += 1

    def end_pass(
        self, steering: Steering, measured: Measured, step: int, progress: float, num_passes: int
    ) -> bool:
        """Decide what comes next; gives whether what was coded is the best so far.

        Args:
            steering: where to.
            measured: what was coded.
            step: the next one.
            progress: of the stage, at it.
            num_passes: as many as are wanted, where no clock ends them.
        """
        goal = steering.goal
        miss, missing = goal.miss(measured, RESPONSE), goal.octaves(measured, RESPONSE)
        is_best = not self.is_landing or miss < self.best_miss
        if is_best:
            self.best_miss, self.best_octaves = miss, self.octaves
        self._learn(missing)
        if self.is_landing or self._is_last(steering, missing, progress, num_passes):
            most = MOST_LANDINGS_ABOVE if self.best_miss >= 1000 else MOST_LANDINGS
            is_late = self._is_late(steering, progress)
            self.is_done = float(goal.is_met(measured) or self.landings >= most or is_late)
            self.before_trim = self.trim
            self.trim += self.gain * missing
            self.landings += 1
        else:
            self.before_octaves = self.octaves
            self.octaves += max(-FURTHEST, min(FURTHEST, missing / self.answer))
        self.before_missing = missing
        self.number, self.first_step, self.began = self.number + 1, step, progress
        return is_best

    def _is_late(self, steering: Steering, progress: float) -> bool:
        """Whether another landing pass would not end in time; a size is kept in any case."""
        took = progress - self.began
        next_takes = took if self.is_landing else LANDING_SHARE * took
        return steering.is_timed and self.best_miss < 1000 and progress + next_takes >= 1

    def _learn(self, missing: float) -> None:
        """How what is missing answered to the last change."""
        nearer = self.before_missing - missing
        turned, trimmed = self.octaves - self.before_octaves, self.trim - self.before_trim
        if self.landings > 1 and abs(trimmed) > 0.01 and nearer / trimmed > 0:
            self.gain = max(GAINS[0], min(GAINS[1], trimmed / nearer))
        elif not self.is_landing and self.number > 0 and abs(turned) > 0.3:
            self.answer = max(ANSWERS[0], min(ANSWERS[1], nearer / turned))

    def _is_last(
        self, steering: Steering, missing: float, progress: float, num_passes: int
    ) -> bool:
        """Whether landing follows."""
        if not steering.is_timed:
            most = num_passes + MOST_EXTRA * (abs(missing) > FAR)
            return self.number + 1 >= most
        took = progress - self.began
        return progress + took * (1 + 2 * LANDING_SHARE) >= 1
