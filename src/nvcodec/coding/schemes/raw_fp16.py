"""Half floats without any coding: what COIN stores, and a yardstick for the other schemes.

One section, RAWF: the values of every tensor, little-endian, in the order of the specs. Pruning
masks do not travel; a pruned entry is a stored zero.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from nvcodec.coding.parameters import HalfTensor, Parameter, ParameterSet, ParameterSpec
from nvcodec.coding.scheme import Scheme, SchemeConfig, half_tensor
from nvcodec.cursors import Cursor
from nvcodec.errors import MalformedError


class RawFp16Config(SchemeConfig):
    """No settings."""

    kind: Literal["raw_fp16"] = "raw_fp16"


class RawFp16(Scheme[RawFp16Config]):
    """Every parameter as a half float.

    Source: COIN, section 4: half precision halves the size at almost no loss.
    """

    Config = RawFp16Config
    tags: ClassVar[Mapping[str, str]] = {"RAWF": "half floats"}  # fmt: skip

    @property
    def bits_per_value(self) -> float:
        """A half float."""
        return 16.0

    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Rounds to half precision."""
        return ParameterSet([half_tensor(parameter) for parameter in parameters])

    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """All values in one section."""
        parts = []
        for tensor in parameters.tensors:
            assert isinstance(tensor, HalfTensor), tensor.spec.name
            parts.append(tensor.values.astype("<f2").tobytes())
        return {"RAWF": b"".join(parts)}

    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`."""
        (data,) = self.take_sections(sections)
        reader = Cursor(data, "section RAWF")
        tensors = []
        for spec in specs:
            values = np.frombuffer(reader.take(2 * spec.num_values), "<f2").astype(np.float16)
            if not np.isfinite(values).all():
                raise MalformedError(f"section RAWF, tensor {spec.name}: values must be finite")
            tensors.append(HalfTensor(spec, values.reshape(spec.shape)))
        reader.finish()
        return ParameterSet(tensors)
