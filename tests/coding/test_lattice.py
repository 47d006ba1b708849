import hashlib

import numpy as np
import pytest

from nvcodec.coding.hierarchical.lattice import (
    MAX_LOG2_WIDTH,
    MIN_LOG2_WIDTH,
    axis_lengths,
    dequantized,
    quantized,
    rounded_mean,
    to_lattice,
    width_table,
    width_values,
)
from nvcodec.coding.hierarchical.tensors import AxisPair, grid_width_values

TABLE_SHA256 = "8db03df1b64c6ef0a14bb113067a46c80c6a0a052a60c07e0d61ac124a552aa4"


def test_width_table_is_that_of_the_format():
    table = width_table()
    assert hashlib.sha256(table.astype("<f2").tobytes()).hexdigest() == TABLE_SHA256
    ideal = 2.0 ** (np.arange(MIN_LOG2_WIDTH, MAX_LOG2_WIDTH + 1) / 8)
    np.testing.assert_array_equal(table, ideal.astype(np.float16))
    assert (np.diff(table) > 0).all()


def test_widths_beyond_the_table_are_its_ends():
    widths = width_values(np.array([-999, MIN_LOG2_WIDTH, 0, MAX_LOG2_WIDTH, 999], np.int32))
    assert widths.tolist() == [2**-20, 2**-20, 1, 2**15, 2**15]


def test_lattices_round_halves_to_even_and_means_up():
    assert to_lattice(np.array([0.0625, 0.1875, -0.0625, 99]), 8, 511).tolist() == [0, 2, 0, 511]
    assert rounded_mean(np.array([-25, -24, -8, 7, 8, 24], np.int32)).tolist() == [
        -2, -1, 0, 0, 1, 2,
    ]  # fmt: skip


def test_values_are_rounded_once():
    width = np.float32(width_table()[3 - MIN_LOG2_WIDTH])  # 2^(3/8) as float16
    symbols = quantized(np.array([1.0, -7.1, 1e9, -1e9], np.float32), width)
    assert symbols.tolist() == [1, -5, 32767, -32767]
    values = dequantized(symbols, width)
    assert values.tolist() == [float(np.float16(s * float(width))) for s in symbols]
    assert dequantized(np.array([32767], np.int32), np.float32(2**15)).tolist() == [65504]


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [((336, 84), (1, 84)), ((84, 336), (84, 1)), ((200, 20, 3, 3), (200, 180)), ((300,), (1, 1)),
     ((127, 127), (1, 1)), ((), (1, 1)), ((0, 200), (1, 1)), ((1, 200), (1, 1))],
)  # fmt: skip
def test_an_entry_serves_128_values(shape, lengths):
    """NVRC's rule: a vector along an axis exists where 128 values share each of its entries."""
    assert axis_lengths(shape, 128, per_tensor=False) == lengths
    assert axis_lengths(shape, 128, per_tensor=True) == (1, 1)


def test_pairs_have_one_spelling():
    def of(rows, columns):
        pair = AxisPair.of(np.array(rows, np.int32), np.array(columns, np.int32), 20)
        return pair.rows.tolist(), pair.columns.tolist()

    assert of([3], [4]) == ([7], [0])
    assert of([3, 5], [4]) == ([7, 9], [0])
    assert of([3], [4, 15, 90]) == ([0], [7, 18, 20])
    assert of([3, 4], [5, 6]) == ([3, 4], [5, 6])


def test_every_block_has_its_width():
    width = np.arange(2 * 1 * 3 * 2, dtype=np.int32).reshape(2, 1, 3, 2) * 8
    values = grid_width_values(width, (5, 2, 7, 2), (4, 2, 3))
    assert values.shape == (5, 2, 7, 2)
    for t, h, w, c in np.ndindex(values.shape):
        assert values[t, h, w, c] == 2.0 ** (width[t // 4, h // 2, w // 3, c] / 8)
