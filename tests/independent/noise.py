"""Fixed random numbers from integers ("coin_mlp")."""

import numpy as np


def words(seed: int, count: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        s = np.uint64((seed % 2**32) << 32) + np.uint64(1) + np.arange(count, dtype=np.uint64)
        s = s * np.uint64(0x9E3779B97F4A7C15)
        s = (s ^ s >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        s = (s ^ s >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return s ^ s >> np.uint64(31)


def uniform(seed: int, *shape: int) -> np.ndarray:
    top = (words(seed, int(np.prod(shape))) >> np.uint64(48)).astype(np.int64)
    return ((top - 32768) / 65536).astype(np.float32).reshape(shape)


def normal(seed: int, *shape: int) -> np.ndarray:
    return uniform(seed, 12, *shape).sum(0)
