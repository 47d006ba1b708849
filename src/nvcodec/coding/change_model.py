"""Which entries of a tensor change from row to row: probabilities that both sides learn as they go.

Every entry belongs to a class, by how often it changed lately. A class has one Bernoulli table a
row, from how many of its entries changed in the rows before; only the share of the first row
travels. Integers throughout.

    for row: for members, table in model.groups(): code row[members] under table
             model.update(row)
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.cdf import PROBABILITY_BITS, FrequencyTable, bernoulli_table

NUM_CLASSES = 3
_FIRST_COUNT = 32
"""Entries that the first share counts for."""
_UNIT = 1 << PROBABILITY_BITS


class ChangeModel:
    """Adaptive probabilities that entries change."""

    def __init__(self, num_entries: int, first_share: int) -> None:
        """`first_share` is the share of changed entries expected at first, in 1/4096."""
        self._activity = np.zeros(num_entries, np.int8)
        self._seen = [_FIRST_COUNT] * NUM_CLASSES
        self._changed = [_FIRST_COUNT * first_share] * NUM_CLASSES  # in 1/4096

    def groups(self) -> Iterator[tuple[NDArray[np.intp], FrequencyTable]]:
        """The entries of each class that has any, and their table of False and True."""
        for number in range(NUM_CLASSES):
            members = np.flatnonzero(self._activity == number)
            if members.size:
                share = self._changed[number] // self._seen[number]
                yield members, bernoulli_table(min(share, _UNIT - 1))

    def update(self, row: NDArray[np.bool_]) -> None:
        """Learn from a row; older rows count half as much."""
        for number in range(NUM_CLASSES):
            members = self._activity == number
            changed = int(np.count_nonzero(row & members))
            self._seen[number] = max(1, self._seen[number] // 2 + int(np.count_nonzero(members)))
            self._changed[number] = self._changed[number] // 2 + _UNIT * changed
        # 0: quiet; 1: once lately; 2: more often
        self._activity = (self._activity + 3 * row.astype(np.int8)) // 2
