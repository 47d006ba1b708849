"""weightstep: tensors, one frame, and the cosine transform of its steps."""

from functools import cache
from math import isqrt
from typing import Any

import numpy as np

from independent import coin_mlp, image_cnn
from independent.tensors import Spec

BASES = {"coin_mlp": coin_mlp, "image_cnn": image_cnn}


def tensors(settings: dict[str, Any], shape: tuple[int, int, int, int]) -> list[Spec]:
    base = BASES[settings["base"]["kind"]].tensors(settings["base"], (1, *shape[1:]))
    anchors = [Spec(f"anchor.{spec.name}", spec.shape, spec.role) for spec in base]
    steps = [Spec(f"step.{i}", (shape[0] - 1, *spec.shape), "delta") for i, spec in enumerate(base)]
    return anchors + steps


def render(
    settings: dict[str, Any], shape: tuple[int, int, int, int], v: dict[str, np.ndarray], t: int
) -> np.ndarray:
    base, one = BASES[settings["base"]["kind"]], (1, *shape[1:])
    weights = {}
    for i, spec in enumerate(base.tensors(settings["base"], one)):
        total = v[f"step.{i}"][:t].astype(np.float64).sum(0)
        if settings.get("domain", "weight") == "dct":
            total = inverse_transform(total)
        anchor = v[f"anchor.{spec.name}"].astype(np.float64)
        weights[spec.name] = (anchor + total).astype(np.float32)
    return base.render(settings["base"], one, weights, 0)


def inverse_transform(values: np.ndarray) -> np.ndarray:
    for axis in range(min(values.ndim, 2)):
        matrix = cosines(values.shape[axis]).astype(np.float64) / 2**14
        values = np.moveaxis(np.tensordot(matrix, values, (0, axis)), 0, axis)
        values = np.round(values * 2**24) / 2**24
    return values


@cache
def cosines(n: int) -> np.ndarray:
    """Entries (k, j) of the matrix of side n, in 2^-14."""
    quarter = [cosine(m, n) for m in range(n + 1)]
    matrix = np.zeros((n, n), np.int64)
    for k, j in np.ndindex(n, n):
        m = (2 * j + 1) * k % (4 * n)  # the angle pi m / (2 n)
        m = min(m, 4 * n - m)
        c = quarter[m] if m <= n else -quarter[2 * n - m]
        matrix[k, j] = isqrt((2 if k else 1) * 2**120 // n) * c + 2**105 >> 106
    return matrix


def cosine(m: int, n: int) -> int:
    """Of the angle pi m / (2 n), m = 0 .. n, in 2^-60."""
    a = 3622009729038561421 * m // (2 * n)
    q = a * a >> 60
    term = total = 2**60
    for i in range(1, 16):
        term = -(term * q >> 60) // ((2 * i - 1) * 2 * i)
        total += term
    return total
