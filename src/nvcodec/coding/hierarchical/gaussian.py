"""Zero-mean Gaussians read at the integers: one family of tables, and coders that group by it.

    sigma index (uint8), residual (int32) --GaussianEncoder--> range coder stream
    sigma index (uint8) ------------------GaussianDecoder----> residual (int32)
    sigma index, residual ----------------GaussianCounter----> bits, nothing written

Sigma is the spread in units of the bin width, 2^(k / 8) with k from -24 to 64 (1/8 to 256); its
index is k + 24. The table of an index covers residuals from -L to L, entry n + L for residual n,
L = 4 + floor(6 sigma), and ends with one entry for "escape". Tables come from integers through
integer arithmetic alone.

One call codes a batch of residuals: ordered by sigma index, then by place in the batch; each group
of one index under its table; after each group its escapes, see `_Escapes`.

Source: NVRC, section 3.2: a Gaussian for every symbol. Differs: means rounded to whole bins, 8
widths an octave (NVRC: 64 widths from 0.11 to 256), integer tables, escapes.
"""

import abc
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.cdf import (
    TOTAL_BITS,
    FrequencyTable,
    negative_exp2,
    normalize,
    uniform_table,
)
from nvcodec.coding.range_coder import Model, RangeDecoder, RangeEncoder
from nvcodec.errors import MalformedError

MIN_SIGMA = -24
"""Smallest log2 of sigma, in eighths."""
MAX_SIGMA = 64
NUM_SIGMAS = MAX_SIGMA - MIN_SIGMA + 1
RESIDUAL_LIMIT = (1 << 17) - 1
"""Largest magnitude of a residual that an escape can hold."""

_LOG2_E = 1663314137230540311  # floor(2^60 log2(e))
_CLASS_BITS = 5
_MAX_CLASS = 17


def support(index: int) -> int:
    """L: residuals from -L to L have entries of their own in the table of a sigma index."""
    k = index + MIN_SIGMA
    eighth_power = 6**8 << k if k >= 0 else 6**8 >> -k  # of 6 sigma
    return 4 + math.isqrt(math.isqrt(math.isqrt(eighth_power)))


@functools.lru_cache(maxsize=NUM_SIGMAS)
def gaussian_table(index: int) -> FrequencyTable:
    """Frequencies of residuals -L to L and of "escape", (2 L + 2,).

    In proportion to the density 2^-(x^2 log2(e) / 2), x = n / sigma, integrated over [n - 1/2,
    n + 1/2] by Simpson's rule: within 2^-16 of the difference of the distribution function, and the
    same integers everywhere.

    Args:
        index: sigma index, 0 to 88; sigma = 2^((index - 24) / 8).
    """
    k, half = index + MIN_SIGMA, support(index)
    log_intervals = 2 + max(0, (15 - k) // 8)  # of Simpson's rule, per bin
    num_intervals = 1 << log_intervals
    twice = 2 * num_intervals * np.arange(half + 1, dtype=np.int64)[:, None] - num_intervals
    twice = twice + 2 * np.arange(num_intervals + 1, dtype=np.int64)  # 2 n x intervals
    # exponent in 1/65536: (twice / (2 num_intervals))^2 2^(-k/4) log2(e) / 2 as product and shift
    factor = _LOG2_E * math.isqrt(math.isqrt(1 << (240 - k)))  # 120 bits of fraction
    surplus = factor.bit_length() - 34
    shift = 120 - 16 + 3 + 2 * log_intervals - surplus
    density = negative_exp2(twice * twice * (factor >> surplus) >> shift)
    rule = np.full(num_intervals + 1, 2, np.int64)
    rule[1::2] = 4
    rule[[0, -1]] = 1
    mass = (density * rule).sum(axis=1)
    escape = np.zeros(1, np.int64)
    table = normalize(np.concatenate([mass[:0:-1], mass, escape]))
    table.flags.writeable = False
    return table


@functools.lru_cache(maxsize=NUM_SIGMAS)
def _model(index: int) -> Model:
    return Model(gaussian_table(index))


@functools.lru_cache(maxsize=2)
def _uniform_model(bits: int) -> Model:
    return Model(uniform_table(bits))


class GaussianCoder(abc.ABC):
    """Codes batches of residuals under the tables that their sigma indices name."""

    def code(
        self, index: NDArray[np.uint8], residual: NDArray[np.int32] | None = None
    ) -> NDArray[np.int32]:
        """Code one batch.

        Args:
            index: sigma indices, (N,), 0 to 88.
            residual: residuals (N,), up to 2^17 - 1 in magnitude; only an encoder looks at them.

        Returns:
            The residuals, (N,).

        Raises:
            MalformedError: damaged bytes, in a decoder.
        """
        order = np.argsort(index, kind="stable")
        ordered = np.empty(0, np.int32) if residual is None else residual[order]
        counts = np.bincount(index, minlength=NUM_SIGMAS)
        parts = []
        start = 0
        for i in np.flatnonzero(counts).tolist():
            end = start + int(counts[i])
            parts.append(self._code_group(i, end - start, ordered[start:end]))
            start = end
        if residual is not None:
            return residual
        result = np.empty(len(index), np.int32)
        if parts:
            result[order] = np.concatenate(parts)
        return result

    @abc.abstractmethod
    def _code_group(self, index: int, count: int, residual: NDArray[np.int32]) -> NDArray[np.int32]:
        """Code `count` residuals of one sigma index; `residual` is empty in a decoder."""


class _Escapes:
    """Residuals beyond a table's support, all those of one group together.

    With x = 2 (|n| - L - 1) + (1 if n < 0) + 1, in the order of the residuals: the class
    c = floor(log2 x) of each, at most 17, one of 32 equally probable symbols; then the c lower bits
    of every x, one of two symbols each, from bit 16 of all that have one down to bit 0.
    """

    @staticmethod
    def split(residual: NDArray[np.int32], half: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and class of each residual."""
        x = 2 * (np.abs(residual.astype(np.int64)) - half - 1) + (residual < 0) + 1
        return x, np.frexp(x)[1].astype(np.int64) - 1

    @staticmethod
    def write(encoder: RangeEncoder, residual: NDArray[np.int32], half: int) -> None:
        x, classes = _Escapes.split(residual, half)
        assert classes.max() <= _MAX_CLASS, "residual beyond the limit"
        encoder.encode(classes, _uniform_model(_CLASS_BITS))
        for bit in range(_MAX_CLASS - 1, -1, -1):
            encoder.encode(x[classes > bit] >> bit & 1, _uniform_model(1))

    @staticmethod
    def read(decoder: RangeDecoder, count: int, half: int, where: str) -> NDArray[np.int32]:
        classes = decoder.decode(count, _uniform_model(_CLASS_BITS)).astype(np.int64)
        if classes.max() > _MAX_CLASS:
            raise MalformedError(f"{where}: escape class {classes.max()}, at most {_MAX_CLASS}")
        x = np.int64(1) << classes
        for bit in range(int(classes.max()) - 1, -1, -1):
            chosen = np.flatnonzero(classes > bit)
            x[chosen] |= decoder.decode(len(chosen), _uniform_model(1)).astype(np.int64) << bit
        magnitude = (x - 1 >> 1) + half + 1
        return np.where(x - 1 & 1, -magnitude, magnitude).astype(np.int32)


class GaussianEncoder(GaussianCoder):
    """Writes batches."""

    def __init__(self) -> None:
        self._encoder = RangeEncoder()

    def _code_group(self, index: int, count: int, residual: NDArray[np.int32]) -> NDArray[np.int32]:
        half = support(index)
        symbols = residual + np.int32(half)
        outside = (symbols < 0) | (symbols > 2 * half)
        if not outside.any():
            self._encoder.encode(symbols, _model(index))
            return residual
        symbols[outside] = 2 * half + 1
        self._encoder.encode(symbols, _model(index))
        _Escapes.write(self._encoder, residual[outside], half)
        return residual

    def finish(self) -> bytes:
        """The stream."""
        return self._encoder.finish()


class GaussianDecoder(GaussianCoder):
    """Reads batches."""

    def __init__(self, data: bytes, where: str) -> None:
        self._decoder = RangeDecoder(data, where)
        self._where = where

    def _code_group(self, index: int, count: int, residual: NDArray[np.int32]) -> NDArray[np.int32]:
        half = support(index)
        symbols = self._decoder.decode(count, _model(index))
        result = symbols - np.int32(half)
        outside = np.flatnonzero(symbols == 2 * half + 1)
        if len(outside):
            result[outside] = _Escapes.read(self._decoder, len(outside), half, self._where)
        return result

    def finish(self) -> None:
        """Check that the stream is exactly the one that holds the residuals read."""
        self._decoder.finish()


class GaussianCounter(GaussianCoder):
    """Adds up code lengths."""

    def __init__(self) -> None:
        self.bits = 0.0

    def _code_group(self, index: int, count: int, residual: NDArray[np.int32]) -> NDArray[np.int32]:
        half = support(index)
        outside = np.abs(residual) > half
        symbols = np.where(outside, 2 * half + 1, residual + half)
        self.bits += float((TOTAL_BITS - np.log2(gaussian_table(index)))[symbols].sum())
        if outside.any():
            _, classes = _Escapes.split(residual[outside], half)
            self.bits += float((classes + _CLASS_BITS).sum())
        return residual
