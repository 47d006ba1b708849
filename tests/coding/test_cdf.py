import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.cdf import (
    TOTAL,
    TableCode,
    bernoulli_table,
    cheapest_table,
    normalize,
    parametric_table,
    uniform_table,
)
from nvcodec.coding.range_coder import coded_bits
from nvcodec.errors import MalformedError


def is_table(table):
    return table.dtype == np.int64 and table.min() >= 1 and table.sum() == TOTAL


def test_stored_tables_are_those_of_the_format():
    state = hashlib.sha256()
    for bits in (1, 2, 6, 8):
        for shape in range(8):
            for spread in range(128):
                table = parametric_table(shape, spread, bits)
                assert is_table(table)
                state.update(table.astype("<i8").tobytes())
    assert state.hexdigest() == "a5c81ea09ea5a9c23affe414ae52331c335aeadff5b5fa391a5af8ce7578c30a"


def test_literal_tables():
    assert parametric_table(4, 40, 3).tolist() == [
        251775,
        846874,
        2014194,
        3387457,
        4028391,
        3387457,
        2014194,
        846874,
    ]
    assert parametric_table(2, 40, 3).tolist() == [
        959503,
        1356957,
        1919006,
        2713885,
        3838017,
        2713885,
        1919006,
        1356957,
    ]
    assert bernoulli_table(0).tolist() == [16775168, 2048]
    assert bernoulli_table(4095).tolist() == [2048, 16775168]
    assert uniform_table(11).tolist() == [8192] * 2048
    assert TableCode(3, 4, 40, 1, (0, 0, 1, 0, -1, 0, 2, 0)).table().tolist() == [
        184365,
        737460,
        2949839,
        2949839,
        1659285,
        2949839,
        4609129,
        737460,
    ]


def test_literal_side_information():
    writer = BitWriter()
    TableCode(3, 4, 40).write(writer)
    TableCode(3, 4, 40, 1, (0, 0, 1, 0, -1, 0, 2, 0)).write(writer)
    TableCode(3, 4, 40, 1, (1, 0, -1, 0, 0), is_symmetric=True).write(writer)
    assert writer.getvalue().hex() == "4518a04d5c9c5122bc"


def test_symmetric_residuals_count_for_both_signs():
    by_magnitude = TableCode(3, 4, 40, 2, (1, 0, -1, 2, 0), is_symmetric=True)
    entry_by_entry = TableCode(3, 4, 40, 2, (0, 2, -1, 0, 1, 0, -1, 2))
    assert by_magnitude.table().tolist() == entry_by_entry.table().tolist()


@pytest.mark.parametrize("shape", range(8))
@pytest.mark.parametrize("spread", [0, 32, 50, 64, 80, 127])
def test_family_is_the_formula(shape, spread):
    k = np.abs(np.arange(-32, 32))
    exponent = (4, 6, 8, 11, 16, 24, 40, 128)[shape] / 8
    with np.errstate(over="ignore"):
        weights = 2.0 ** -((k / 2 ** ((spread - 32) / 8)) ** exponent)
    expected = weights / weights.sum()
    np.testing.assert_allclose(parametric_table(shape, spread, 6) / TOTAL, expected, atol=1e-5)


def test_widest_alphabet_is_a_table():
    assert is_table(parametric_table(2, 127, 13))


@given(hnp.arrays(np.int64, st.integers(2, 300), elements=st.integers(0, 2**38)))
def test_normalized_weights_are_a_table(weights):
    weights[0] += not weights.any()
    assert is_table(normalize(weights))


@given(hnp.arrays(np.int64, 64, elements=st.integers(0, 1000)), st.integers(0, 63))
def test_cheapest_table_comes_back(counts, peak):
    counts[peak] += 1
    code = cheapest_table(counts)
    writer = BitWriter()
    code.write(writer)
    assert writer.num_bits == code.num_bits()
    reader = BitReader(writer.getvalue(), "test")
    again = TableCode.read(reader, 6)
    reader.finish()
    assert again == code
    assert is_table(again.table())


def test_explicit_table_is_taken_where_it_pays():
    symbols = np.arange(-32, 32)
    smooth = np.rint(1000 * np.exp(-((symbols / 9) ** 2) / 2)).astype(np.int64)
    assert cheapest_table(smooth).residuals is None
    spiky = smooth.copy()
    spiky[::7] = 0
    code = cheapest_table(spiky)
    assert code.residuals is not None
    share = spiky[spiky > 0] / spiky.sum()
    entropy_bits = -(spiky[spiky > 0] * np.log2(share)).sum()
    assert coded_bits(spiky, code.table()) + code.num_bits() < 1.01 * entropy_bits


@given(st.binary(max_size=200), st.integers(1, 8))
def test_any_bits_are_a_table_or_malformed(data, bits):
    try:
        table = TableCode.read(BitReader(data, "test"), bits).table()
    except MalformedError:
        return
    assert is_table(table)
    assert len(table) == 1 << bits
