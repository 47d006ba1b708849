"""image_cnn: tensors, and one frame."""

from typing import Any

import numpy as np

from independent.layers import convolution, enlarge, gelu, sigmoid
from independent.noise import uniform
from independent.tensors import Spec, layer

DEFAULTS = {"scales": 4, "noise_channels": 8, "skip_channels": 4, "kernel_size": 3, "seed": 0}


def tensors(settings: dict[str, Any], shape: tuple[int, int, int, int]) -> list[Spec]:
    s = DEFAULTS | settings
    c, k, skip = s["channels"], s["kernel_size"], s["skip_channels"]
    found = []
    for i in range(s["scales"]):
        into = c if i else s["noise_channels"]
        found += layer(f"scale.{i}.encoder", c, into, k, k)
        if skip:
            found += layer(f"scale.{i}.skip", skip, into, 1, 1)
        found += layer(f"scale.{i}.decoder", c, c + skip, k, k)
    return found + layer("head", shape[3], c, 1, 1)


def render(
    settings: dict[str, Any], shape: tuple[int, int, int, int], v: dict[str, np.ndarray], t: int
) -> np.ndarray:
    s = DEFAULTS | settings
    unit = 2 ** s["scales"]
    canvas = [-(-n // unit) * unit for n in shape[1:3]]
    x = uniform(s["seed"] + t, s["noise_channels"], *canvas) * np.float32(np.sqrt(12))
    inputs = []
    for i in range(s["scales"]):
        inputs.append(x)
        x = gelu(convolution(x, v, f"scale.{i}.encoder", stride=2))
    for i in reversed(range(s["scales"])):
        x = enlarge(x, 2 * x.shape[1], 2 * x.shape[2])
        if s["skip_channels"]:
            x = np.concatenate([x, gelu(convolution(inputs[i], v, f"scale.{i}.skip"))])
        x = gelu(convolution(x, v, f"scale.{i}.decoder"))
    return sigmoid(convolution(x, v, "head")).transpose(1, 2, 0)
