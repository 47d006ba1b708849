"""Pruning masks, affine symbols, one Huffman code for all of them: NeRV's bitstream, as bytes.

    all tensors but norms  --quantize--> symbols + bin widths + minima + mask    MASK, QSCL, SYMB
    norms                  --quantize--> half floats                             RAWF
    which tensors have masks, and the codes of masks and of symbols              ENTP

All sections run over the tensors in the order of the specs; one without content is left out. How
many symbols there are follows from the specs and the masks, never from a count in the file.

    ENTP  a bit stream: 1 bit for every tensor of symbols: has a mask; a code of 8-bit symbols, if
          there are masks with entries; a code of `bits`-bit symbols, from 0, if any entry is kept
    MASK  the masks, each as bits (1: kept) from the most significant of a byte, its last byte
          padded with zeros; these bytes, coded
    QSCL  float16, little-endian: for every tensor its bin widths, then its minima
    SYMB  the symbols of all kept entries, coded
    RAWF  float16, little-endian

A code is its lengths (`huffman_coder`). Bytes of a mask whose entries are kept independently cost
what single bits would cost an arithmetic coder, within a few per cent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.huffman_coder import HuffmanCode
from nvcodec.coding.parameters import (
    AffineTensor,
    HalfTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    Role,
)
from nvcodec.coding.quantizer import affine_quant_scale, affine_quantize, affine_scale_shape
from nvcodec.coding.scheme import (
    Scheme,
    SchemeConfig,
    half_tensor,
    kept_values,
)
from nvcodec.cursors import Cursor
from nvcodec.errors import MalformedError

MASK_BITS = 8


class HuffmanConfig(SchemeConfig):
    """Settings of the scheme."""

    kind: Literal["huffman"] = "huffman"
    bits: int = Field(default=8, ge=2, le=12, description="bits of a symbol before coding")
    """NeRV, section 4.3: 8."""


class Huffman(Scheme[HuffmanConfig]):
    """Affine quantization after fitting, then Huffman coding.

    Source: NeRV, section 3.2, Eq. 4, and its repository: a pooled histogram. Differs: 2^bits - 1
    bins, so that `bits` bits hold every symbol; norms are half floats, for a running variance spans
    too many magnitudes for equal bins; all that a decoder needs is in the bytes.
    """

    Config = HuffmanConfig
    tags: ClassVar[Mapping[str, str]] = {
        "ENTP": "code lengths",
        "MASK": "pruning masks",
        "QSCL": "quant scales",
        "SYMB": "coded symbols",
        "RAWF": "half floats",
    }

    @property
    def bits_per_value(self) -> float:
        """nerv-mini, two fifths of it pruned."""
        return 0.66 * self.config.bits

    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Symbols for all tensors but norms, which become half floats."""
        return ParameterSet([self._quantize(parameter) for parameter in parameters])

    def _quantize(self, parameter: Parameter) -> AffineTensor | HalfTensor:
        if not _has_symbols(parameter.spec):
            return half_tensor(parameter)
        mask = parameter.mask
        if mask is not None and mask.all():
            mask = None
        values, bits = kept_values(parameter), self.config.bits
        quant_scale, minimum = affine_quant_scale(values, mask, bits)
        symbols = affine_quantize(values, quant_scale, minimum, bits)
        if mask is not None:
            symbols = np.where(mask, symbols, np.int32(0))
        return AffineTensor(parameter.spec, symbols, quant_scale, minimum, mask)

    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """Sections that are not empty."""
        entp, scales, halves = BitWriter(), [], []
        masks, symbols = [np.empty(0, np.uint8)], [np.empty(0, np.int32)]
        for tensor in parameters.tensors:
            if isinstance(tensor, HalfTensor):
                halves.append(tensor.values)
                continue
            assert isinstance(tensor, AffineTensor), tensor.spec
            mask = tensor.mask
            entp.write(mask is not None, 1)
            if mask is not None:
                assert not tensor.symbols[~mask].any(), f"{tensor.spec.name}: pruned, not zero"
                masks.append(np.packbits(mask))
            scales += [tensor.quant_scale, tensor.minimum]
            symbols.append(tensor.symbols.ravel() if mask is None else tensor.symbols[mask])
        coded_masks = _encode(entp, np.concatenate(masks), MASK_BITS)
        coded_symbols = _encode(entp, np.concatenate(symbols), self.config.bits)
        quant_scales, raw = (
            b"".join(half.astype("<f2").tobytes() for half in group) for group in (scales, halves)
        )
        data = (entp.getvalue(), coded_masks, quant_scales, coded_symbols, raw)
        return {tag: section for tag, section in zip(self.tags, data, strict=True) if section}

    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`."""
        entp, coded_masks, scales, coded_symbols, raw = self.take_sections(sections)
        bits = BitReader(entp, "section ENTP")
        affine = [spec for spec in specs if _has_symbols(spec)]
        masked = [spec for spec in affine if bits.read(1)]
        masks = dict(zip(masked, _decode_masks(bits, coded_masks, masked), strict=True))
        kept = [
            spec.num_values if spec not in masks else int(np.count_nonzero(masks[spec]))
            for spec in affine
        ]
        symbols = _decode(bits, coded_symbols, sum(kept), self.config.bits, "SYMB")
        bits.finish()
        parts = iter(np.split(symbols, np.cumsum(kept, dtype=np.int64)))
        quant_scales = Cursor(scales, "section QSCL")
        halves = Cursor(raw, "section RAWF")
        tensors: list[AffineTensor | HalfTensor] = []
        for spec in specs:
            if not _has_symbols(spec):
                tensors.append(HalfTensor(spec, _take_halves(halves, spec.shape, spec)))
                continue
            mask, shape = masks.get(spec), affine_scale_shape(spec.shape)
            quant_scale = _take_halves(quant_scales, shape, spec)
            minimum = _take_halves(quant_scales, shape, spec)
            if not (quant_scale > 0).all():
                raise MalformedError(f"section QSCL, tensor {spec.name}: a bin width is not > 0")
            values = np.zeros(spec.shape, np.int32)
            values[np.ones(spec.shape, np.bool_) if mask is None else mask] = next(parts)
            tensors.append(AffineTensor(spec, values, quant_scale, minimum, mask))
        quant_scales.finish()
        halves.finish()
        return ParameterSet(tensors)


def _has_symbols(spec: ParameterSpec) -> bool:
    return spec.role is not Role.NORM


def _encode(entp: BitWriter, symbols: NDArray[np.integer[Any]], symbol_bits: int) -> bytes:
    """Choose a code for all symbols, write it, and use it."""
    if not symbols.size:
        return b""
    code = HuffmanCode.fit(np.bincount(symbols, minlength=1 << symbol_bits))
    code.write(entp)
    return code.encode(symbols)


def _decode(
    entp: BitReader, data: bytes, num_symbols: int, symbol_bits: int, tag: str
) -> NDArray[np.int32]:
    """Read a code, and symbols under it."""
    if num_symbols:
        code = HuffmanCode.read(entp, symbol_bits, "section ENTP")
        return code.decode(data, num_symbols, f"section {tag}")
    if data:
        raise MalformedError(f"section {tag}: {len(data)} bytes left over, none allowed")
    return np.empty(0, np.int32)


def _decode_masks(
    entp: BitReader, data: bytes, masked: Sequence[ParameterSpec]
) -> list[NDArray[np.bool_]]:
    """Masks of the tensors that have one."""
    sizes = [-(-spec.num_values // 8) for spec in masked]
    packed = _decode(entp, data, sum(sizes), MASK_BITS, "MASK").astype(np.uint8)
    masks = []
    for spec, part in zip(masked, np.split(packed, np.cumsum(sizes, dtype=np.int64)), strict=False):
        bits = np.unpackbits(part)
        if bits[spec.num_values :].any():
            raise MalformedError(f"section MASK, tensor {spec.name}: padding bits are not zero")
        masks.append(bits[: spec.num_values].astype(np.bool_).reshape(spec.shape))
    return masks


def _take_halves(
    reader: Cursor, shape: tuple[int, ...], spec: ParameterSpec
) -> NDArray[np.float16]:
    """Finite half floats of a shape."""
    count = int(np.prod(shape, dtype=np.int64))
    values = np.frombuffer(reader.take(2 * count), "<f2").astype(np.float16)
    if not np.isfinite(values).all():
        raise MalformedError(f"{reader.where}, tensor {spec.name}: values must be finite")
    return values.reshape(shape)
