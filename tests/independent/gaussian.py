"""Gaussian tables in integers, and batches of residuals under them ("hierarchical")."""

from functools import cache
from math import isqrt

import numpy as np

from independent.streams import RangeDecoder
from independent.tables import cumulative, equal, negative_exp2, normalize

LOG2_E = 0x171547652B82FE17  # floor(2^60 log2 e)


@cache
def gaussian_table(index: int) -> tuple[int, list[int]]:
    """L, and the table of residuals -L .. L and of "escape"."""
    k = index - 24
    reach = 4 + isqrt(isqrt(isqrt(6**8 << k if k >= 0 else 6**8 >> -k)))
    g = 2 + max(0, (15 - k) // 8)
    f = LOG2_E * isqrt(isqrt(2 ** (240 - k)))
    s = f.bit_length() - 34

    def density(x: int) -> int:
        return negative_exp2(x * x * (f >> s) >> 107 + 2 * g - s)

    weights = []
    for n in range(-reach, reach + 1):
        total = 0
        for j in range(2**g + 1):
            simpson = 1 if j in (0, 2**g) else 4 if j % 2 else 2
            total += simpson * density(2 * n * 2**g + 2 * j - 2**g)
        weights.append(total)
    return reach, cumulative(normalize([*weights, 0]))


def decode_residuals(stream: RangeDecoder, indices: np.ndarray) -> np.ndarray:
    """One batch: group by group of equal sigma index, after each its escapes."""
    residuals = np.zeros(len(indices), np.int64)
    for index in np.unique(indices):
        reach, table = gaussian_table(int(index))
        members = np.flatnonzero(indices == index)
        residuals[members] = np.array(stream.symbols(table, len(members))) - reach
        escaped = members[residuals[members] == reach + 1]
        residuals[escaped] = decode_escapes(stream, reach, len(escaped))
    return residuals


def decode_escapes(stream: RangeDecoder, reach: int, count: int) -> list[int]:
    """Residuals beyond -L .. L: their classes, then bits, the top ones of all first."""
    classes = stream.symbols(equal(32), count)
    x = [1] * count
    for bit in range(16, -1, -1):
        for i, c in enumerate(classes):
            if bit < c:
                x[i] = 2 * x[i] + stream.symbol(equal(2))
    magnitudes = [(v - 1) // 2 + reach + 1 for v in x]
    return [m if v % 2 else -m for m, v in zip(magnitudes, x, strict=True)]
