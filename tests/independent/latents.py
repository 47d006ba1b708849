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


def enlarged(grid: np.ndarray, cell: int, height: int, width: int) -> np.ndarray:
    """Bilinear, samples at centres, edges repeated."""
    for axis, size in ((1, height), (2, width)):
        n = grid.shape[axis]
        p = np.clip((np.arange(size) + 0.5) / cell - 0.5, 0, n - 1)
        i = np.floor(p).astype(int)
        f = (p - i).reshape((-1, 1) if axis == 1 else (1, -1))
        j = np.minimum(i + 1, n - 1)
        grid = np.take(grid, i, axis) * (1 - f) + np.take(grid, j, axis) * f
    return grid


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


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 2x2."""
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


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
        height, width, _ = planes[0]
        flow = np.zeros((5, height, width))
        if not known:
            return own, flow
        if len(known) == 2:
            a, b = references[i]
            r = (i - a) / (b - a)
            if references[b][:1] == (a,):
                f = known[1][1][:2]
                flow[:2], flow[2:4] = r * f, (r - 1) * f
            else:
                f = known[0][1][2:4]
                flow[:2], flow[2:4] = -r * f, (1 - r) * f
        for k in range(sum(name.startswith("motion") for name in v)):
            flow = flow + enlarged(v[f"motion.{k}"][i], 2 ** (k + 3), height, width)
        share = 1 / (1 + np.exp(-2 * flow[4]))
        found = []
        for number, (_, _, first) in enumerate(planes):
            f = halved(flow) / 2 if first else flow
            p = [read(one[0][number], f[2 * n : 2 * n + 2]) for n, one in enumerate(known)]
            q = halved(share) if first else share
            found.append(own[number] + (p[0] if len(p) == 1 else q * p[0] + (1 - q) * p[1]))
        return found, flow

    picture, _ = frame(t)
    if shape[3] == 6:
        y = picture[0]
        channels = [y[::2, ::2], y[::2, 1::2], y[1::2, ::2], y[1::2, 1::2], *picture[1:]]
    else:
        channels = picture
    return np.clip(np.stack(channels, axis=-1) / 255 + 0.5, 0, 1).astype(np.float32)
