"""Tensors, their digest, and half floats from integers."""

import hashlib
from dataclasses import dataclass
from math import isqrt, prod

import numpy as np


@dataclass(frozen=True)
class Spec:
    """Name, shape and role of a tensor."""

    name: str
    shape: tuple[int, ...]
    role: str

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass
class Tensor:
    """What a scheme finds: the arrays that the digest runs over, and the values."""

    arrays: list[np.ndarray]
    values: np.ndarray
    product: np.ndarray | None = None
    """Float32, to be added to another segment's values where there is a reference."""


def layer(name: str, *shape: int, outputs: int | None = None) -> list[Spec]:
    """Weight and bias of a linear or convolutional layer."""
    bias = (shape[0] if outputs is None else outputs,)
    return [Spec(f"{name}.weight", shape, "weight"), Spec(f"{name}.bias", bias, "bias")]


def digest(specs: list[Spec], tensors: list[Tensor]) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for spec, tensor in zip(specs, tensors, strict=True):
        state.update(f"{spec.name}:{','.join(map(str, spec.shape))}:{spec.role}\n".encode())
        for array in tensor.arrays:
            state.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return state.digest()


def packed(mask: np.ndarray) -> np.ndarray:
    """A mask as the digest sees it: the first entry in the top bit, zeros at the end."""
    return np.packbits(mask.ravel())


def half(values: np.ndarray) -> np.ndarray:
    """Float32 to float16, clamped, to nearest, ties to even."""
    return np.clip(values, np.float32(-65504), np.float32(65504)).astype(np.float16)


def width_from_log2(k: int) -> float:
    """2^(k / 8) as float16, for k from -160 to 120."""
    octave, eighth = divmod(k, 8)
    m = isqrt(isqrt(isqrt(2 ** (320 + eighth))))
    u = max(octave, -14) - 10
    s = 40 - octave + u
    return float((m + 2 ** (s - 1)) // 2**s) * 2.0**u


WIDTHS = np.array([width_from_log2(k) for k in range(-160, 121)], np.float16)


def widths_from_log2(k: np.ndarray) -> np.ndarray:
    return WIDTHS[np.clip(k, -160, 120) + 160]
