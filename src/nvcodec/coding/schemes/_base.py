"""What a scheme is: quantizer, entropy model and entropy coder for a whole parameter set."""

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec
from nvcodec.settings import Settings


class SchemeConfig(Settings):
    """Settings of a scheme; `kind` is the name of its file."""

    kind: str


ConfigT = TypeVar("ConfigT", bound=SchemeConfig)


class Scheme(abc.ABC, Generic[ConfigT]):
    """Fitted parameters <-> tagged sections of bytes.

    `quantize` is the only lossy step; `unpack(pack(x), specs) == x` to the bit, on every machine.
    """

    Config: ClassVar[type[SchemeConfig]]

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abc.abstractmethod
    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Real values to symbols and quant scales."""

    @abc.abstractmethod
    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """Sections by four-letter tag (MASK, QSCL, ENTP, SYMB, RAWF); integers only from here on."""

    @abc.abstractmethod
    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`.

        Raises:
            BitstreamError: for any sections that `pack` could not have written for these specs.
        """
