"""Pruning masks, symmetric symbols, a static table a tensor, range coder: HiNeRV's bitstream.

    tensors with two axes or more --quantize--> symbols + quant scales + mask    MASK, QSCL, SYMB
    the others (biases, norms)    --quantize--> half floats                      RAWF
    the tables of all four streams                                               ENTP

Each of MASK, QSCL, SYMB and RAWF is one range coder stream, ENTP a bit stream; all run over the
tensors in the order of the specs, and a section without content is left out. How many symbols there
are follows from the specs and the masks, never from a count in the file. Field by field, for a
tensor of symbols:

    ENTP  1 bit: has a mask; if so, 12 bits: probability that an entry is kept
    MASK  one Bernoulli symbol an entry, if there is a mask
    ENTP  5 + m bits: first bin width, as the upper bits of a float16 with m bits of mantissa
    ENTP  if there are several bin widths: 4 bits: width d of the signed differences from the first;
          if d > 0: a table of d bits
    QSCL  if d > 0: the difference for every further bin width
    ENTP  a table of `bits` bits, if any entry is kept
    SYMB  one symbol for every kept entry

for a tensor of weight steps, whose rows are mostly zero:

    ENTP  1 bit: some entry is not zero; if so:
    ENTP  5 + m bits: bin width; 12 bits: share of changed entries in the first row, in 1/4096
    MASK  row by row, class by class (`coding.change_model`): whether each entry is not zero
    ENTP  4 bits: width d of the signed symbols that are not zero, of which positive ones are
          lowered by one; if d > 0: a table of d bits
    SYMB  if d > 0: those symbols, row by row, in a row from first to last

and, after those, for all half floats together, if there are any:

    ENTP  5 bits: commonest exponent field; a table of 6 bits for the signed difference from it
    RAWF  the differences of all values; then of all values sign and mantissa, one of 2^11 equally
          probable symbols

A segment may have one reference. Its tensors of symbols and of weight steps then are changes: value
= that of the segment referred to + symbol x bin width, where that has a tensor of the same name and
shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nvcodec.coding.arithmetic_streams import TAGS, StreamReader, StreamWriter, steps_scale_shape
from nvcodec.coding.parameters import (
    CodedTensor,
    HalfTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    QuantizedTensor,
    Role,
)
from nvcodec.coding.quantizer import (
    quant_scale_shape,
    quantize,
    symmetric_quant_scale,
)
from nvcodec.coding.scheme import (
    Scheme,
    SchemeConfig,
    half_tensor,
    kept_values,
)


class ArithmeticConfig(SchemeConfig):
    """Settings of the scheme."""

    kind: Literal["arithmetic"] = "arithmetic"
    bits: int = Field(default=6, ge=2, le=12, description="bits of a symbol before coding")
    """HiNeRV, section 4.2: 6."""
    quant_scale_mantissa_bits: int = Field(
        default=4, ge=1, le=7, description="precision to which bin widths are rounded up"
    )
    """Differs from HiNeRV, which stores 10: half the side information, bins 3 % wider on average.
    Wider bins trade rate against distortion as fewer bits would: only the saving is left."""


class Arithmetic(Scheme[ArithmeticConfig]):
    """Static entropy models, the cheaper of a parametric and an explicit table for each tensor.

    Source: HiNeRV, sections 3.6 and 4.2. Differs: tables are integers and coded; bin widths are
    rounded before use.
    """

    Config = ArithmeticConfig
    tags = TAGS
    max_references = 1

    def side_shapes(self, spec: ParameterSpec) -> dict[str, tuple[int, ...]]:
        """Bin widths, where a stage has chosen them."""
        if not _has_symbols(spec):
            return {}
        shape = steps_scale_shape if _is_steps(spec) else quant_scale_shape
        return {"quant_scale": shape(spec.shape)}

    @property
    def bits_per_value(self) -> float:
        """hinerv-mini: 5.05 bits of 6."""
        return 0.84 * self.config.bits

    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Symbols for weight steps and tensors with at least two axes, half floats for the others.

        Side information `quant_scale` of a parameter takes the place of bin widths chosen here.
        """
        return ParameterSet([self._quantize(parameter) for parameter in parameters])

    def _quantize(self, parameter: Parameter) -> QuantizedTensor | HalfTensor:
        if not _has_symbols(parameter.spec):
            return half_tensor(parameter)
        bits, mantissa_bits = self.config.bits, self.config.quant_scale_mantissa_bits
        values, mask, reference = kept_values(parameter), parameter.mask, parameter.reference
        if reference is not None:
            assert mask is None, f"{parameter.spec.name}: pruned, and a change"
            values = values - reference.astype(np.float32)
        if parameter.side is not None:
            quant_scale = parameter.side["quant_scale"].astype(np.float16)
        elif _is_steps(parameter.spec):
            one_slice = values.reshape(-1, 1)
            quant_scale = symmetric_quant_scale(one_slice, bits, mantissa_bits)
            quant_scale = quant_scale.reshape(steps_scale_shape(parameter.spec.shape))
        else:
            quant_scale = symmetric_quant_scale(values, bits, mantissa_bits)
        symbols = quantize(values, quant_scale, bits)
        if _is_steps(parameter.spec):
            mask = None  # zeros are cheap
            if not symbols.any():
                quant_scale = np.ones_like(quant_scale)  # which is then not stored
        if mask is not None and mask.all():
            mask = None
        return QuantizedTensor(parameter.spec, symbols, quant_scale, mask, reference)

    def values(
        self, parameters: ParameterSet, references: Sequence[Mapping[str, NDArray[np.float16]]]
    ) -> Mapping[str, NDArray[np.float16]]:
        """See the base class; with a reference, tensors of symbols are changes of its values."""
        before = references[0] if references else {}
        tensors = [
            replace(tensor, reference=before[tensor.spec.name])
            if isinstance(tensor, QuantizedTensor)
            and self.codes_change(tensor.spec, before.get(tensor.spec.name))
            else tensor
            for tensor in parameters.tensors
        ]
        return super().values(ParameterSet(tensors), references)

    def codes_change(self, spec: ParameterSpec, before: NDArray[np.float16] | None) -> bool:
        """Of symbols, and in the same shape."""
        return _has_symbols(spec) and before is not None and before.shape == spec.shape

    def restored_side(self, tensor: CodedTensor) -> Mapping[str, NDArray[np.float32]]:
        """Bin widths."""
        if not isinstance(tensor, QuantizedTensor):
            return {}
        return {"quant_scale": tensor.quant_scale.astype(np.float32)}

    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """Sections that are not empty, tables chosen per tensor."""
        writer = StreamWriter(self.config.bits, self.config.quant_scale_mantissa_bits)
        halves = []
        for tensor in parameters.tensors:
            if isinstance(tensor, HalfTensor):
                assert not _has_symbols(tensor.spec), tensor.spec
                halves.append(tensor.values)
            else:
                assert isinstance(tensor, QuantizedTensor), tensor.spec
                (writer.add_steps if _is_steps(tensor.spec) else writer.add)(tensor)
        writer.add_halves(halves)
        return writer.sections()

    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`."""
        bits, mantissa_bits = self.config.bits, self.config.quant_scale_mantissa_bits
        reader = StreamReader(bits, mantissa_bits, self.take_sections(sections))
        quantized = iter(
            [
                reader.take_steps(spec) if _is_steps(spec) else reader.take(spec)
                for spec in specs
                if _has_symbols(spec)
            ]
        )
        halves = iter(reader.take_halves([spec for spec in specs if not _has_symbols(spec)]))
        reader.finish()
        return ParameterSet(
            [next(quantized) if _has_symbols(spec) else next(halves) for spec in specs]
        )


def _is_steps(spec: ParameterSpec) -> bool:
    return spec.role is Role.DELTA


def _has_symbols(spec: ParameterSpec) -> bool:
    return len(spec.shape) >= 2 or _is_steps(spec)
