import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.coding import range_coder
from nvcodec.coding.cdf import TOTAL, normalize, parametric_table, uniform_table
from nvcodec.coding.range_coder import (
    PlainRangeDecoder,
    RangeDecoder,
    RangeEncoder,
    coded_bits,
)
from nvcodec.errors import MalformedError


def random_table(rng):
    return normalize(np.rint(rng.random(rng.integers(2, 600)) ** 9 * 2**38).astype(np.int64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constriction_takes_exactly_our_integers(dtype):
    """The first word pair is aimed at both edges of every interval; constriction must agree."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = random_table(rng)
        model = constriction.stream.model.Categorical((table - 1).astype(dtype), perfect=False)
        unit = (2**64 - 1) >> 24
        start = 0
        for symbol in rng.choice(len(table), min(len(table), 50), replace=False):
            start = int(table[:symbol].sum())
            end = start + int(table[symbol])
            for point in (start * unit, end * unit - 1):
                words = np.array([point >> 32, point & 0xFFFFFFFF], np.uint32)
                decoder = constriction.stream.queue.RangeDecoder(words)
                assert decoder.decode(model, 1)[0] == symbol
    assert table.sum() == TOTAL


def test_bytes_are_those_of_the_format():
    encoder = RangeEncoder()
    encoder.encode(np.arange(16), uniform_table(4))
    encoder.encode(np.array([3, 4, 5, 4, 4, 2]), parametric_table(4, 40, 3))
    assert encoder.finish().hex() == "0123456787e333326d921b5b"


@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_both_decoders_read_what_was_written(seed, num_symbols):
    rng = np.random.default_rng(seed)
    groups = []
    encoder = RangeEncoder()
    for _ in range(3):
        table = random_table(rng)
        symbols = rng.choice(len(table), num_symbols, p=table / TOTAL)
        encoder.encode(symbols, table)
        groups.append((symbols, table))
    data = encoder.finish()
    bits = sum(coded_bits(np.bincount(s, minlength=len(t)), t) for s, t in groups)
    assert 8 * len(data) <= bits + 0.01 * num_symbols + 40
    decoder, plain = RangeDecoder(data, "test"), PlainRangeDecoder(data, "test")
    for symbols, table in groups:
        np.testing.assert_array_equal(decoder.decode(num_symbols, table), symbols)
        np.testing.assert_array_equal(plain.decode(num_symbols, table), symbols)
    decoder.finish()


@given(st.binary(max_size=60), st.integers(0, 2**32 - 1))
def test_both_decoders_agree_on_any_bytes(data, seed):
    table = random_table(np.random.default_rng(seed))
    results = []
    for decoder in (RangeDecoder(data, "test"), PlainRangeDecoder(data, "test")):
        try:
            results.append(decoder.decode(40, table).tolist())
        except MalformedError:
            results.append(None)
    assert results[0] == results[1]


def test_blocks_join(monkeypatch):
    monkeypatch.setattr(range_coder, "BLOCK_SYMBOLS", 7)
    table = parametric_table(2, 50, 6)
    symbols = np.random.default_rng(1).choice(64, 100, p=table / TOTAL)
    encoder = RangeEncoder()
    encoder.encode(symbols, table)
    decoder = RangeDecoder(encoder.finish(), "test")
    np.testing.assert_array_equal(decoder.decode(100, table), symbols)
    decoder.finish()


@pytest.mark.parametrize("change", [lambda d: d + b"\0", lambda d: d + b"\1", lambda d: d[:-1]])
def test_other_lengths_are_malformed(change):
    table = uniform_table(6)
    encoder = RangeEncoder()
    encoder.encode(np.arange(50), table)
    decoder = RangeDecoder(change(encoder.finish()), "section SYMB")
    decoder.decode(50, table)
    with pytest.raises(MalformedError, match="section SYMB"):
        decoder.finish()


class PanicException(BaseException):
    """Looks like the class that constriction raises and does not export."""


def test_a_panic_is_malformed(monkeypatch):
    class Panicking:
        def decode(self, model, num_symbols):
            raise PanicException

    decoder = RangeDecoder(b"", "test")
    monkeypatch.setattr(decoder, "_decoder", Panicking())
    with pytest.raises(MalformedError):
        decoder.decode(1, uniform_table(1))
