"""nerv: tensors, and one frame."""

from typing import Any

import numpy as np

from independent.layers import convolution, enlarge, gelu, linear, sigmoid
from independent.tensors import Spec, layer

DEFAULTS = {
    "embedding": "positional",
    "embedding_base": 1.25,
    "embedding_length": 80,
    "stem_width": 512,
    "expansion": 1,
    "min_channels": 96,
    "upsampling": "pixel_shuffle",
    "norm": "none",
    "activation": "gelu",
    "output": "tanh",
}

ACTIVATIONS = {
    "gelu": gelu,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "swish": lambda x: x * sigmoid(x),
}


def base_size(s: dict[str, Any], shape: tuple[int, int, int, int]) -> tuple[int, int]:
    total = int(np.prod(s["strides"]))
    return -(-shape[1] // total), -(-shape[2] // total)


def tensors(settings: dict[str, Any], shape: tuple[int, int, int, int]) -> list[Spec]:
    s = DEFAULTS | settings
    h, w = base_size(s, shape)
    inputs = 2 * s["embedding_length"] if s["embedding"] == "positional" else 1
    found = layer("stem.0", s["stem_width"], inputs)
    found += layer("stem.1", s["channels"] * h * w, s["stem_width"])
    a = s["channels"]
    for n, stride in enumerate(s["strides"]):
        b = max(a // 2, s["min_channels"]) if n else s["expansion"] * a
        name = f"block.{n}.conv"
        if s["upsampling"] == "pixel_shuffle":
            found += layer(name, b * stride * stride, a, 3, 3)
        elif s["upsampling"] == "bilinear":
            found += layer(name, b, a, 3, 3)
        else:
            k = stride + 2 * max(stride // 2, 1)
            found += layer(name, a, b, k, k, outputs=b)
        if s["norm"] == "batch":
            for part in ("scale", "shift", "mean", "variance"):
                found.append(Spec(f"block.{n}.norm.{part}", (b,), "norm"))
        a = b
    return found + layer("head", shape[3], a, 1, 1)


def transposed(x: np.ndarray, v: dict[str, np.ndarray], name: str, stride: int) -> np.ndarray:
    weight, bias = v[f"{name}.weight"], v[f"{name}.bias"]
    _, b, k, _ = weight.shape
    _, h, w = x.shape
    p = (k - stride) // 2
    result = np.zeros((b, (h - 1) * stride + k, (w - 1) * stride + k), np.float32)
    for i, j in np.ndindex(k, k):
        part = result[:, i : i + stride * h : stride, j : j + stride * w : stride]
        part += np.tensordot(weight[:, :, i, j].T, x, 1)
    return result[:, p : p + stride * h, p : p + stride * w] + bias[:, None, None]


def upsample(x: np.ndarray, v: dict[str, np.ndarray], name: str, s: int, how: str) -> np.ndarray:
    _, h, w = x.shape
    if how == "transposed":
        return transposed(x, v, name, s)
    if how == "bilinear":
        return convolution(enlarge(x, h * s, w * s), v, name)
    y = convolution(x, v, name).reshape(-1, s, s, h, w)
    return y.transpose(0, 3, 1, 4, 2).reshape(-1, h * s, w * s)


def normed(x: np.ndarray, v: dict[str, np.ndarray], name: str, norm: str) -> np.ndarray:
    if norm == "instance":
        mean, variance = x.mean((1, 2)), x.var((1, 2))
        scale, shift = np.ones_like(mean), np.zeros_like(mean)
    elif norm == "batch":
        scale, shift, mean, variance = (
            v[f"{name}.{part}"] for part in ("scale", "shift", "mean", "variance")
        )
    else:
        return x
    factor = scale / np.sqrt(variance + np.float32(1e-5))
    return (x - mean[:, None, None]) * factor[:, None, None] + shift[:, None, None]


def render(
    settings: dict[str, Any], shape: tuple[int, int, int, int], v: dict[str, np.ndarray], t: int
) -> np.ndarray:
    s = DEFAULTS | settings
    activation = ACTIVATIONS[s["activation"]]
    p = (t + 1) / shape[0]
    x = np.array([p])
    if s["embedding"] == "positional":
        angles = s["embedding_base"] ** np.arange(s["embedding_length"]) * np.pi * p
        x = np.stack([np.sin(angles), np.cos(angles)], axis=1).ravel()
    x = x.astype(np.float32)
    for name in ("stem.0", "stem.1"):
        x = activation(linear(x, v, name))
    x = x.reshape(s["channels"], *base_size(s, shape))
    for n, stride in enumerate(s["strides"]):
        x = upsample(x, v, f"block.{n}.conv", stride, s["upsampling"])
        x = activation(normed(x, v, f"block.{n}.norm", s["norm"]))
    x = convolution(x, v, "head").transpose(1, 2, 0)
    return (np.tanh(x) + 1) / 2 if s["output"] == "tanh" else sigmoid(x)
