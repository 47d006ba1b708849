"""What passes between a fitted representation and a scheme: real-valued parameters in, integers and scales out.

    Parameter (float32 + role + mask)  --quantize-->  ParameterSet (symbols + quant scales)  --pack-->  bytes
    FP16 values  <--dequantize--  ParameterSet  <--unpack--  bytes
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Role(StrEnum):
    """What a parameter is to a scheme."""

    GRID = "grid"
    WEIGHT = "weight"
    BIAS = "bias"
    NORM = "norm"
    DELTA = "delta"


class ParameterSpec(NamedTuple):
    """Name, shape and role of one tensor; known to both sides from the representation's settings alone."""

    name: str
    shape: tuple[int, ...]
    role: Role

    @property
    def num_values(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Parameter:
    """A fitted tensor, as `fit` hands it over."""

    spec: ParameterSpec
    values: NDArray[np.float32]
    mask: NDArray[np.bool_] | None = None
    """True where the entry is kept; None when nothing was pruned."""


@dataclass(frozen=True)
class QuantizedTensor:
    """Integers and bin widths: value = symbol * quant_scale, zero where the mask is False.

    `quant_scale` is float16 and broadcasts against `symbols` (same number of axes).
    """

    spec: ParameterSpec
    symbols: NDArray[np.int32]
    quant_scale: NDArray[np.float16]
    mask: NDArray[np.bool_] | None = None

    def dequantize(self) -> NDArray[np.float16]:
        """symbol * quant_scale, computed in float32 (exact to 24 bits) and rounded once to float16."""
        values = self.symbols.astype(np.float32) * self.quant_scale.astype(np.float32)
        return values.astype(np.float16)


@dataclass(frozen=True)
class HalfTensor:
    """A tensor stored as half floats."""

    spec: ParameterSpec
    values: NDArray[np.float16]

    def dequantize(self) -> NDArray[np.float16]:
        """The stored values."""
        return self.values


@dataclass(frozen=True)
class ParameterSet:
    """All tensors of one segment, in the order of the representation's specs."""

    tensors: Sequence[QuantizedTensor | HalfTensor]

    def dequantize(self) -> Mapping[str, NDArray[np.float16]]:
        """FP16 values by name."""
        return {tensor.spec.name: tensor.dequantize() for tensor in self.tensors}

    def digest(self) -> bytes:
        """16-byte BLAKE2b over every decoded integer, scale and mask: equal on every machine."""
        state = hashlib.blake2b(digest_size=16)
        for tensor in self.tensors:
            name, shape, role = tensor.spec
            state.update(f"{name}:{','.join(map(str, shape))}:{role}\n".encode())
            if isinstance(tensor, HalfTensor):
                state.update(tensor.values.astype("<f2").tobytes())
                continue
            state.update(tensor.symbols.astype("<i4").tobytes())
            state.update(tensor.quant_scale.astype("<f2").tobytes())
            if tensor.mask is not None:
                state.update(np.packbits(tensor.mask).tobytes())
        return state.digest()
