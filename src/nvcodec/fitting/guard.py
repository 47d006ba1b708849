"""Watches the loss, and keeps the state to go back to when a fitting goes astray."""

import copy
import math
import statistics
from collections import deque
from typing import Any

JUMP = 30.0
"""A loss so many times the median of the last ones is a jump: 15 dB of PSNR."""
MEMORY = 8
"""Looks that the median is taken over."""
KEEP_EVERY = 4
"""Looks between two kept states."""
MAX_RECOVERIES = 4
"""Of one stage; the learning rate is halved each time."""


class Guard:
    """The last good state of one stage."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._good = copy.deepcopy(state)
        self._losses: deque[float] = deque(maxlen=MEMORY)
        self._num_looks = 0
        self.num_recoveries = 0

    def is_astray(self, loss: float) -> bool:
        """Whether a loss is not finite, or far above those before."""
        if not math.isfinite(loss):
            return True
        return len(self._losses) == MEMORY and loss > JUMP * statistics.median(self._losses)

    def wants_state(self, loss: float) -> bool:
        """Take note of a good loss; tell whether the state at it shall be kept."""
        self._losses.append(loss)
        self._num_looks += 1
        return self._num_looks % KEEP_EVERY == 0

    def keep(self, state: dict[str, Any]) -> None:
        """Remember a state as good."""
        self._good = copy.deepcopy(state)

    def recall(self) -> dict[str, Any]:
        """A copy of the last good state."""
        self.num_recoveries += 1
        self._losses.clear()
        return copy.deepcopy(self._good)
