"""Coefficients and motion of predicted pictures, under contexts in integers.

    symbols --`latents.symbols`--> MOTN   of motion, a range coder stream
                                   SYMB   of coefficients, likewise
    all else --------------------> ENTP   a bit stream:

    3 bits each     shape index of the tables of layers without reference, with one, with two; of
                    those that occur
    8 bits each     bin width of coefficients, index + 48, for each depth that occurs
    7 bits each     what a tensor adds to it, plus 64: for each tensor of coefficients in coding
                    order, for the first plane, then, if there are more, for the others
    numbers         for each tensor in coding order, for each array of `contexts.field_shapes`: 2
                    bits order, then all entries as signed exp-Golomb codes of that order of their
                    difference from `usual_numbers`; of arrays that begin with the kind of a layer
                    only kinds that occur (for motion not the first), of depths as many as occur

Indices of bin widths are those of `latents.lattice`, limited to its range after the sum; widths of
motion are fixed: a quarter and half a pixel for the two finest grids, one for others. Depths from 7
on count as 7.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.cdf import SHAPE_BITS
from nvcodec.coding.latents.contexts import FIELDS, NUM_DEPTHS, usual_numbers
from nvcodec.coding.latents.lattice import MAX_WIDTH, MIN_WIDTH, width_units, width_values
from nvcodec.coding.latents.layout import Layout
from nvcodec.coding.latents.symbols import (
    LIMIT,
    SymbolCounter,
    SymbolReader,
    SymbolWriter,
    Walk,
)
from nvcodec.coding.latents.tensors import Coding, LatentTensor, plane_kinds
from nvcodec.coding.parameters import CodedTensor, Parameter, ParameterSet, ParameterSpec
from nvcodec.coding.scheme import Scheme, SchemeConfig, kept_values
from nvcodec.errors import MalformedError
from nvcodec.hierarchy import layers

WIDTH_BITS, OFFSET_BITS, ORDER_BITS = 8, 7, 2
MACS_PER_SYMBOL = 64
BYTES_PER_SYMBOL = 72
"""While a segment is coded: its symbols, and what is known around those of the frames in use."""


class LatentsSchemeConfig(SchemeConfig):
    """Settings of the scheme."""

    kind: Literal["latents"] = "latents"
    anchor_every: int = Field(16, ge=1, le=256, description="as in the representation")


class LatentsScheme(Scheme[LatentsSchemeConfig]):
    """Spread of every symbol from what is known around it, in space, scale and references."""

    Config = LatentsSchemeConfig
    tags: ClassVar[Mapping[str, str]] = {
        "ENTP": "entropy parameters",
        "MOTN": "coded motion",
        "SYMB": "coded coefficients",
    }

    @property
    def bits_per_value(self) -> float:
        """Most coefficients are zero; measured with latents-s at its lmbdas."""
        return 0.1

    def side_shapes(self, spec: ParameterSpec) -> Mapping[str, tuple[int, ...]]:
        """With `base`: `Coding.flat` of all tensors, so many numbers as it has."""
        return {"coding": (-1,)} if spec.name == "base" else {}

    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Symbols by rounding; with bin widths from the values where none were learned.

        Raises:
            ValueError: values that are not finite, or tensors of another representation.
        """
        layout = Layout.of([parameter.spec for parameter in parameters])
        values = {parameter.spec.name: kept_values(parameter) for parameter in parameters}
        side = next(p.side for p in parameters if p.spec.name == "base")
        if side is None:
            peak = max(float(np.abs(v).max(initial=0)) for v in values.values())
            width = max(0, int(np.ceil(8 * np.log2(max(peak / LIMIT, 1e-6)))))
            coding = Coding.default(layout, min(width, MAX_WIDTH))
        else:
            coding = Coding.unflattened(layout, side["coding"])
        widths = coding.width_indices(layout, self.config.anchor_every)
        tensors = []
        for parameter in parameters:
            name = parameter.spec.name
            scale = width_values(widths[name])
            ratio = np.rint(values[name] / scale.astype(np.float32))
            symbols = np.clip(ratio, -LIMIT, LIMIT).astype(np.int32)
            tensors.append(LatentTensor(parameter.spec, symbols, scale, coding=coding))
        self._clear_unused({tensor.spec.name: tensor.symbols for tensor in tensors}, layout)
        return ParameterSet(tensors)

    def _clear_unused(self, symbols: Mapping[str, NDArray[np.int32]], layout: Layout) -> None:
        """Motion without a reference to move from is zero."""
        for layer in layers(layout.num_frames, self.config.anchor_every):
            used = {grid.name: count for grid, count in layout.coded(len(layer.references[0]))}
            for grid in layout.motion:
                symbols[grid.name][list(layer.frames), used.get(grid.name, 0) :] = 0

    def _walk(self, coding: Coding, layout: Layout) -> Walk:
        indices = coding.width_indices(layout, self.config.anchor_every)
        widths = {name: width_units(own) for name, own in indices.items()}
        shapes = coding.shapes.tolist()
        return Walk(layout, self.config.anchor_every, coding.models, shapes, widths)

    def restored_side(self, tensor: CodedTensor) -> Mapping[str, NDArray[np.float32]]:
        """With `base`, all that is stored beside the symbols."""
        assert isinstance(tensor, LatentTensor), "not quantized by this scheme"
        if tensor.spec.name != "base" or tensor.coding is None:
            return {}
        return {"coding": tensor.coding.flat()}

    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """All three sections; one without content is left out."""
        layout, coding, symbols = _parts(parameters)
        motion, coefficients, numbers = SymbolWriter(), SymbolWriter(), BitWriter()
        self._walk(coding, layout).run(motion, coefficients, symbols)
        self._write(numbers, coding, layout)
        data = numbers.getvalue(), motion.finish(), coefficients.finish()
        return {tag: section for tag, section in zip(self.tags, data, strict=True) if section}

    def count_bits(self, parameters: ParameterSet) -> float:
        """Bits of the symbols alone, without writing them."""
        layout, coding, symbols = _parts(parameters)
        counter = SymbolCounter()
        self._walk(coding, layout).run(counter, counter, symbols)
        return counter.bits

    def _write(self, writer: BitWriter, coding: Coding, layout: Layout) -> None:
        kinds, num_depths = self._occurring(layout)
        for kind in kinds:
            writer.write(int(coding.shapes[kind]), SHAPE_BITS)
        for depth in range(num_depths):
            writer.write(int(coding.depths[depth]) - MIN_WIDTH, WIDTH_BITS)
        for grid, offsets in zip(layout.coefficients, coding.offsets.tolist(), strict=True):
            for offset in offsets[: max(plane_kinds(grid)) + 1]:
                writer.write(offset + (1 << OFFSET_BITS - 1), OFFSET_BITS)
        for grid in layout.grids:
            usual = usual_numbers(grid)
            for name, array in coding.models[grid.name].items():
                changes = array - usual[name]
                numbers = [v for i in _stored(name, grid.is_motion, kinds, num_depths)
                           for v in changes[i].ravel().tolist()]  # fmt: skip
                order = min(
                    range(1 << ORDER_BITS), key=lambda o: sum(_code_bits(v, o) for v in numbers)
                )
                writer.write(order, ORDER_BITS)
                for number in numbers:
                    writer.write_signed_exp_golomb(number, order)

    def _read(self, reader: BitReader, layout: Layout) -> Coding:
        coding = Coding.default(layout)
        kinds, num_depths = self._occurring(layout)
        for kind in kinds:
            coding.shapes[kind] = reader.read(SHAPE_BITS)
        for depth in range(num_depths):
            coding.depths[depth] = reader.read(WIDTH_BITS) + MIN_WIDTH
        for grid, offsets in zip(layout.coefficients, coding.offsets, strict=True):
            for kind in range(max(plane_kinds(grid)) + 1):
                offsets[kind] = reader.read(OFFSET_BITS) - (1 << OFFSET_BITS - 1)
        for grid in layout.grids:
            for name, array in coding.models[grid.name].items():
                field, order = FIELDS[name], reader.read(ORDER_BITS)
                for i in _stored(name, grid.is_motion, kinds, num_depths):
                    flat = array[i : i + 1].reshape(-1)
                    for n in range(flat.size):
                        value = int(flat[n]) + reader.read_signed_exp_golomb(order)
                        if not field.low <= value <= field.high:
                            raise MalformedError(
                                f"section ENTP, tensor {grid.name}: {name} {value}, "
                                f"{field.low} to {field.high} allowed"
                            )
                        flat[n] = value
        return coding

    def _occurring(self, layout: Layout) -> tuple[list[int], int]:
        """Kinds of layers and number of depths of these frames."""
        found = layers(layout.num_frames, self.config.anchor_every)
        deepest = max(layer.depth for layer in found)
        return sorted({len(layer.references[0]) for layer in found}), min(deepest + 1, NUM_DEPTHS)

    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`."""
        entp, motn, symb = self.take_sections(sections)
        try:
            layout = Layout.of(specs)
        except ValueError as error:
            raise MalformedError(f"HEAD: {error}") from error
        reader = BitReader(entp, "section ENTP")
        coding = self._read(reader, layout)
        reader.finish()
        symbols = {spec.name: np.zeros(spec.shape, np.int32) for spec in specs}
        motion = SymbolReader(motn, "section MOTN")
        coefficients = SymbolReader(symb, "section SYMB")
        self._walk(coding, layout).run(motion, coefficients, symbols)
        motion.finish()
        coefficients.finish()
        widths = coding.width_indices(layout, self.config.anchor_every)
        return ParameterSet(
            [
                LatentTensor(
                    spec, symbols[spec.name], width_values(widths[spec.name]), coding=coding
                )
                for spec in specs
            ]
        )

    def memory_bytes(self, specs: Sequence[ParameterSpec]) -> int:
        """Symbols of all frames, and what is known around them."""
        return BYTES_PER_SYMBOL * sum(spec.num_values for spec in specs)

    def macs(self, specs: Sequence[ParameterSpec]) -> int:
        """Contexts of every symbol."""
        return MACS_PER_SYMBOL * sum(spec.num_values for spec in specs)


def _parts(parameters: ParameterSet) -> tuple[Layout, Coding, dict[str, NDArray[np.int32]]]:
    tensors = [t for t in parameters.tensors if isinstance(t, LatentTensor)]
    assert len(tensors) == len(parameters.tensors), "not quantized by this scheme"
    coding = tensors[0].coding
    assert coding is not None
    layout = Layout.of([tensor.spec for tensor in tensors])
    return layout, coding, {tensor.spec.name: tensor.symbols.copy() for tensor in tensors}


def _stored(name: str, is_motion: bool, kinds: Sequence[int], num_depths: int) -> Iterator[int]:
    """Places along the first axis of an array that are stored."""
    if name == "depth":
        return iter(range(num_depths))
    return iter([kind for kind in kinds if kind or not is_motion])


def _code_bits(value: int, order: int) -> int:
    code = 2 * value - 1 if value > 0 else -2 * value
    return 2 * (code + (1 << order)).bit_length() - 1 - order
