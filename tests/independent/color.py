"""From a network's samples to the planes of the video, in integers ("From samples to planes")."""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

COEFFICIENTS = {  # K_R, K_B
    1: ("0.2126", "0.0722"),
    4: ("0.30", "0.11"),
    5: ("0.299", "0.114"),
    6: ("0.299", "0.114"),
    2: ("0.299", "0.114"),
    7: ("0.212", "0.087"),
    9: ("0.2627", "0.0593"),
}
BLOCKS = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}  # rows, columns of a sample of chroma


def fixed(v: Fraction) -> int:
    return floor(2**20 * v + Fraction(1, 2))


def to_integers(x: np.ndarray, depth: int) -> np.ndarray:
    top = 2**depth - 1
    return np.clip(np.round(np.nan_to_num(x.astype(np.float32)) * top), 0, top).astype(np.int64)


def averaged(plane: np.ndarray, chroma: str) -> np.ndarray:
    rows, columns = BLOCKS[chroma]
    height, width = plane.shape
    plane = np.pad(plane, [(0, -height % rows), (0, -width % columns)], mode="edge")
    blocks = plane.reshape(plane.shape[0] // rows, rows, plane.shape[1] // columns, columns)
    n = rows * columns
    return (blocks.sum((1, 3)) + n // 2) // n


def from_rgb(rgb: np.ndarray, head: dict[str, Any]) -> list[np.ndarray]:
    """Y, U, V at full resolution."""
    depth = head["bit_depth"]
    k_r, k_b = map(Fraction, COEFFICIENTS[head["matrix"]])
    m = 2**depth - 1
    black, luma, span = (16 << depth - 8, 219 << depth - 8, 224 << depth - 8)
    if head["range"] == "full":
        black, luma, span = 0, m, m
    y_r, y_b = fixed(k_r * luma / m), fixed(k_b * luma / m)
    u = fixed(-k_r * span / (2 * (1 - k_b) * m))
    v = fixed(-k_b * span / (2 * (1 - k_r) * m))
    f = fixed(Fraction(span, 2 * m))
    middle = 2 ** (depth - 1)
    y = rgb @ np.array([y_r, fixed(Fraction(luma, m)) - y_r - y_b, y_b]) + (black << 20)
    planes = [y, rgb @ np.array([u, -u - f, f]) + (middle << 20)]
    planes.append(rgb @ np.array([f, -f - v, v]) + (middle << 20))
    return [np.clip(plane + 2**19 >> 20, 0, m) for plane in planes]


def unpacked(samples: np.ndarray, head: dict[str, Any]) -> list[np.ndarray]:
    """Six channels at half size to three planes."""
    h, w, _ = samples.shape
    luma = samples[..., :4].reshape(h, w, 2, 2).transpose(0, 2, 1, 3).reshape(2 * h, 2 * w)
    return [luma[: head["height"], : head["width"]], samples[..., 4], samples[..., 5]]


def planes(samples: np.ndarray, head: dict[str, Any]) -> list[np.ndarray]:
    """The planes of one frame from samples (H, W, C), integers."""
    chroma = head["chroma"]
    if head["samples"] == "yuv420":
        return unpacked(samples, head)
    if head["samples"] == "gray":
        gray = {**head, "matrix": 2}
        return from_rgb(np.repeat(samples, 3, axis=2), gray)[:1]
    if chroma == "rgb":
        return [samples[..., c] for c in range(3)]
    three = (
        [samples[..., c] for c in range(3)] if head["samples"] == "yuv" else from_rgb(samples, head)
    )
    if chroma == "gray":
        return three[:1]
    return [three[0], averaged(three[1], chroma), averaged(three[2], chroma)]
