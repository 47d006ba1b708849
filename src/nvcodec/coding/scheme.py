"""What a scheme is: quantizer, entropy model and entropy coder for a whole parameter set."""

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.parameters import (
    CodedTensor,
    HalfTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    Role,
)
from nvcodec.coding.quantizer import MAX_HALF
from nvcodec.config import Config
from nvcodec.errors import MalformedError


class SchemeConfig(Config):
    """Settings of a scheme; `kind` is the name of its file."""

    kind: str


ConfigT = TypeVar("ConfigT", bound=SchemeConfig)
BITS_PER_SPARSE_VALUE = 1.2
"""Of weight steps, most of which are zero; measured with weightstep-mlp-two-stage."""
BYTES_PER_VALUE = 26
"""Of a value while it is decoded: its integer, bin width, mean and spread, and the half float."""


class Scheme(abc.ABC, Generic[ConfigT]):
    """Fitted parameters <-> tagged sections of bytes.

    `quantize` is the only lossy step; `unpack(pack(x), specs) == x` to the bit, on every machine.
    """

    Config: ClassVar[type[SchemeConfig]]
    tags: ClassVar[Mapping[str, str]]
    """Sections that it owns, and what is in them."""
    max_references: ClassVar[int] = 0
    """Earlier segments that one may be coded with."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abc.abstractmethod
    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Real values to symbols and quant scales."""

    def restore(self, parameters: ParameterSet) -> list[Parameter]:
        """Values as decoded, masks and side information: what a fitting can go on from.

        Where the scheme has side information, `quantize` gives the same integers again.
        """
        return [
            Parameter(
                tensor.spec,
                tensor.dequantize().astype(np.float32),
                getattr(tensor, "mask", None),
                self.restored_side(tensor) or None,
            )
            for tensor in parameters.tensors
        ]

    def restored_side(self, tensor: CodedTensor) -> Mapping[str, NDArray[np.float32]]:
        """Side information of a tensor, as `side_shapes` names it."""
        return {}

    @abc.abstractmethod
    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """Sections by tag (MASK, QSCL, ENTP, SYMB, RAWF); integers only from here on."""

    def side_shapes(self, spec: ParameterSpec) -> Mapping[str, tuple[int, ...]]:
        """What the scheme wants learned with a tensor, as in `Parameter.side`: shapes by name."""
        return {}

    @property
    @abc.abstractmethod
    def bits_per_value(self) -> float:
        """What an entry of a dense tensor takes in all, measured; for predictions."""

    def expected_bits(
        self, specs: Sequence[ParameterSpec], bits_per_value: float | None = None
    ) -> float:
        """Bits to expect for these tensors before anything is fitted.

        Args:
            specs: the tensors.
            bits_per_value: in place of the scheme's own.
        """
        dense = bits_per_value or self.bits_per_value
        return sum(
            spec.num_values * (BITS_PER_SPARSE_VALUE if spec.role is Role.DELTA else dense)
            for spec in specs
        )

    def take_sections(self, sections: Mapping[str, bytes]) -> list[bytes]:
        """Its sections in the order of `tags`; one that is not there is empty.

        Raises:
            MalformedError: a section that nobody owns.
        """
        if surplus := sorted(set(sections) - set(self.tags)):
            raise MalformedError(
                f"sections {', '.join(surplus)} present, only {', '.join(self.tags)} allowed"
            )
        return [bytes(sections.get(tag, b"")) for tag in self.tags]

    def values(
        self, parameters: ParameterSet, references: Sequence[Mapping[str, NDArray[np.float16]]]
    ) -> Mapping[str, NDArray[np.float16]]:
        """Half floats of a segment from its integers, and from values of the segments it names.

        Raises:
            MalformedError: it names more than the scheme takes.
        """
        if len(references) > self.max_references:
            raise MalformedError(
                f"{len(references)} references to earlier segments, allowed by the scheme "
                f"{self.config.kind}: {self.max_references}"
            )
        return parameters.dequantize()

    def codes_change(self, spec: ParameterSpec, before: NDArray[np.float16] | None) -> bool:
        """Whether a tensor is coded as a change of what a segment referred to has by its name."""
        return False

    def group_bits(self, parameters: ParameterSet) -> dict[str, float]:
        """Ideal code length in bits of groups of tensors, where the scheme can tell."""
        return {}

    def memory_bytes(self, specs: Sequence[ParameterSpec]) -> int:
        """Memory that `unpack` may need for these tensors, about."""
        return BYTES_PER_VALUE * sum(spec.num_values for spec in specs)

    def macs(self, specs: Sequence[ParameterSpec]) -> int:
        """Multiply-adds of the models that `unpack` evaluates for these tensors."""
        return 0

    @abc.abstractmethod
    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`.

        Raises:
            BitstreamError: for any sections that `pack` could not have written for these specs.
        """


def kept_values(parameter: Parameter) -> NDArray[np.float32]:
    """The values of a fitted tensor, zero where it is pruned, within the range of half floats.

    Raises:
        ValueError: a value is infinite or not a number.
    """
    values = parameter.values.astype(np.float32)
    assert values.shape == parameter.spec.shape, parameter.spec
    if not np.isfinite(values).all():
        raise ValueError(f"tensor {parameter.spec.name}: every value must be finite")
    values = np.clip(values, -MAX_HALF, MAX_HALF)
    return values if parameter.mask is None else np.where(parameter.mask, values, np.float32(0))


def half_tensor(parameter: Parameter) -> HalfTensor:
    """A fitted tensor in half precision; its mask lives on as zeros."""
    return HalfTensor(parameter.spec, kept_values(parameter).astype(np.float16))
