"""The discrete cosine transform with a matrix of integers: the same on every machine.

Entries are multiples of 2^-14. On values that are multiples of 2^-24, as half floats and their sums
are, every product and every partial sum is exact in float64 while magnitudes stay below 64 for
sides up to 512, the largest allowed; the result is rounded to that grid again. So neither threads
nor devices matter.
"""

import functools
import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MATRIX_BITS = 14
GRID = 2.0**24
"""Half floats are multiples of 1 / GRID."""
_BITS = 60  # fraction of the integers that the matrix is made from
_PI = 3_622_009_729_038_561_421  # pi 2^60


def _cosine(numerator: int, denominator: int) -> int:
    """cos(pi numerator / denominator) 2^60 for angles from 0 to pi / 2, by its power series."""
    angle = _PI * numerator // denominator
    square = angle * angle >> _BITS
    term = total = 1 << _BITS
    for k in range(1, 16):
        term = -(term * square >> _BITS) // ((2 * k - 1) * 2 * k)
        total += term
    return total


@functools.lru_cache(maxsize=32)
def cosine_matrix(side: int) -> NDArray[np.float64]:
    """Orthonormal DCT-II, (frequency, position), in multiples of 2^-14; its transpose goes back."""
    quarter = [_cosine(k, 2 * side) for k in range(side + 1)]  # angles pi k / (2 side)
    half = quarter + [-value for value in quarter[-2::-1]]
    circle = half + half[-2:0:-1]  # 4 side angles
    norms = [math.isqrt((2 if k else 1) * (1 << 2 * _BITS) // side) for k in range(side)]
    shift = 2 * _BITS - MATRIX_BITS
    rows = [
        [
            (norms[k] * circle[(2 * j + 1) * k % (4 * side)] + (1 << shift - 1)) >> shift
            for j in range(side)
        ]
        for k in range(side)
    ]
    return np.array(rows, np.float64) / (1 << MATRIX_BITS)


def inverse_cosine_transform(coefficients: Tensor, axes: Iterable[int]) -> Tensor:
    """Values of coefficients, float64, of the same shape; one axis after the other.

    Gradients pass the rounding unchanged.
    """
    values = coefficients
    for axis in axes:
        matrix = torch.from_numpy(cosine_matrix(values.shape[axis])).to(values.device)
        values = torch.tensordot(values, matrix, dims=([axis], [0])).movedim(-1, axis)
        rounded = (values.detach() * GRID).round() / GRID
        values = values + (rounded - values.detach())
    return values
