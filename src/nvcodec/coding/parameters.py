"""What passes between a fitted representation and a scheme: real parameters in, integers out.

Parameter (float32, role, mask) --quantize--> ParameterSet (symbols, quant scales) --pack--> bytes
FP16 values <--dequantize-- ParameterSet <--unpack-- bytes
"""

import abc
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
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
    """Name, shape and role of one tensor; both sides know it from the representation's settings."""

    name: str
    shape: tuple[int, ...]
    role: Role
    is_prunable: bool = False
    """Whether pruning may set entries of it to zero; no part of the format."""

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
    side: Mapping[str, NDArray[np.float32]] | None = None
    """Side information that a stage learned with the tensor, real-valued; names and units are the
    scheme's (`schemes.hierarchical`). None where nothing was learned."""
    reference: NDArray[np.float16] | None = None
    """Values of another segment; what is coded is the change from them."""


@dataclass(frozen=True)
class CodedTensor(abc.ABC):
    """One tensor as integers, the way a scheme codes it."""

    spec: ParameterSpec

    @abc.abstractmethod
    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values, finite, in the shape of the spec."""

    @abc.abstractmethod
    def digest_parts(self) -> Iterator[bytes]:
        """Everything decoded, in bytes that are the same on every machine."""


@dataclass(frozen=True)
class QuantizedTensor(CodedTensor):
    """Integers and bin widths: value = symbol * quant_scale, zero where the mask is False.

    `quant_scale` is float16 and broadcasts against `symbols` (same number of axes).
    """

    symbols: NDArray[np.int32]
    quant_scale: NDArray[np.float16]
    mask: NDArray[np.bool_] | None = None
    reference: NDArray[np.float16] | None = None
    """What is added, of another segment."""

    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values: symbol * quant_scale in float32 (exact to 24 bits), rounded once, finite.

        With a reference: its sum with the exact product, rounded to float32 and then once more.
        """
        values = self.symbols.astype(np.float32) * self.quant_scale.astype(np.float32)
        if self.reference is not None:
            values += self.reference.astype(np.float32)
        return np.clip(values, -65504, 65504).astype(np.float16)

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols, bin widths, mask."""
        yield self.symbols.astype("<i4").tobytes()
        yield self.quant_scale.astype("<f2").tobytes()
        if self.mask is not None:
            yield np.packbits(self.mask).tobytes()


@dataclass(frozen=True)
class AffineTensor(CodedTensor):
    """Integers from 0: value = symbol * quant_scale + minimum, zero where the mask is False.

    `quant_scale` and `minimum` are float16 and broadcast against `symbols`.
    """

    symbols: NDArray[np.int32]
    quant_scale: NDArray[np.float16]
    minimum: NDArray[np.float16]
    mask: NDArray[np.bool_] | None = None

    def dequantize(self) -> NDArray[np.float16]:
        """FP16 values: an exact product, then a sum in float32, rounded once more, finite."""
        product = self.symbols.astype(np.float32) * self.quant_scale.astype(np.float32)
        values = np.clip(product + self.minimum.astype(np.float32), -65504, 65504)
        if self.mask is not None:
            values = np.where(self.mask, values, np.float32(0))
        return values.astype(np.float16)

    def digest_parts(self) -> Iterator[bytes]:
        """Symbols, bin widths, minima, mask."""
        yield self.symbols.astype("<i4").tobytes()
        yield self.quant_scale.astype("<f2").tobytes()
        yield self.minimum.astype("<f2").tobytes()
        if self.mask is not None:
            yield np.packbits(self.mask).tobytes()


@dataclass(frozen=True)
class HalfTensor(CodedTensor):
    """A tensor stored as half floats."""

    values: NDArray[np.float16]

    def dequantize(self) -> NDArray[np.float16]:
        """The stored values."""
        return self.values

    def digest_parts(self) -> Iterator[bytes]:
        """The stored values."""
        yield self.values.astype("<f2").tobytes()


@dataclass(frozen=True)
class ParameterSet:
    """All tensors of one segment, in the order of the representation's specs."""

    tensors: Sequence[CodedTensor]

    def dequantize(self) -> Mapping[str, NDArray[np.float16]]:
        """FP16 values by name."""
        return {tensor.spec.name: tensor.dequantize() for tensor in self.tensors}

    def digest(self) -> bytes:
        """16-byte BLAKE2b over every decoded integer, scale and mask: equal on every machine."""
        state = hashlib.blake2b(digest_size=16)
        for tensor in self.tensors:
            spec = tensor.spec
            shape = ",".join(map(str, spec.shape))
            state.update(f"{spec.name}:{shape}:{spec.role}\n".encode())
            for part in tensor.digest_parts():
                state.update(part)
        return state.digest()
