import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.coding.cdf import TOTAL
from nvcodec.coding.hierarchical.gaussian import (
    MIN_SIGMA,
    NUM_SIGMAS,
    RESIDUAL_LIMIT,
    GaussianCounter,
    GaussianDecoder,
    GaussianEncoder,
    gaussian_table,
    support,
)

TABLES_SHA256 = "98a305666eb9f41508cfc2d771e33db3125a4d1e5e6cb7e64848b22e0de42ce3"


def test_tables_are_those_of_the_format():
    state = hashlib.sha256()
    for index in range(NUM_SIGMAS):
        table = gaussian_table(index)
        assert len(table) == 2 * support(index) + 2
        assert table.sum() == TOTAL
        assert table.min() >= 1
        state.update(table.astype("<u4").tobytes())
    assert state.hexdigest() == TABLES_SHA256


@pytest.mark.parametrize("index", range(0, NUM_SIGMAS, 4))
def test_tables_follow_the_normal_distribution(index):
    sigma = 2 ** ((index + MIN_SIGMA) / 8)
    half = support(index)
    assert half == 4 + math.floor(6 * sigma)
    edges = (np.arange(-half, half + 2) - 0.5) / sigma
    cdf = np.array([math.erfc(-edge / math.sqrt(2)) / 2 for edge in edges])
    ideal = np.diff(cdf)
    share = gaussian_table(index)[:-1] / TOTAL
    np.testing.assert_allclose(share, ideal, rtol=3e-5, atol=1.01 / TOTAL + len(share) / TOTAL * 2)
    # what the integers cost over the real distribution, bits a symbol
    assert (ideal * np.log2(np.maximum(ideal, 1e-300) / share)).sum() < 2e-3


def test_wide_bins_hold_nearly_everything():
    table = gaussian_table(0)  # sigma = 1/8: half a bin is four sigma
    np.testing.assert_array_equal(table[:3], 1)
    assert table[4] / TOTAL == pytest.approx(1 - math.erfc(4 / math.sqrt(2)), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 200), st.sampled_from([0.0, 0.02, 1.0]))
def test_batches_come_back(seed, size, outliers):
    rng = np.random.default_rng(seed)
    batches = []
    encoder, counter = GaussianEncoder(), GaussianCounter()
    for _ in range(3):
        index = rng.integers(0, NUM_SIGMAS, size).astype(np.uint8)
        sigma = 2 ** ((index.astype(float) + MIN_SIGMA) / 8)
        residual = np.rint(rng.normal(size=size) * sigma).astype(np.int32)
        wild = rng.random(size) < outliers
        limit = RESIDUAL_LIMIT // 2
        residual[wild] = rng.integers(-limit, limit + 1, int(wild.sum()))
        batches.append((index, residual))
        encoder.code(index, residual)
        counter.code(index, residual)
    data = encoder.finish()
    # less where a stream ends in zeros, which are not stored
    assert 8 * len(data) <= counter.bits + 0.01 * size + 40
    decoder = GaussianDecoder(data, "test")
    for index, residual in batches:
        np.testing.assert_array_equal(decoder.code(index), residual)
    decoder.finish()


def test_bytes_are_those_of_the_format():
    encoder = GaussianEncoder()
    encoder.code(np.array([24, 0, 40, 24, 24], np.uint8), np.array([1, 0, -7, -20, 300], np.int32))
    assert encoder.finish().hex() == "eee3e68cf4d2a90038e682fb"
