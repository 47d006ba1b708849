"""Watches the loss, and keeps the state to go back to when a fitting goes astray."""

import copy
import math
from typing import Any

JUMP = 10.0
"""An epoch whose mean loss exceeds this multiple of the previous epoch's counts as a jump."""
MIN_MEAN = 1e-6
"""Means below count as this: black frames have next to no loss."""
MAX_RECOVERIES = 4
"""Of one stage; the learning rate is halved each time."""


class Guard:
    """The last good state of one stage."""

    def __init__(self, state: dict[str, Any], watches_jumps: bool) -> None:
        self._good = copy.deepcopy(state)
        self._watches_jumps = watches_jumps
        self._mean: float | None = None
        self.num_recoveries = 0

    def is_astray(self, mean: float) -> bool:
        """Whether the mean loss of an epoch is not finite, or far above the one before."""
        if not math.isfinite(mean):
            return True
        return (
            self._watches_jumps
            and self._mean is not None
            and mean > JUMP * max(self._mean, MIN_MEAN)
        )

    def keep(self, mean: float, state: dict[str, Any]) -> None:
        """Remember a state as good."""
        self._mean, self._good = mean, copy.deepcopy(state)

    def forget_mean(self) -> None:
        """What comes next is not to be compared with what was."""
        self._mean = None

    def memory(self) -> dict[str, Any]:
        """All that a later run needs to judge as this one would."""
        return {"good": self._good, "mean": self._mean, "num_recoveries": self.num_recoveries}

    def remember(self, memory: dict[str, Any]) -> None:
        """Inverse of `memory`."""
        self._good, self._mean = memory["good"], memory["mean"]
        self.num_recoveries = memory["num_recoveries"]

    def recall(self) -> dict[str, Any]:
        """A copy of the last good state."""
        self.num_recoveries += 1
        return copy.deepcopy(self._good)
