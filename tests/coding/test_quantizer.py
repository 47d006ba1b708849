import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nvcodec.coding.quantizer import (
    quant_axis,
    quant_scale_shape,
    quantize,
    symbol_range,
    symmetric_quant_scale,
)


@pytest.mark.parametrize(
    ("shape", "axis", "num_scales"),
    [
        # HiNeRV's linear 280 <- 1120, depth-wise kernel, local grid
        ((280, 1120), 1, 280),
        ((280, 1, 3, 3), 0, 9),
        ((800, 2), 0, 2),
        ((64, 64), 0, 64),
        ((10, 9, 16, 4), None, 1),
        ((3, 20), None, 1),
        ((3, 21), 1, 3),
        ((0, 30), None, 1),
        ((), None, 1),
    ],
)
def test_axis_and_number_of_scales(shape, axis, num_scales):
    assert quant_axis(shape) == axis
    assert np.prod(quant_scale_shape(shape)) == num_scales


def test_scale_of_a_hand_computed_case():
    values = np.zeros((2, 21), np.float32)
    values[0, 3] = -6.3  # 12.6 / 63 = 0.2, as float16 0.2000 (rounded up)
    scale = symmetric_quant_scale(values, bits=6)
    assert scale.dtype == np.float16
    assert scale.view(np.uint16).tolist() == [[0x3267], [0x3267]]  # zeros follow the others
    assert float(scale[0, 0]) >= 0.2
    assert quantize(values, scale, 6)[0, 3] == -31


def test_rounding_is_to_even_and_clamped():
    scale = np.array([1], np.float16)
    values = np.array([0.5, 1.5, -0.5, -1.5, 40, -40], np.float32)
    assert quantize(values, scale, 6).tolist() == [0, 2, 0, -2, 31, -32]


@given(
    hnp.arrays(
        np.float32,
        st.sampled_from([(3, 21), (25, 2), (2, 3), (1, 1), (0, 4)]),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.integers(2, 12),
    st.integers(1, 10),
)
def test_scales_are_positive_finite_and_coarse(values, bits, mantissa_bits):
    scale = symmetric_quant_scale(values, bits, mantissa_bits)
    assert scale.shape == quant_scale_shape(values.shape)
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
    assert not (scale.view(np.uint16) & ((1 << (10 - mantissa_bits)) - 1)).any()
    symbols = quantize(values, scale, bits)
    low, high = symbol_range(bits)
    assert symbols.min(initial=0) >= low
    assert symbols.max(initial=0) <= high
    inside = np.abs(values) < 65504
    error = np.abs(symbols * scale.astype(np.float64) - values)
    limit = np.broadcast_to(scale.astype(np.float64), values.shape) * 0.5001
    assert (error[inside] <= limit[inside]).all()
