"""The five streams of the arithmetic scheme, written and read, method by method in mirror image.

`schemes.arithmetic` says, field by field, what is in which.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.cdf import (
    MAX_SYMBOL_BITS,
    PROBABILITY_BITS,
    TableCode,
    bernoulli_table,
    cheapest_table,
    uniform_table,
)
from nvcodec.coding.change_model import ChangeModel
from nvcodec.coding.parameters import HalfTensor, ParameterSpec, QuantizedTensor
from nvcodec.coding.quantizer import (
    HALF_INFINITY_BITS,
    HALF_MANTISSA_BITS,
    quant_scale_shape,
    symbol_range,
)
from nvcodec.coding.range_coder import RangeDecoder, RangeEncoder
from nvcodec.errors import MalformedError

TAGS = {
    "ENTP": "entropy parameters",
    "MASK": "pruning masks",
    "QSCL": "quant scales",
    "SYMB": "coded symbols",
    "RAWF": "half floats",
}
EXPONENT_BITS = 5  # of a half float
EXPONENT_DIFFERENCE_BITS = EXPONENT_BITS + 1
DIFFERENCE_WIDTH_BITS = 4
NUM_SHARES = 1 << PROBABILITY_BITS
FRACTION_BITS = 1 + HALF_MANTISSA_BITS  # sign and mantissa of a half float


def steps_scale_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of the one bin width of a tensor of weight steps."""
    return (1,) * len(shape)


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    """A tensor of weight steps as (steps, entries)."""
    return array.reshape(array.shape[0] if array.ndim else 1, -1 if array.size else 0)


def _signed_bits(values: NDArray[np.int64]) -> int:
    """Width of the narrowest signed integer that holds all values; 0 when all are zero."""
    if not values.any():
        return 0
    return 1 + int(np.where(values < 0, ~values, values).max()).bit_length()


class StreamWriter:
    """The five streams while they are written.

    Args:
        bits: of a symbol.
        mantissa_bits: of a bin width.
    """

    def __init__(self, bits: int, mantissa_bits: int) -> None:
        self._bits = bits
        self._mantissa_bits = mantissa_bits
        self._tables = BitWriter()
        self._masks = RangeEncoder()
        self._quant_scales = RangeEncoder()
        self._symbols = RangeEncoder()
        self._halves = RangeEncoder()

    def _encode(self, encoder: RangeEncoder, symbols: NDArray[np.integer[Any]], bits: int) -> None:
        """Choose a table for signed symbols, write it, and code them under it."""
        low, high = symbol_range(bits)
        assert low <= symbols.min() <= symbols.max() <= high, f"symbols outside {low} to {high}"
        indices = symbols.astype(np.int64) - low
        code = cheapest_table(np.bincount(indices, minlength=1 << bits))
        code.write(self._tables)
        encoder.encode(indices, code.table())

    def add(self, tensor: QuantizedTensor) -> None:
        """Write a tensor of symbols: mask, bin widths, symbols."""
        shape = tensor.spec.shape
        assert tensor.symbols.shape == shape, tensor.spec
        assert tensor.quant_scale.shape == quant_scale_shape(shape), tensor.spec
        kept = self._add_mask(tensor)
        self._add_quant_scale(tensor.quant_scale)
        if kept.size:
            self._encode(self._symbols, kept, self._bits)

    def add_steps(self, tensor: QuantizedTensor) -> None:
        """Write a tensor whose rows are mostly zero: bin width, positions, values."""
        rows = _rows(tensor.symbols)
        changed = rows != 0
        self._tables.write(bool(changed.any()), 1)
        if not changed.any():
            return
        self._add_quant_scale(tensor.quant_scale)
        share = min(int(changed[0].sum()) * NUM_SHARES // rows.shape[1], NUM_SHARES - 1)
        self._tables.write(share, PROBABILITY_BITS)
        model = ChangeModel(rows.shape[1], share)
        for row in changed:
            for members, table in model.groups():
                self._masks.encode(row[members].astype(np.int32), table)
            model.update(row)
        values = rows[changed].astype(np.int64)
        values -= values > 0
        bits = _signed_bits(values)
        self._tables.write(bits, DIFFERENCE_WIDTH_BITS)
        if bits:
            self._encode(self._symbols, values, bits)

    def _add_mask(self, tensor: QuantizedTensor) -> NDArray[np.int32]:
        """Write the mask; gives the symbols that it keeps."""
        mask = tensor.mask
        self._tables.write(mask is not None, 1)
        if mask is None:
            return tensor.symbols.ravel()
        assert not tensor.symbols[~mask].any(), f"{tensor.spec.name}: pruned symbol is not zero"
        num_indices = 1 << PROBABILITY_BITS
        index = min(int(np.count_nonzero(mask)) * num_indices // max(mask.size, 1), num_indices - 1)
        self._tables.write(index, PROBABILITY_BITS)
        self._masks.encode(mask.astype(np.int32), bernoulli_table(index))
        return tensor.symbols[mask]

    def _add_quant_scale(self, quant_scale: NDArray[np.float16]) -> None:
        unused = HALF_MANTISSA_BITS - self._mantissa_bits
        raw = np.ascontiguousarray(quant_scale).view(np.uint16).astype(np.int64).ravel()
        assert 0 < raw.min() <= raw.max() < HALF_INFINITY_BITS, "bin width not positive and finite"
        assert not (raw & ((1 << unused) - 1)).any(), "bin width has too many mantissa bits"
        first, *_ = widths = raw >> unused
        self._tables.write(int(first), EXPONENT_BITS + self._mantissa_bits)
        if len(widths) == 1:
            return
        differences = widths[1:] - first
        bits = _signed_bits(differences)
        self._tables.write(bits, DIFFERENCE_WIDTH_BITS)
        if bits:
            self._encode(self._quant_scales, differences, bits)

    def add_halves(self, halves: Sequence[NDArray[np.float16]]) -> None:
        """Write all half floats, after all symbols."""
        values = np.concatenate([np.ravel(half) for half in halves] or [np.empty(0, np.float16)])
        if not values.size:
            return
        assert np.isfinite(values).all(), "half float not finite"
        raw = values.astype(np.float16).view(np.uint16).astype(np.int64)
        exponents = raw >> HALF_MANTISSA_BITS & ((1 << EXPONENT_BITS) - 1)
        fractions = raw >> 15 << HALF_MANTISSA_BITS | raw & ((1 << HALF_MANTISSA_BITS) - 1)
        commonest = int(np.bincount(exponents).argmax())
        self._tables.write(commonest, EXPONENT_BITS)
        self._encode(self._halves, exponents - commonest, EXPONENT_DIFFERENCE_BITS)
        self._halves.encode(fractions, uniform_table(FRACTION_BITS))

    def sections(self) -> dict[str, bytes]:
        """Sections that are not empty."""
        streams = (self._masks, self._quant_scales, self._symbols, self._halves)
        data = (self._tables.getvalue(), *(stream.finish() for stream in streams))
        return {tag: section for tag, section in zip(TAGS, data, strict=True) if section}


class StreamReader:
    """The five streams while they are read: the mirror of `StreamWriter`, method by method."""

    def __init__(self, bits: int, mantissa_bits: int, sections: Sequence[bytes]) -> None:
        self._bits = bits
        self._mantissa_bits = mantissa_bits
        entp, *streams = sections
        self._tables = BitReader(entp, "section ENTP")
        self._masks, self._quant_scales, self._symbols, self._halves = (
            RangeDecoder(data, f"section {tag}")
            for tag, data in zip([*TAGS][1:], streams, strict=True)
        )

    def _decode(self, decoder: RangeDecoder, num_symbols: int, bits: int) -> NDArray[np.int32]:
        """Read a table, and signed symbols under it."""
        if bits > MAX_SYMBOL_BITS:
            raise MalformedError(
                f"section ENTP: differences of {bits} bits, at most {MAX_SYMBOL_BITS} allowed"
            )
        code = TableCode.read(self._tables, bits)
        return decoder.decode(num_symbols, code.table()) + np.int32(symbol_range(bits)[0])

    def take(self, spec: ParameterSpec) -> QuantizedTensor:
        """Read what `StreamWriter.add` wrote."""
        mask = self._take_mask(spec)
        quant_scale = self._take_quant_scale(spec, quant_scale_shape(spec.shape))
        num_kept = spec.num_values if mask is None else int(np.count_nonzero(mask))
        symbols = np.zeros(spec.shape, np.int32)
        if num_kept:
            kept = self._decode(self._symbols, num_kept, self._bits)
            if mask is None:
                symbols = kept.reshape(spec.shape)
            else:
                symbols[mask] = kept
        return QuantizedTensor(spec, symbols, quant_scale, mask)

    def take_steps(self, spec: ParameterSpec) -> QuantizedTensor:
        """Read what `StreamWriter.add_steps` wrote."""
        shape = steps_scale_shape(spec.shape)
        if not self._tables.read(1):
            ones = np.ones(shape, np.float16)
            return QuantizedTensor(spec, np.zeros(spec.shape, np.int32), ones)
        quant_scale = self._take_quant_scale(spec, shape)
        symbols = np.zeros(spec.shape, np.int32)
        rows = _rows(symbols)  # a view
        changed = np.zeros(rows.shape, np.bool_)
        model = ChangeModel(rows.shape[1], self._tables.read(PROBABILITY_BITS))
        for row in changed:
            for members, table in model.groups():
                row[members] = self._masks.decode(members.size, table) == 1
            model.update(row)
        if not changed.any():
            raise MalformedError(
                f"section MASK, tensor {spec.name}: no entry changes, as announced"
            )
        values = np.zeros(int(np.count_nonzero(changed)), np.int32)
        if bits := self._tables.read(DIFFERENCE_WIDTH_BITS):
            values = self._decode(self._symbols, len(values), bits)
        rows[changed] = values + (values >= 0)
        return QuantizedTensor(spec, symbols, quant_scale)

    def _take_mask(self, spec: ParameterSpec) -> NDArray[np.bool_] | None:
        if not self._tables.read(1):
            return None
        table = bernoulli_table(self._tables.read(PROBABILITY_BITS))
        return self._masks.decode(spec.num_values, table).astype(np.bool_).reshape(spec.shape)

    def _take_quant_scale(self, spec: ParameterSpec, shape: tuple[int, ...]) -> NDArray[np.float16]:
        first = self._tables.read(EXPONENT_BITS + self._mantissa_bits)
        widths = np.full(math.prod(shape), first, np.int64)
        if len(widths) > 1 and (bits := self._tables.read(DIFFERENCE_WIDTH_BITS)):
            widths[1:] += self._decode(self._quant_scales, len(widths) - 1, bits)
        end = ((1 << EXPONENT_BITS) - 1) << self._mantissa_bits
        if widths.min() < 1 or widths.max() >= end:
            raise MalformedError(
                f"section QSCL, tensor {spec.name}: bin width index {widths.min()} to "
                f"{widths.max()}, 1 to {end - 1} allowed"
            )
        raw = (widths << (HALF_MANTISSA_BITS - self._mantissa_bits)).astype(np.uint16)
        return raw.view(np.float16).reshape(shape)

    def take_halves(self, specs: Sequence[ParameterSpec]) -> list[HalfTensor]:
        """Read what `StreamWriter.add_halves` wrote."""
        num_values = sum(spec.num_values for spec in specs)
        values = np.empty(0, np.float16)
        if num_values:
            commonest = self._tables.read(EXPONENT_BITS)
            exponents = commonest + self._decode(self._halves, num_values, EXPONENT_DIFFERENCE_BITS)
            largest = (1 << EXPONENT_BITS) - 2
            if exponents.min() < 0 or exponents.max() > largest:
                raise MalformedError(f"section RAWF: exponents must be 0 to {largest}")
            fractions = self._halves.decode(num_values, uniform_table(FRACTION_BITS))
            sign = fractions >> HALF_MANTISSA_BITS << 15
            mantissa = fractions & ((1 << HALF_MANTISSA_BITS) - 1)
            raw = sign | exponents << HALF_MANTISSA_BITS | mantissa
            values = raw.astype(np.uint16).view(np.float16)
        ends = np.cumsum([spec.num_values for spec in specs], dtype=np.int64)
        parts = np.split(values, ends)[:-1]
        return [
            HalfTensor(spec, part.reshape(spec.shape))
            for spec, part in zip(specs, parts, strict=True)
        ]

    def finish(self) -> None:
        """Check that nothing is left in any stream."""
        self._tables.finish()
        for stream in (self._masks, self._quant_scales, self._symbols, self._halves):
            stream.finish()
