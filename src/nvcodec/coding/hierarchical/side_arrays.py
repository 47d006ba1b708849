"""The second level: arrays of integer side information ("phi"), and what describes their tables.

    phi array --PhiEncoder.add--> range coder stream: entry - location
                              --> psi: location, width, table

Each array costs its location (signed exp-Golomb of order 4), 4 bits for the width d of the signed
differences from it, at most 13, and, if d > 0, the cheaper of the tables of `cdf`, of d bits.
Uncoded, every entry takes 16 bits.

Source: NVRC, section 3.3 (phi is quantized and coded, psi describes it). Differs: integers
throughout; NVRC keeps a learned step, mean and spread for each array, as floats.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.cdf import MAX_SYMBOL_BITS, TableCode, cheapest_table, uniform_table
from nvcodec.coding.quantizer import symbol_range
from nvcodec.coding.range_coder import Model, RangeDecoder, RangeEncoder, coded_bits
from nvcodec.errors import MalformedError

LOCATION_ORDER = 4
WIDTH_BITS = 4
RAW_BITS = 16


class PhiEncoder:
    """Writes arrays to one stream; the descriptions go to a bit stream given by the caller."""

    def __init__(self, descriptions: BitWriter, is_coded: bool) -> None:
        self._descriptions = descriptions
        self._encoder = RangeEncoder()
        self._raw = None if is_coded else Model(uniform_table(RAW_BITS))
        self.bits = 0.0
        """Ideal code length of the stream so far."""

    def add(self, values: NDArray[np.integer[Any]]) -> None:
        """Append an array, in raster order."""
        flat = values.ravel().astype(np.int64)
        if not flat.size:
            return
        if self._raw is not None:
            self._encoder.encode(flat + (1 << (RAW_BITS - 1)), self._raw)
            self.bits += RAW_BITS * flat.size
            return
        location = int(np.sort(flat)[flat.size // 2])
        self._descriptions.write_signed_exp_golomb(location, LOCATION_ORDER)
        differences = flat - location
        low, high = int(differences.min()), int(differences.max())
        bits = 1 + max(high, ~low).bit_length() if low or high else 0
        assert bits <= MAX_SYMBOL_BITS, (low, high)
        self._descriptions.write(bits, WIDTH_BITS)
        if bits:
            indices = differences - symbol_range(bits)[0]
            counts = np.bincount(indices, minlength=1 << bits)
            code = cheapest_table(counts)
            code.write(self._descriptions)
            table = code.table()
            self._encoder.encode(indices, table)
            self.bits += coded_bits(counts, table)

    def finish(self) -> bytes:
        """The stream."""
        return self._encoder.finish()


class PhiDecoder:
    """Reads arrays back: the mirror of `PhiEncoder`."""

    def __init__(self, descriptions: BitReader, data: bytes, where: str, is_coded: bool) -> None:
        self._descriptions = descriptions
        self._decoder = RangeDecoder(data, where)
        self._where = where
        self._raw = None if is_coded else Model(uniform_table(RAW_BITS))

    def take(self, count: int, low: int, high: int) -> NDArray[np.int32]:
        """The next array, (count,).

        Raises:
            MalformedError: an entry outside [low, high], or damaged bytes.
        """
        values = self._take(count)
        if count and not low <= values.min() <= values.max() <= high:
            raise MalformedError(
                f"{self._where}: side information {values.min()} to {values.max()}, "
                f"{low} to {high} allowed"
            )
        return values.astype(np.int32)

    def _take(self, count: int) -> NDArray[np.int64]:
        if not count:
            return np.empty(0, np.int64)
        if self._raw is not None:
            return self._decoder.decode(count, self._raw).astype(np.int64) - (1 << (RAW_BITS - 1))
        location = self._descriptions.read_signed_exp_golomb(LOCATION_ORDER)
        bits = self._descriptions.read(WIDTH_BITS)
        if bits > MAX_SYMBOL_BITS:
            raise MalformedError(
                f"{self._where}: differences of {bits} bits, at most {MAX_SYMBOL_BITS} allowed"
            )
        if not bits:
            return np.full(count, location, np.int64)
        table = TableCode.read(self._descriptions, bits).table()
        differences = self._decoder.decode(count, table).astype(np.int64)
        return differences + (location + symbol_range(bits)[0])

    def finish(self) -> None:
        """Check that the stream is exactly the one that holds the arrays read."""
        self._decoder.finish()
