"""raw_fp16, arithmetic and huffman: sections to tensors ("Schemes")."""

from math import prod
from typing import Any

import numpy as np

from independent.streams import BitReader, ByteReader, RangeDecoder, check
from independent.tables import bernoulli, equal, read_table
from independent.tensors import Spec, Tensor, half, packed

Sections = dict[str, bytes]


def own(sections: Sections, *tags: str) -> list[bytes]:
    """The sections of these tags, absent ones as empty."""
    check(sections.keys() <= set(tags), "a section that the scheme does not own")
    return [sections.get(tag, b"") for tag in tags]


def half_floats(specs: list[Spec], data: bytes) -> list[Tensor]:
    """Tensors stored as they are, one after the other."""
    source = ByteReader(data)
    found = []
    for spec in specs:
        values = np.frombuffer(source.take(2 * spec.size), "<f2").reshape(spec.shape)
        found.append(Tensor([values], values))
    source.end()
    return found


def raw_fp16(specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> list[Tensor]:
    (rawf,) = own(sections, "RAWF")
    return half_floats(specs, rawf)


def signed_symbols(stream: RangeDecoder, table: list[int], count: int) -> np.ndarray:
    """Symbols of d bits: entry i of the table is i - 2^(d - 1)."""
    return np.array(stream.symbols(table, count), np.int32) - (len(table) - 1) // 2


class Arithmetic:
    """One segment of the scheme `arithmetic`."""

    def __init__(self, sections: Sections, settings: dict[str, Any]) -> None:
        entp, *coded = own(sections, "ENTP", "MASK", "QSCL", "SYMB", "RAWF")
        self.entp = BitReader(entp)
        self.mask, self.qscl, self.symb, self.rawf = map(RangeDecoder, coded)
        self.bits = settings.get("bits", 6)
        self.m = settings.get("quant_scale_mantissa_bits", 4)

    def width(self, stored: np.ndarray | int) -> np.ndarray:
        """The float16 of a stored width."""
        return (np.atleast_1d(stored) << 10 - self.m).astype(np.uint16).view(np.float16)

    def differences(self, stream: RangeDecoder, count: int) -> np.ndarray:
        """4 bits d and, if d > 0, a table in ENTP; then so many signed symbols of d bits."""
        d = self.entp.take(4)
        if d == 0:
            return np.zeros(count, np.int32)
        return signed_symbols(stream, read_table(self.entp, d), count)

    def symbols(self, spec: Spec) -> Tensor:
        mask = None
        if self.entp.take(1):
            table = bernoulli(self.entp.take(12))
            mask = np.array(self.mask.symbols(table, spec.size), bool)
        longest = int(np.argmax(spec.shape))
        stored = np.array([self.entp.take(5 + self.m)])
        side = [1] * len(spec.shape)
        if spec.shape[longest] > 20:  # a width for each line of entries along that axis
            side = [1 if axis == longest else n for axis, n in enumerate(spec.shape)]
        if prod(side) > 1:
            more = self.differences(self.qscl, prod(side) - 1)
            stored = np.concatenate([stored, stored[0] + more])
        widths = self.width(stored)
        kept = np.ones(spec.size, bool) if mask is None else mask
        symbols = np.zeros(spec.size, np.int32)
        if kept.any():
            table = read_table(self.entp, self.bits)
            symbols[kept] = signed_symbols(self.symb, table, int(kept.sum()))
        symbols = symbols.reshape(spec.shape)
        product = symbols.astype(np.float32) * widths.astype(np.float32).reshape(side)
        arrays = [symbols, widths, *([] if mask is None else [packed(mask)])]
        return Tensor(arrays, half(product), product)

    def weight_steps(self, spec: Spec) -> Tensor:
        rows = np.zeros((spec.shape[0], spec.size // max(spec.shape[0], 1)), np.int32)
        width = np.ones(1, np.float16)
        if self.entp.take(1):
            width = self.width(self.entp.take(5 + self.m))
            changed = self.changes(rows.shape, self.entp.take(12))
            symbols = self.differences(self.symb, int(changed.sum()))
            rows[changed] = symbols + (symbols >= 0)
        symbols = rows.reshape(spec.shape)
        product = symbols.astype(np.float32) * width.astype(np.float32)
        return Tensor([symbols, width], half(product), product)

    def changes(self, shape: tuple[int, int], first_share: int) -> np.ndarray:
        """Which entries of which rows are not zero."""
        changed = np.zeros(shape, bool)
        classes = np.zeros(shape[1], np.int64)
        num_seen, num_changed = [32] * 3, [32 * first_share] * 3
        for row in changed:
            for c in range(3):
                members = np.flatnonzero(classes == c)
                table = bernoulli(min(num_changed[c] // num_seen[c], 4095))
                row[members] = self.mask.symbols(table, len(members))
                num_seen[c] = max(1, num_seen[c] // 2 + len(members))
                num_changed[c] = num_changed[c] // 2 + 4096 * int(row[members].sum())
            classes = np.where(row, (classes + 3) // 2, classes // 2)
        return changed

    def half_floats(self, specs: list[Spec]) -> list[Tensor]:
        total = sum(spec.size for spec in specs)
        if total == 0:
            return half_floats(specs, b"")
        commonest = self.entp.take(5)
        exponents = commonest + signed_symbols(self.rawf, read_table(self.entp, 6), total)
        rest = np.array(self.rawf.symbols(equal(2048), total))
        bits = (rest >> 10 << 15) + (exponents << 10) + (rest & 1023)
        return half_floats(specs, bits.astype("<u2").tobytes())


def arithmetic(specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> list[Tensor]:
    scheme = Arithmetic(sections, settings)
    found: dict[str, Tensor] = {}
    for spec in specs:
        if spec.role == "delta":
            found[spec.name] = scheme.weight_steps(spec)
        elif len(spec.shape) >= 2:
            found[spec.name] = scheme.symbols(spec)
    others = [spec for spec in specs if spec.name not in found]
    found |= zip((s.name for s in others), scheme.half_floats(others), strict=True)
    scheme.entp.end()
    return [found[spec.name] for spec in specs]


class HuffmanCode:
    """A canonical code, from its lengths."""

    def __init__(self, stream: BitReader, bits: int) -> None:
        length, lengths = 0, []
        for symbol in range(2**bits):
            length += stream.signed(0)
            check(0 <= length <= 16, "length of a code")
            if length:
                lengths.append((length, symbol))
        self.symbols: dict[tuple[int, int], int] = {}
        self.lone = lengths[0][1] if len(lengths) == 1 else None
        code = last = 0
        for length, symbol in sorted(lengths):
            code <<= length - last
            last = length
            self.symbols[length, code] = symbol
            code += 1

    def decode(self, stream: BitReader, count: int) -> np.ndarray:
        if self.lone is not None:
            return np.full(count, self.lone, np.int32)
        found = np.zeros(count, np.int32)
        for i in range(count):
            length = code = 0
            while (length, code) not in self.symbols:
                check(length < 16, "no such code")
                code = 2 * code + stream.take(1)
                length += 1
            found[i] = self.symbols[length, code]
        return found


def huffman(specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> list[Tensor]:
    entp, mask, qscl, symb, rawf = own(sections, "ENTP", "MASK", "QSCL", "SYMB", "RAWF")
    coded = [spec for spec in specs if spec.role != "norm"]
    lengths = BitReader(entp)

    masks: dict[str, np.ndarray] = {}
    masked = [spec for spec in coded if lengths.take(1)]
    sizes = [(spec.size + 7) // 8 for spec in masked]
    bits = BitReader(mask)
    if sum(sizes):
        data = HuffmanCode(lengths, 8).decode(bits, sum(sizes)).astype(np.uint8)
        for spec, part in zip(masked, np.split(data, np.cumsum(sizes)[:-1]), strict=True):
            masks[spec.name] = np.unpackbits(part)[: spec.size].astype(bool)
    bits.end()

    kept = [masks.get(spec.name, np.ones(spec.size, bool)) for spec in coded]
    total = sum(int(k.sum()) for k in kept)
    source, bits = ByteReader(qscl), BitReader(symb)
    code = HuffmanCode(lengths, settings.get("bits", 8)) if total else None
    found: dict[str, Tensor] = {}
    for spec, keep in zip(coded, kept, strict=True):
        several = len(spec.shape) >= 2 and spec.size // max(spec.shape[0], 1) >= 80
        count = spec.shape[0] if several else 1
        widths = np.frombuffer(source.take(2 * count), "<f2")
        minima = np.frombuffer(source.take(2 * count), "<f2")
        symbols = np.zeros(spec.size, np.int32)
        if keep.any():
            symbols[keep] = code.decode(bits, int(keep.sum()))
        symbols = symbols.reshape(spec.shape)
        side = (count, *[1] * (len(spec.shape) - 1))
        products = symbols.astype(np.float32) * widths.astype(np.float32).reshape(side)
        values = half(products + minima.astype(np.float32).reshape(side))
        arrays = [symbols, widths, minima]
        if spec.name in masks:
            values[~keep.reshape(spec.shape)] = 0
            arrays.append(packed(keep))
        found[spec.name] = Tensor(arrays, values)
    bits.end()
    source.end()
    lengths.end()
    others = [spec for spec in specs if spec.role == "norm"]
    found |= zip((s.name for s in others), half_floats(others, rawf), strict=True)
    return [found[spec.name] for spec in specs]
