"""The range coder: constriction behind two small classes, and a slow decoder in plain Python.

A stream is constriction's 32-bit words, most significant byte first, without the zero bytes at its
end: a decoder reads zeros behind the end, so that finishing a stream costs one or two bytes. Tables
come from `cdf`: integers, each at least 1, total 2^24. `Categorical(frequency - 1, perfect=False)`
turns them into exactly these integers (the tests probe every interval's edges), whereas its
Gaussian and Laplace families make no such promise.

constriction is an unsafe decoder of damaged bytes: most of them decode silently, some panic with a
`BaseException`. So counts come from validated shapes only, blocks are bounded, and `finish` encodes
the decoded symbols again: what is not the exact stream that an encoder would have written is
refused.
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.cdf import TOTAL_BITS, FrequencyTable
from nvcodec.errors import MalformedError

BLOCK_SYMBOLS = 1 << 20
WORD_BITS = 32


class Model:
    """A table made ready for constriction; worth keeping for a table that codes many groups."""

    def __init__(self, table: FrequencyTable) -> None:
        self.num_symbols = len(table)
        # constriction adds one to every frequency ("leaky"); float64 holds the integers exactly
        frequencies = (table - 1).astype(np.float64)
        self.categorical: Any = constriction.stream.model.Categorical(frequencies, perfect=False)


def _model(table: FrequencyTable | Model) -> Model:
    return table if isinstance(table, Model) else Model(table)


def coded_bits(counts: NDArray[np.integer[Any]], table: FrequencyTable) -> float:
    """Bits that symbols take under a table, without writing them.

    Args:
        counts: how often each symbol occurs, (K,).
        table: frequencies, (K,).
    """
    return float(np.dot(counts, TOTAL_BITS - np.log2(table)))


class RangeEncoder:
    """Groups of symbols, each under its own table, into one stream."""

    def __init__(self) -> None:
        self._encoder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: NDArray[np.integer[Any]], table: FrequencyTable | Model) -> None:
        """Append symbols 0 to K - 1 under a table of K frequencies."""
        if symbols.size:
            model = _model(table)
            low, high = int(symbols.min()), int(symbols.max())
            assert 0 <= low <= high < model.num_symbols, f"{low} to {high} in {model.num_symbols}"
            self._encoder.encode(np.ascontiguousarray(symbols.ravel(), np.int32), model.categorical)

    def finish(self) -> bytes:
        """The stream; empty when nothing but near-certain symbols was written."""
        words: NDArray[np.uint32] = self._encoder.get_compressed()
        return words.astype(">u4").tobytes().rstrip(b"\0")


class RangeDecoder:
    """Reads a stream back, given the same tables and counts in the same order."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._where = where
        words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
        self._decoder = constriction.stream.queue.RangeDecoder(words)
        self._again = RangeEncoder()

    def decode(self, num_symbols: int, table: FrequencyTable | Model) -> NDArray[np.int32]:
        """The next symbols, int32 (num_symbols,), each below len(table).

        Raises:
            MalformedError: the bytes are not a range coder's.
        """
        symbols = np.empty(num_symbols, np.int32)
        model = _model(table)
        for start in range(0, num_symbols, BLOCK_SYMBOLS):
            block = symbols[start : start + BLOCK_SYMBOLS]
            try:
                block[:] = self._decoder.decode(model.categorical, len(block))
            except BaseException as error:
                if not isinstance(error, AssertionError) and not _is_panic(error):
                    raise
                raise MalformedError(f"{self._where}: not the output of a range coder") from error
            self._again.encode(block, model)
        return symbols

    def finish(self) -> None:
        """Check that the stream is the one, byte for byte, that holds the symbols read."""
        if self._again.finish() != self._data:
            raise MalformedError(
                f"{self._where}: {len(self._data)} bytes, not those that encode their symbols"
            )


def _is_panic(error: BaseException) -> bool:
    """Whether constriction's Rust code panicked; its exception class cannot be imported."""
    return type(error).__name__ == "PanicException"


class PlainRangeDecoder:
    """The same stream decoded in integers of plain Python, some 500,000 symbols a second at best.

    For tests, and to say exactly what the stream is. State: `low` and `width` of an interval, 0 and
    2^64 - 1 at first, and `point`, the first 64 bits of the stream. With unit = width >> 24, the
    next symbol is the one whose frequency f and cumulative frequency c (of all symbols before it)
    have c <= (point - low) // unit < c + f; there is none from 2^24 on. The interval becomes
    low + c * unit, f * unit. When width is then below 2^32, low and width are shifted left by 32
    bits, point too, with the next word at its end. All modulo 2^64.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self._words = iter(np.frombuffer(data + bytes(-len(data) % 4), ">u4").tolist())
        self._where = where
        # distance of the point from the lower end of the interval: all that decoding needs
        self._offset = self._next_word() << WORD_BITS | self._next_word()
        self._width = (1 << 2 * WORD_BITS) - 1

    def _next_word(self) -> int:
        return next(self._words, 0)

    def decode(self, num_symbols: int, table: FrequencyTable) -> NDArray[np.int32]:
        """As `RangeDecoder.decode`."""
        edges = np.concatenate([[0], np.cumsum(table)])
        starts = edges.tolist()
        symbols = np.empty(num_symbols, np.int32)
        for i in range(num_symbols):
            unit = self._width >> TOTAL_BITS
            quantile = self._offset // unit
            if quantile >= 1 << TOTAL_BITS:
                raise MalformedError(f"{self._where}: not the output of a range coder")
            symbol = int(np.searchsorted(edges, quantile, side="right")) - 1
            symbols[i] = symbol
            self._offset -= unit * starts[symbol]
            self._width = unit * (starts[symbol + 1] - starts[symbol])
            if self._width < 1 << WORD_BITS:
                self._offset = self._offset << WORD_BITS | self._next_word()
                self._width <<= WORD_BITS
        return symbols
