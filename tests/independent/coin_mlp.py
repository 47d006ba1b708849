"""coin_mlp: tensors, and one frame."""

from typing import Any

import numpy as np

from independent.layers import linear, sigmoid
from independent.noise import normal
from independent.tensors import Spec, layer

DEFAULTS = {"axes": "tyx", "activation": "sine", "omega": 30.0, "features": 0, "seed": 0}


def tensors(settings: dict[str, Any], shape: tuple[int, int, int, int]) -> list[Spec]:
    s = DEFAULTS | settings
    inputs = 2 * s["features"] or len(s["axes"])
    widths = [inputs, *[s["width"]] * s["layers"], shape[3]]
    found = []
    for i in range(len(widths) - 1):
        found += layer(f"layer.{i}", widths[i + 1], widths[i])
    return found


def render(
    settings: dict[str, Any], shape: tuple[int, int, int, int], v: dict[str, np.ndarray], t: int
) -> np.ndarray:
    s = DEFAULTS | settings
    frames, height, width, _ = shape
    axes = [(2 * np.arange(n) + 1) / n - 1 for n in (frames, height, width)]
    axes[0] = axes[0][t : t + 1]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)[0].astype(np.float32)
    x = x[..., -len(s["axes"]) :]
    if s["features"]:
        b = normal(s["seed"], len(s["axes"]), s["features"])
        b = b * np.array(s["sigmas"], np.float32)[:, None]
        z = ((x + 1) / 2) @ b
        angles = np.float32(2 * np.pi) * (z - np.floor(z))
        x = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    for i in range(s["layers"]):
        x = linear(x, v, f"layer.{i}")
        x = np.sin(np.float32(s["omega"]) * x) if s["activation"] == "sine" else np.maximum(x, 0)
    return sigmoid(linear(x, v, f"layer.{s['layers']}"))
