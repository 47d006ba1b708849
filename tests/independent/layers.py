"""What networks are made of ("Representations"); pictures are (channels, height, width)."""

import math

import numpy as np

Array = np.ndarray
ERF = np.vectorize(math.erf, otypes=[np.float32])


def gelu(x: Array) -> Array:
    return x * (1 + ERF(x / np.float32(math.sqrt(2)))) / 2


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x.clip(-80, 80)))


def layer_norm(x: Array) -> Array:
    """Over channels, without parameters."""
    x = x - x.mean(0)
    return x / np.sqrt((x * x).mean(0) + 1e-6)


def linear(x: Array, values: dict[str, Array], name: str) -> Array:
    """Over the last axis."""
    return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]


def pointwise(x: Array, weight: Array) -> Array:
    """A matrix over channels."""
    return np.einsum("oc,chw->ohw", weight, x, optimize=True)


def convolution(x: Array, values: dict[str, Array], name: str, stride: int = 1) -> Array:
    """In two or three dimensions, padded with floor(kernel / 2) zeros."""
    weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
    space = weight.shape[2:]
    padded = np.pad(x, [(0, 0), *((k // 2, k // 2) for k in space)])
    sides = [(n + 2 * (k // 2) - k) // stride + 1 for n, k in zip(x.shape[1:], space, strict=True)]
    result = np.zeros((len(weight), *sides), np.float32)
    for tap in np.ndindex(*space):
        part = padded[
            (
                slice(None),
                *(slice(i, i + stride * n, stride) for i, n in zip(tap, sides, strict=True)),
            )
        ]
        result += np.tensordot(weight[(..., *tap)], part, 1)
    return result + bias.reshape(-1, *[1] * len(space))


def depthwise(x: Array, weight: Array) -> Array:
    """Every channel with a kernel of its own, (channels, 1, k, k)."""
    k = weight.shape[2]
    padded = np.pad(x, [(0, 0), (k // 2, k // 2), (k // 2, k // 2)])
    _, height, width = x.shape
    result = np.zeros_like(x)
    for i, j in np.ndindex(k, k):
        result += weight[:, 0, i, j, None, None] * padded[:, i : i + height, j : j + width]
    return result


def between(x: Array, positions: Array, axis: int) -> Array:
    """`x` read along an axis at real positions, linearly, edges repeated."""
    positions = np.clip(positions, 0, x.shape[axis] - 1)
    low = np.floor(positions).astype(int)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (positions - low).astype(np.float32).reshape(-1, *[1] * (x.ndim - 1 - axis))
    return x.take(low, axis) * (1 - share) + x.take(high, axis) * share


def enlarge(x: Array, height: int, width: int) -> Array:
    """Bilinear, samples at centres."""
    for axis, size in ((1, height), (2, width)):
        x = between(x, (np.arange(size) + 0.5) * x.shape[axis] / size - 0.5, axis)
    return x


def knots(grid: Array, t: int, num_frames: int) -> Array:
    """A temporal grid (knots, ...) read at frame t."""
    return between(grid, np.array([(t + 0.5) * len(grid) / num_frames - 0.5]), 0)[0]
