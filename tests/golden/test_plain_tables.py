"""Tables written from the formulas of docs/format.md in plain Python are those of the coders."""

import math

import numpy as np
import pytest

from nvcodec.coding.cdf import TableCode, bernoulli_table, parametric_table
from nvcodec.coding.hierarchical.gaussian import gaussian_table
from nvcodec.coding.hierarchical.lattice import width_table

TOTAL = 1 << 24


def normalize(weights):
    total = sum(weights)
    table = [1 + w * (TOTAL - len(weights)) // total for w in weights]
    table[weights.index(max(weights))] += TOTAL - sum(table)
    return table


def log2(v):
    whole = v.bit_length() - 1
    m, result = v << (30 - whole), whole
    for _ in range(16):
        m = m * m >> 30
        bit = m >> 31
        m >>= bit
        result = result << 1 | bit
    return result


def negative_exp2(e):
    result, r = 1 << 30, 1 << 29
    for i in range(1, 17):
        r = math.isqrt(r << 30)
        if e >> (16 - i) & 1:
            result = result * r >> 30
    return result >> min(e >> 16, 31)


def parametric(shape, a, bits):
    b, weights = (4, 6, 8, 11, 16, 24, 40, 128)[shape], []
    for k in range(1, (1 << bits - 1) + 1):
        x = (log2(k) - ((a - 32) << 13)) * b // 8
        x = min(max(x, -16 << 16), 5 << 16)
        weights.append(negative_exp2(negative_exp2((5 << 16) - x) >> 9))
    return normalize([*weights[::-1], 1 << 30, *weights[:-1]])


@pytest.mark.parametrize("shape", range(8))
def test_parametric_tables(shape):
    for spread in (0, 31, 60, 127):
        for bits in (1, 4, 6):
            expected = parametric(shape, spread, bits)
            assert parametric_table(shape, spread, bits).tolist() == expected


def test_explicit_tables():
    rng = np.random.default_rng(0)
    for resolution in range(4):
        limit = 4 << resolution
        base = parametric(2, 40, 4)
        roots = [(math.isqrt(f * 4 * limit * limit >> 24) + 1) // 2 for f in base]
        wanted = rng.integers(0, limit + 1, 16).tolist()
        residuals = tuple(w - r for w, r in zip(wanted, roots, strict=True))
        expected = normalize([16 * g * g if g else 1 for g in wanted])
        assert TableCode(4, 2, 40, resolution, residuals).table().tolist() == expected


def test_probabilities():
    for q in (0, 1, 2047, 4095):
        assert bernoulli_table(q).tolist() == [TOTAL - ((2 * q + 1) << 11), (2 * q + 1) << 11]


@pytest.mark.parametrize("index", [0, 1, 20, 24, 33, 60, 88])
def test_gaussian_tables(index):
    k = index - 24
    power = 6**8 << k if k >= 0 else 6**8 >> -k
    support = 4 + math.isqrt(math.isqrt(math.isqrt(power)))
    g = 2 + max(0, (15 - k) // 8)
    # floor(2^60 log2 e) from the series of ln 2 = sum of 1 / (i 2^i)
    ln2 = sum((1 << 200) // (i << i) for i in range(1, 200))
    factor = ((1 << 260) // ln2) * math.isqrt(math.isqrt(1 << (240 - k)))
    s = factor.bit_length() - 34
    weights = []
    for n in range(support + 1):
        total = 0
        for j in range((1 << g) + 1):
            x = (2 * n << g) + 2 * j - (1 << g)
            rule = 1 if j in (0, 1 << g) else 4 if j % 2 else 2
            total += rule * negative_exp2(x * x * (factor >> s) >> (107 + 2 * g - s))
        weights.append(total)
    expected = normalize([*weights[:0:-1], *weights, 0])
    assert gaussian_table(index).tolist() == expected


def test_bin_widths():
    for k, width in zip(range(-160, 121), width_table().tolist(), strict=True):
        octave, eighth = divmod(k, 8)
        m = math.isqrt(math.isqrt(math.isqrt(1 << 320 + eighth)))
        u = max(octave, -14) - 10
        s = 40 - octave + u
        assert width == math.ldexp((m + (1 << s - 1)) >> s, u)
