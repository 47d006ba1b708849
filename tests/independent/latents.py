"""latents: tensors, and one frame."""

from typing import Any

import numpy as np

from independent.hierarchy import layers
from independent.tensors import Spec

DEFAULTS = {"levels": 3, "anchor_every": 16}
STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
LOW, HIGH = 1.139764, 0.887277
Shape = tuple[int, int, int, int]


def layout(s: dict[str, Any], shape: Shape) -> tuple[int, int, list[tuple[int, int, int]], int]:
    """Canvas, (height, width, first scale) of each plane, and the number of scales."""
    unit = 2 ** s["levels"]
    h, w = (-(-n // unit) * unit for n in shape[1:3])
    if shape[3] == 6:
        return h, w, [(2 * h, 2 * w, 0), (h, w, 1), (h, w, 1)], s["levels"] + 1
    return h, w, [(h, w, 0)] * shape[3], s["levels"]


def tensors(settings: dict[str, Any], shape: Shape) -> list[Spec]:
    s = DEFAULTS | settings
    planes, scales = layout(s, shape)[2:]
    height, width, _ = planes[0]
    frames = shape[0]
    base = (frames, len(planes), height >> scales, width >> scales)
    found = [Spec("base", base, "grid")]
    for k in range(scales):
        bands = 3 * sum(first <= k for _, _, first in planes)
        size = (height >> (k + 1), width >> (k + 1))
        found.append(Spec(f"detail.{k}", (frames, bands, *size), "grid"))
    k = 0
    while frames > 1:
        cells = tuple(-(-n // 2 ** (k + 3)) for n in (height, width))
        found.append(Spec(f"motion.{k}", (frames, 5, *cells), "grid"))
        if cells == (1, 1):
            break
        k += 1
    return found


def merge(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Samples along the first axis."""
    e, o = low / np.float32(LOW), high / np.float32(HIGH)
    for i in (3, 2, 1, 0):
        step = np.float32(STEPS[i])
        if i % 2:
            e = e - step * (o + np.concatenate([o[:1], o[:-1]]))
        else:
            o = o - step * (e + np.concatenate([e[1:], e[-1:]]))
    x = np.empty((2 * len(e), *e.shape[1:]), np.float32)
    x[::2], x[1::2] = e, o
    return x


def residual(v: dict[str, np.ndarray], planes: list, scales: int, t: int) -> list[np.ndarray]:
    found = []
    for number, (_, _, first) in enumerate(planes):
        x = v["base"][t, number]
        for k in range(scales - 1, first - 1, -1):
            start = 3 * sum(f <= k for _, _, f in planes[:number])
            along_x, along_y, both = v[f"detail.{k}"][t, start : start + 3]
            left, right = merge(x, along_y), merge(along_x, both)
            x = merge(left.T, right.T).T
        found.append(x)
    return found


def places(size: int, cell: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every sample the cells before and behind it, and how far it is from the first."""
    p = (np.arange(size) + 0.5) / cell - 0.5
    n = np.floor(p).astype(int)
    return np.clip(n, 0, count - 1), np.clip(n + 1, 0, count - 1), p - n


def enlarged(values: np.ndarray, cell: int, height: int, width: int) -> np.ndarray:
    """Bilinear between cells."""
    i, j, f = places(height, cell, values.shape[1])
    values = values[:, i] * (1 - f)[:, None] + values[:, j] * f[:, None]
    i, j, f = places(width, cell, values.shape[2])
    return values[:, :, i] * (1 - f) + values[:, :, j] * f


def cubic(f: np.ndarray) -> list[np.ndarray]:
    """Weights of the four samples around a place f behind the second."""
    a = -0.75

    def near(x: np.ndarray) -> np.ndarray:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: np.ndarray) -> np.ndarray:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(f + 1), near(f), near(1 - f), far(2 - f)]


def read(plane: np.ndarray, flow: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    y = np.arange(height)[:, None] + flow[0]
    x = np.arange(width)[None] + flow[1]
    iy, ix = np.floor(y).astype(int), np.floor(x).astype(int)
    wy, wx = cubic(y - iy), cubic(x - ix)
    total = np.zeros_like(plane, np.float64)
    for i in range(4):
        rows = np.clip(iy + i - 1, 0, height - 1)
        for j in range(4):
            total += wy[i] * wx[j] * plane[rows, np.clip(ix + j - 1, 0, width - 1)]
    return total


def overlapped(plane: np.ndarray, motion: np.ndarray, cell: int) -> np.ndarray:
    *rows, f = places(plane.shape[0], cell, motion.shape[1])
    *columns, g = places(plane.shape[1], cell, motion.shape[2])
    f, g = 3 * f**2 - 2 * f**3, 3 * g**2 - 2 * g**3
    total = np.zeros_like(plane, np.float64)
    for row, down in zip(rows, (1 - f, f), strict=True):
        for column, across in zip(columns, (1 - g, g), strict=True):
            total += down[:, None] * across * read(plane, motion[:, row][:, :, column])
    return total


def blended(planes: list[np.ndarray], motion: np.ndarray, cell: int) -> np.ndarray:
    height, width = planes[0].shape
    first, second = (
        read(plane, enlarged(motion[2 * n : 2 * n + 2], cell, height, width) * (cell / 8))
        for n, plane in enumerate(planes)
    )
    share = 1 / (1 + np.exp(-2 * enlarged(motion[4:], cell, height, width)[0]))
    return share * first + (1 - share) * second


def render(settings: dict[str, Any], shape: Shape, v: dict[str, np.ndarray], t: int) -> np.ndarray:
    s = DEFAULTS | settings
    planes, scales = layout(s, shape)[2:]
    references = {
        frame: refs
        for _, frames, all_refs in layers(shape[0], s["anchor_every"])
        for frame, refs in zip(frames, all_refs, strict=True)
    }
    done: dict[int, tuple[list[np.ndarray], np.ndarray]] = {}

    def frame(i: int) -> tuple[list[np.ndarray], np.ndarray]:
        if i not in done:
            done[i] = predict(i, [frame(r) for r in references[i]])
        return done[i]

    def predict(i: int, known: list) -> tuple[list[np.ndarray], np.ndarray]:
        own = residual(v, planes, scales, i)
        rows, columns = (-(-n // 8) for n in planes[0][:2])
        motion = np.zeros((5, rows, columns))
        if not known:
            return own, motion
        if len(known) == 2:
            a, b = references[i]
            r = (i - a) / (b - a)
            if references[b][:1] == (a,):
                f = known[1][1][:2]
                motion[:2], motion[2:4] = r * f, (r - 1) * f
            else:
                f = known[0][1][2:4]
                motion[:2], motion[2:4] = -r * f, (1 - r) * f
        for k in range(sum(name.startswith("motion") for name in v)):
            grid = v[f"motion.{k}"][i]
            if len(known) == 2:
                motion = motion + enlarged(grid, 2**k, rows, columns)
            else:
                motion = motion + np.kron(grid, np.ones((1, 2**k, 2**k)))[:, :rows, :columns]
        found = []
        for number, (_, _, first) in enumerate(planes):
            cell, moving = 8 >> first, [one[0][number] for one in known]
            if len(known) == 1:
                found.append(own[number] + overlapped(moving[0], motion[:2] * (cell / 8), cell))
            else:
                found.append(own[number] + blended(moving, motion, cell))
        return found, motion

    picture, _ = frame(t)
    if shape[3] == 6:
        y = picture[0]
        channels = [y[::2, ::2], y[::2, 1::2], y[1::2, ::2], y[1::2, 1::2], *picture[1:]]
    else:
        channels = picture
    return np.clip(np.stack(channels, axis=-1) / 255 + 0.5, 0, 1).astype(np.float32)
