"""Integer frequency tables: what the range coder knows about a symbol, and how little travels.

A table holds one integer >= 1 for each symbol, total exactly 2^24. All tables here come from
integers through integer arithmetic alone, so that they are the same on every machine; logarithms in
floating point only help an encoder choose.

    spread and shape index --parametric_table--> table                11 bits of side information
    the same + residuals of sqrt(counts) --TableCode.table--> table   a few bits a symbol more

Symbols of `bits` bits run from -2^(bits-1) to 2^(bits-1) - 1; entry i of a table belongs to symbol
i - 2^(bits-1).
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.errors import MalformedError

FrequencyTable = NDArray[np.int64]

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS
MAX_SYMBOL_BITS = 13

# The family 2^-((|k| / a)^b), a generalised Gaussian read at the integers: b = 1 is Laplace, b = 2
# Gaussian, more is flatter.
SHAPE_EIGHTHS = (4, 6, 8, 11, 16, 24, 40, 128)
"""Exponent b of each shape index, in eighths."""
SHAPE_BITS = 3
SPREAD_BITS = 7
SPREAD_OFFSET = 32
"""log2 of the spread a, in eighths, is the spread index minus this: a runs from 1/16 to 3,900."""
PROBABILITY_BITS = 12

RESOLUTION_BITS = 3
ORDER_BITS = 2
_LOG_BITS = 16  # fraction of a fixed-point logarithm or exponent
_UNIT_BITS = 30  # fraction of a fixed-point mantissa or probability


def normalize(weights: NDArray[np.int64]) -> FrequencyTable:
    """Frequencies in proportion to integer weights, each at least 1, total 2^24.

    The largest takes what rounding leaves.

    Args:
        weights: (..., K), from 0 to 2^38, not all zero along the last axis.
    """
    num_symbols = weights.shape[-1]
    total = weights.sum(axis=-1, keepdims=True)
    table: FrequencyTable = (1 + weights * (TOTAL - num_symbols) // total).astype(np.int64)
    largest = weights.argmax(axis=-1, keepdims=True)
    rest = TOTAL - table.sum(axis=-1, keepdims=True)
    np.put_along_axis(table, largest, np.take_along_axis(table, largest, -1) + rest, -1)
    return table


def log2(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Logarithm to base 2, in 1/65536, of integers from 1 to 2^30: each squaring gives one bit."""
    whole = np.array([int(value).bit_length() - 1 for value in values], np.int64)
    mantissa = values << (_UNIT_BITS - whole)  # 1 to 2
    result = whole
    for _ in range(_LOG_BITS):
        mantissa = mantissa * mantissa >> _UNIT_BITS
        bit = mantissa >> (_UNIT_BITS + 1)
        mantissa >>= bit
        result = result << 1 | bit
    return result


def negative_exp2(exponents: NDArray[np.int64]) -> NDArray[np.int64]:
    """2^(30 - exponents / 65536) for exponents >= 0: a constant 2^-(2^-i) for each bit set."""
    result = np.full(exponents.shape, 1 << _UNIT_BITS, np.int64)
    root = 1 << (_UNIT_BITS - 1)  # 2^-1
    for i in range(1, _LOG_BITS + 1):
        root = math.isqrt(root << _UNIT_BITS)  # 2^-(2^-i)
        bit = exponents >> (_LOG_BITS - i) & 1
        result = np.where(bit == 1, result * root >> _UNIT_BITS, result)
    whole = np.minimum(exponents >> _LOG_BITS, _UNIT_BITS + 1)
    shifted: NDArray[np.int64] = result >> whole
    return shifted


def _parametric_tables(shape: int, spreads: NDArray[np.int64], bits: int) -> FrequencyTable:
    """Tables of one shape for several spread indices, (len(spreads), 2^bits)."""
    half = 1 << (bits - 1)
    log_ratio = log2(np.arange(1, half + 1, dtype=np.int64)) - (
        (spreads - SPREAD_OFFSET)[:, None] << (_LOG_BITS - 3)
    )
    log_power = log_ratio * SHAPE_EIGHTHS[shape] >> 3  # log2 of (k / a)^b
    # 2^-(2^x) has vanished from x = 5 on; below x = -16 it is 1
    log_power = np.clip(log_power, -16 << _LOG_BITS, 5 << _LOG_BITS)
    power = negative_exp2((5 << _LOG_BITS) - log_power) >> (_UNIT_BITS - _LOG_BITS - 5)
    tail = negative_exp2(power)  # k = 1 to half
    peak = np.full((len(spreads), 1), 1 << _UNIT_BITS, np.int64)
    return normalize(np.concatenate([tail[:, ::-1], peak, tail[:, :-1]], axis=1))


@functools.lru_cache(maxsize=256)
def parametric_table(shape: int, spread: int, bits: int) -> FrequencyTable:
    """The stored family: frequency of symbol k in proportion to 2^-((|k| / a)^b), (2^bits,).

    Args:
        shape: index of b in `SHAPE_EIGHTHS`, 0 to 7.
        spread: index of a = 2^((spread - 32) / 8), 0 to 127.
        bits: width of a symbol, 1 to 13.
    """
    table: FrequencyTable = _parametric_tables(shape, np.array([spread], np.int64), bits)[0]
    table.flags.writeable = False
    return table


def bernoulli_table(index: int) -> FrequencyTable:
    """Frequencies of False and True for a 12-bit index: True has (index + 1/2) / 4096 of all."""
    ones = (2 * index + 1) << (TOTAL_BITS - PROBABILITY_BITS - 1)
    return np.array([TOTAL - ones, ones], np.int64)


def uniform_table(bits: int) -> FrequencyTable:
    """2^bits equal frequencies."""
    return np.full(1 << bits, TOTAL >> bits, np.int64)


@dataclass(frozen=True)
class TableCode:
    """The side information that names a table.

    `residuals`, when there are any, turn the parametric table into an explicit one. With n counts
    in all and a resolution R, entry k stands for round(R sqrt(n_k / n)): a square root, because it
    makes the sampling noise of every entry alike, so that one step suits rare and frequent symbols.
    Stored is the difference from the same number for the parametric table.
    """

    bits: int
    shape: int
    spread: int
    resolution: int = 0
    """log2 of R / 4, 0 to 7; meaningful with residuals only."""
    residuals: tuple[int, ...] | None = None
    is_symmetric: bool = False
    """Whether residuals are given by magnitude, 0 to 2^(bits-1), for both signs at once."""

    def table(self) -> FrequencyTable:
        """The frequency table, (2^bits,).

        Raises:
            MalformedError: residuals that lead outside [0, R].
        """
        base = parametric_table(self.shape, self.spread, self.bits)
        if self.residuals is None:
            return base
        limit = 4 << self.resolution
        residuals = np.array(self.residuals, np.int64)
        if self.is_symmetric:
            residuals = residuals[_magnitudes(self.bits)]
        roots = _roots(base, limit) + residuals
        if roots.min() < 0 or roots.max() > limit or not roots.any():
            raise MalformedError(f"frequency table: entries must be 0 to {limit}, not all zero")
        return normalize(np.where(roots > 0, 16 * roots * roots, 1))

    def write(self, writer: BitWriter) -> None:
        """Append to a bit stream.

        One bit "explicit", 3 bits shape, 7 bits spread; if explicit also one bit "symmetric",
        3 bits resolution, 2 bits order, and the residuals as signed exp-Golomb codes of that order.
        """
        writer.write(self.residuals is not None, 1)
        writer.write(self.shape, SHAPE_BITS)
        writer.write(self.spread, SPREAD_BITS)
        if self.residuals is None:
            return
        writer.write(self.is_symmetric, 1)
        writer.write(self.resolution, RESOLUTION_BITS)
        order = min(range(1 << ORDER_BITS), key=self._residual_bits)
        writer.write(order, ORDER_BITS)
        for residual in self.residuals:
            writer.write_signed_exp_golomb(residual, order)

    def _residual_bits(self, order: int) -> int:
        assert self.residuals is not None
        residuals = np.array(self.residuals, np.int64)
        codes = np.where(residuals > 0, 2 * residuals - 1, -2 * residuals)
        # frexp gives the exact bit length of an integer
        return int((2 * np.frexp(codes + (1 << order))[1] - 1 - order).sum())

    def num_bits(self) -> int:
        """Bits that `write` appends."""
        size = 1 + SHAPE_BITS + SPREAD_BITS
        if self.residuals is not None:
            size += 1 + RESOLUTION_BITS + ORDER_BITS
            size += min(map(self._residual_bits, range(1 << ORDER_BITS)))
        return size

    @classmethod
    def read(cls, reader: BitReader, bits: int) -> "TableCode":
        """Inverse of `write`, for symbols of `bits` bits.

        Raises:
            MalformedError: the bits end early.
        """
        is_explicit = reader.read(1)
        shape, spread = reader.read(SHAPE_BITS), reader.read(SPREAD_BITS)
        if not is_explicit:
            return cls(bits, shape, spread)
        is_symmetric = bool(reader.read(1))
        resolution, order = reader.read(RESOLUTION_BITS), reader.read(ORDER_BITS)
        limit = 4 << resolution
        residuals = []
        for _ in range((1 << bits - 1) + 1 if is_symmetric else 1 << bits):
            residual = reader.read_signed_exp_golomb(order)
            if abs(residual) > limit:
                raise MalformedError(f"frequency table: residual {residual}, at most {limit}")
            residuals.append(residual)
        return cls(bits, shape, spread, resolution, tuple(residuals), is_symmetric)


def _magnitudes(bits: int) -> NDArray[np.int64]:
    """|symbol| for each entry of a table, (2^bits,)."""
    half = 1 << (bits - 1)
    return np.abs(np.arange(-half, half, dtype=np.int64))


def _roots(table: FrequencyTable, limit: int) -> NDArray[np.int64]:
    """round(limit * sqrt(table / 2^24)) in integers."""
    squares = table * (4 * limit * limit) >> TOTAL_BITS
    return np.array([(math.isqrt(int(square)) + 1) // 2 for square in squares], np.int64)


def cheapest_table(counts: NDArray[np.int64]) -> TableCode:
    """The table that codes symbols in the fewest bits, its own side information included.

    Args:
        counts: how often each symbol occurs, (2^bits,), not all zero.
    """
    bits = len(counts).bit_length() - 1
    total = int(counts.sum())
    costs = np.stack([_log2_frequencies(s, bits) @ counts for s in range(len(SHAPE_EIGHTHS))])
    shape, spread = divmod(int(np.argmax(costs)), 1 << SPREAD_BITS)
    best = TableCode(bits, shape, spread)
    base = best.table()
    best_bits = best.num_bits() + TOTAL_BITS * total - float(costs.max())
    magnitudes = _magnitudes(bits)
    mean_counts = np.bincount(magnitudes, counts) / np.bincount(magnitudes)  # of both signs
    first = len(counts) // 2  # entries from here back to 0 belong to magnitudes 0 to 2^(bits-1)
    for resolution, is_symmetric in itertools.product(range(1 << RESOLUTION_BITS), (False, True)):
        limit = 4 << resolution
        shares = (mean_counts if is_symmetric else counts) / total
        target = np.rint(limit * np.sqrt(shares)).astype(np.int64)
        if not target.any():
            continue
        roots = _roots(base, limit)
        residuals = target - (roots[first::-1] if is_symmetric else roots)
        code = TableCode(bits, shape, spread, resolution, tuple(residuals.tolist()), is_symmetric)
        size = code.num_bits() + float(counts @ (TOTAL_BITS - np.log2(code.table())))
        if size < best_bits:
            best, best_bits = code, size
    return best


@functools.lru_cache(maxsize=64)
def _log2_frequencies(shape: int, bits: int) -> NDArray[np.float32]:
    """log2 of every table of a shape, (128, 2^bits), for the encoder's choice."""
    return np.log2(
        _parametric_tables(shape, np.arange(1 << SPREAD_BITS, dtype=np.int64), bits)
    ).astype(np.float32)
