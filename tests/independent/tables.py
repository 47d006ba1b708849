"""Frequency tables from integers ("Streams and tables"), handed on as cumulative frequencies."""

from functools import cache
from itertools import accumulate
from math import isqrt

from independent.streams import BitReader, check

ONE = 65536  # logarithms count in 1/65536
TOTAL = 2**24
SHAPES = (4, 6, 8, 11, 16, 24, 40, 128)


def log2(v: int) -> int:
    whole = v.bit_length() - 1
    m = v << 30 - whole
    value = whole
    for _ in range(16):
        m = m * m >> 30
        bit = m >> 31
        m >>= bit
        value = 2 * value + bit
    return value


ROOTS = [2**29]
for _ in range(16):
    ROOTS.append(isqrt(ROOTS[-1] << 30))


def negative_exp2(e: int) -> int:
    value = 2**30
    for i in range(1, 17):
        if e >> 16 - i & 1:
            value = value * ROOTS[i] >> 30
    return value >> min(e // ONE, 31)


def normalize(weights: list[int]) -> list[int]:
    total = sum(weights)
    spare = TOTAL - len(weights)
    frequencies = [1 + w * spare // total for w in weights]
    frequencies[weights.index(max(weights))] += TOTAL - sum(frequencies)
    return frequencies


def cumulative(frequencies: list[int]) -> list[int]:
    return [0, *accumulate(frequencies)]


def equal(count: int) -> list[int]:
    """`count` symbols, equally probable; a power of two."""
    return list(range(0, TOTAL + 1, TOTAL // count))


def bernoulli(q: int) -> list[int]:
    """False and True, of 12-bit probability q."""
    return [0, TOTAL - (2 * q + 1 << 11), TOTAL]


@cache
def parametric(bits: int, shape: int, spread: int) -> tuple[int, ...]:
    """Frequencies of -2^(bits - 1) .. 2^(bits - 1) - 1."""
    half = 2 ** (bits - 1)
    weights = {0: 2**30}
    for k in range(1, half + 1):
        x = (log2(k) - (spread - 32) * 2**13) * SHAPES[shape] // 8
        x = min(max(x, -16 * ONE), 5 * ONE)
        p = negative_exp2(5 * ONE - x) >> 9
        weights[k] = weights[-k] = negative_exp2(p)
    return tuple(normalize([weights[k] for k in range(-half, half)]))


def read_table(stream: BitReader, bits: int) -> list[int]:
    """A table of symbols of `bits` bits, as it is written in a bit stream."""
    explicit = stream.take(1)
    shape, spread = stream.take(3), stream.take(7)
    frequencies = list(parametric(bits, shape, spread))
    if explicit:
        symmetric, resolution, order = stream.take(1), stream.take(3), stream.take(2)
        half = 2 ** (bits - 1)
        residuals = [stream.signed(order) for _ in range(half + 1 if symmetric else 2 * half)]
        r = 4 * 2**resolution
        weights = []
        for i, f in enumerate(frequencies):
            g = (isqrt(f * 4 * r * r >> 24) + 1) // 2
            g += residuals[abs(i - half) if symmetric else i]
            check(0 <= g <= r, "a root out of range")
            weights.append(16 * g * g or 1)
        check(any(w > 1 for w in weights), "a table of zeros")
        frequencies = normalize(weights)
    return cumulative(frequencies)
