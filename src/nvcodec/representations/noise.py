"""Fixed random numbers that are the same on every machine, for ever: part of the format.

    seed, position --SplitMix64--> 64 bits --top 16--> uniform, or sums of twelve: normal

Only integers choose the numbers, and each of them is exact in float32.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SUMMANDS = 12  # of variance 1/12 each


def _words(seed: int, count: int) -> NDArray[np.uint64]:
    """`count` 64-bit words; Steele et al. 2014, Fast splittable pseudorandom number generators."""
    first = seed % (1 << 32) << 32
    state = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    state = state * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return state ^ state >> np.uint64(31)


def uniform(shape: Sequence[int], seed: int) -> NDArray[np.float32]:
    """Multiples of 2^-16 in [-1/2, 1/2), all equally probable."""
    words = _words(seed, math.prod(shape)) >> np.uint64(48)
    signed = words.astype(np.float32).reshape(shape) - np.float32(32768)
    return signed * np.float32(2**-16)


def normal(shape: Sequence[int], seed: int) -> NDArray[np.float32]:
    """Nearly normal numbers of variance 1 within [-6, 6]: sums of twelve of `uniform`."""
    summands = uniform((_SUMMANDS, *shape), seed)
    return np.asarray(summands.sum(axis=0), np.float32)  # 20 bits: exact in any order
