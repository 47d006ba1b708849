"""Canonical Huffman codes: only their lengths travel, tables are the same everywhere.

    counts --HuffmanCode.fit--> lengths --write--> bit stream --read--> lengths
    symbols --encode--> bytes --decode--> symbols

Codes are numbered by (length, symbol): the first is zeros, each next one is one more, with zeros
appended where it is longer. They are no longer than 16 bits, so that a decoder looks up the next 16
bits, and complete: no code could be added. Length 0 is a symbol that does not occur. A lone symbol
has length 1 and takes no bits at all. Bits run from the most significant of the first byte; the
last one is padded with zeros.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.errors import MalformedError

MAX_LENGTH = 16
BLOCK_SYMBOLS = 1 << 20
BLOCK_BYTES = 1 << 16


class HuffmanCode:
    """A code for the symbols 0 to 2^bits - 1; those of length 0 cannot be coded."""

    def __init__(self, lengths: NDArray[np.integer[Any]]) -> None:
        """`lengths` must come from `fit` or `read`."""
        self.lengths = lengths.astype(np.int64)
        order = np.lexsort((np.arange(len(lengths)), self.lengths))
        self._sorted = order[np.count_nonzero(self.lengths == 0) :]
        self.is_lone = len(self._sorted) == 1
        sorted_lengths = self.lengths[self._sorted]
        widths = 1 << (MAX_LENGTH - sorted_lengths)  # entries of the look-up table a symbol has
        starts = np.cumsum(widths) - widths
        self._codes = np.zeros(len(lengths), np.int64)
        self._codes[self._sorted] = starts >> (MAX_LENGTH - sorted_lengths)
        self._widths = widths

    @classmethod
    def fit(cls, counts: NDArray[np.int64]) -> Self:
        """The best code of at most 16 bits for symbols that occur so often, at least one of them.

        Source: package-merge (Larmore and Hirschberg 1990).
        """
        used = np.flatnonzero(counts)
        assert 0 < len(used) <= 1 << MAX_LENGTH, len(used)
        lengths = np.zeros(len(counts), np.int64)
        if len(used) == 1:
            lengths[used] = 1
            return cls(lengths)
        # An item is a weight and the symbols in it; each level packages pairs of the one before.
        leaves: list[tuple[int, tuple[int, ...]]] = [(int(counts[s]), (int(s),)) for s in used]
        leaves.sort()
        items = leaves
        for _ in range(MAX_LENGTH - 1):
            pairs = zip(items[::2], items[1::2], strict=False)
            packages = [(a[0] + b[0], a[1] + b[1]) for a, b in pairs]
            items = sorted(leaves + packages, key=lambda item: item[0])
        for _, symbols in items[: 2 * len(used) - 2]:
            np.add.at(lengths, list(symbols), 1)
        return cls(lengths)

    def num_bits(self, counts: NDArray[np.int64]) -> int:
        """Bits that symbols which occur so often take."""
        return 0 if self.is_lone else int(self.lengths @ counts)

    def write(self, bits: BitWriter) -> None:
        """Write every length: a signed exp-Golomb code of the difference from the one before."""
        before = 0
        for length in self.lengths.tolist():
            bits.write_signed_exp_golomb(length - before)
            before = length

    @classmethod
    def read(cls, bits: BitReader, symbol_bits: int, where: str) -> Self:
        """Inverse of `write`.

        Raises:
            MalformedError: a length outside 0 to 16, or lengths that are no complete code.
        """
        lengths = np.zeros(1 << symbol_bits, np.int64)
        length = 0
        for symbol in range(1 << symbol_bits):
            length += bits.read_signed_exp_golomb()
            if not 0 <= length <= MAX_LENGTH:
                raise MalformedError(
                    f"{where}: code length {length} of symbol {symbol}, 0 to {MAX_LENGTH} allowed"
                )
            lengths[symbol] = length
        used = lengths[lengths > 0]
        filled = int((1 << (MAX_LENGTH - used)).sum())
        if filled != 1 << MAX_LENGTH and used.tolist() != [1]:
            raise MalformedError(
                f"{where}: codes fill {filled} of {1 << MAX_LENGTH}, all must be filled"
            )
        return cls(lengths)

    def encode(self, symbols: NDArray[np.integer[Any]]) -> bytes:
        """The codes of all symbols, the last byte padded with zeros."""
        if self.is_lone:
            return b""
        pending = np.zeros(0, np.uint8)  # bits of a byte that is not full yet
        parts = []
        for first in range(0, symbols.size, BLOCK_SYMBOLS):
            block = symbols[first : first + BLOCK_SYMBOLS]
            lengths = self.lengths[block]
            assert lengths.min() > 0, "a symbol without a code"
            ends = np.cumsum(lengths)
            # Bit k of the block belongs to one symbol, and is so far from that symbol's last bit.
            behind = np.repeat(ends, lengths) - 1 - np.arange(ends[-1])
            bits = (np.repeat(self._codes[block], lengths) >> behind & 1).astype(np.uint8)
            bits = np.concatenate([pending, bits])
            whole = len(bits) - len(bits) % 8
            parts.append(np.packbits(bits[:whole]).tobytes())
            pending = bits[whole:]
        return b"".join(parts) + np.packbits(pending).tobytes()

    def decode(self, data: bytes, num_symbols: int, where: str) -> NDArray[np.int32]:
        """Inverse of `encode`; takes all of `data`.

        For every bit of a block the length of a code that begins there is looked up; then one walks
        from code to code. Takes about a tenth of a microsecond a symbol.

        Raises:
            MalformedError: too few bytes, bytes left over, or padding that is not zero.
        """
        if self.is_lone or num_symbols == 0:
            if data:
                raise MalformedError(f"{where}: {len(data)} bytes left over, none allowed")
            lone = self._sorted[0] if self.is_lone else 0
            return np.full(num_symbols, lone, np.int32)
        if num_symbols > 8 * len(data):
            raise MalformedError(f"{where}: {num_symbols} symbols in {len(data)} bytes")
        table = np.repeat(self._sorted, self._widths).astype(np.int32)
        table_lengths = self.lengths[table].astype(np.uint8)
        padded = np.frombuffer(data + bytes(2), np.uint8)
        symbols = np.empty(num_symbols, np.int32)
        done, position = 0, 0
        while done < num_symbols and position < 8 * len(data):
            first = position >> 3
            size = min(BLOCK_BYTES, len(data) - first)
            covering = padded[first : first + size + 2].astype(np.uint32)
            three = covering[:-2] << 16 | covering[1:-1] << 8 | covering[2:]
            windows = (three[:, None] >> np.arange(8, 0, -1, dtype=np.uint32) & 0xFFFF).ravel()
            steps = table_lengths[windows].tobytes()
            place, end = position - 8 * first, 8 * size
            places = []
            for _ in range(min(num_symbols - done, end - place)):
                places.append(place)
                place += steps[place]
                if place >= end:
                    break
            symbols[done : done + len(places)] = table[windows[places]]
            done += len(places)
            position = 8 * first + place
        left = 8 * len(data) - position
        if done < num_symbols or left < 0:
            raise MalformedError(f"{where}: {len(data)} bytes end before {num_symbols} symbols do")
        if left >= 8:
            raise MalformedError(f"{where}: {left // 8} bytes left over, none allowed")
        if data[-1] & (1 << left) - 1:
            raise MalformedError(f"{where}: padding bits are not zero")
        return symbols
