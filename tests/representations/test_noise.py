"""Fixed random numbers and the cosine transform are part of the format: literal expected values."""

import hashlib
import math

import numpy as np
import pytest
import torch

from nvcodec.representations import noise
from nvcodec.representations.cosine_transform import cosine_matrix, inverse_cosine_transform

UNIFORM = [[25120, -4488], [-31036, 30859]]
NORMAL = [104498, -23787, 57951]
HASH = "be784240a36b68fa"


def test_noise_is_the_same_for_ever():
    np.testing.assert_array_equal(noise.uniform((2, 2), 0) * 65536, UNIFORM)
    np.testing.assert_array_equal(noise.normal((3,), 7) * 65536, NORMAL)
    words = hashlib.sha256(noise.uniform((1000,), 3).astype("<f4").tobytes()).hexdigest()
    assert words.startswith(HASH)


def test_noise_has_its_moments():
    uniform, normal = noise.uniform((100_000,), 1), noise.normal((100_000,), 2)
    assert -0.5 <= uniform.min() < uniform.max() < 0.5
    assert abs(uniform.mean()) < 5e-3
    assert uniform.var() == pytest.approx(1 / 12, rel=0.02)
    assert abs(normal.mean()) < 0.01
    assert normal.var() == pytest.approx(1, rel=0.02)
    assert np.mean(np.abs(normal) < 1) == pytest.approx(0.683, abs=0.01)
    assert abs(np.corrcoef(noise.uniform((9999,), 1), noise.uniform((9999,), 2))[0, 1]) < 0.05


def test_cosine_matrix_by_hand():
    """n = 2: both entries of row 0 are sqrt(1/2); n = 3, row 1: sqrt(2/3) cos(pi/6), 0, ..."""
    unit = 2**-14
    half = round(math.sqrt(0.5) / unit) * unit
    np.testing.assert_array_equal(cosine_matrix(1), [[1]])
    np.testing.assert_array_equal(cosine_matrix(2), [[half, half], [half, -half]])
    expected = [math.sqrt(2 / 3) * math.cos(math.pi * (2 * j + 1) / 6) for j in range(3)]
    np.testing.assert_allclose(cosine_matrix(3)[1], expected, atol=unit)


@pytest.mark.parametrize("side", [1, 2, 3, 7, 28, 64, 100])
def test_cosine_matrix_is_orthonormal(side):
    matrix = cosine_matrix(side)
    k, j = np.mgrid[:side, :side]
    exact = np.sqrt(np.where(k == 0, 1, 2) / side) * np.cos(np.pi * (2 * j + 1) * k / (2 * side))
    assert np.abs(matrix - exact).max() <= 0.5001 * 2**-14
    np.testing.assert_array_equal(matrix * 2**14, np.rint(matrix * 2**14))
    assert np.abs(matrix @ matrix.T - np.eye(side)).max() < 1e-3


def test_inverse_transform_is_exact_and_has_gradients():
    """On the half-float grid the sums are exact: their order does not matter."""
    rng = np.random.default_rng(0)
    coefficients = (rng.normal(size=(28, 20, 3, 3)) * 0.1).astype(np.float16).astype(np.float64)
    tensor = torch.from_numpy(coefficients).requires_grad_()
    values = inverse_cosine_transform(tensor, (0, 1))
    backwards = np.flip(coefficients, (0, 1))
    rows, columns = np.flip(cosine_matrix(28), 0), np.flip(cosine_matrix(20), 0)
    once = np.rint(np.einsum("kcab,ki->icab", backwards, rows) * 2**24) / 2**24
    again = np.rint(np.einsum("ikab,kc->icab", once, columns) * 2**24) / 2**24
    np.testing.assert_array_equal(values.detach().numpy(), again)
    energy = float(values.detach().square().sum()) / float((coefficients**2).sum())
    assert energy == pytest.approx(1, abs=1e-3)
    values.sum().backward()
    assert tensor.grad is not None
    assert tensor.grad[0, 0, 0, 0] == pytest.approx(math.sqrt(28 * 20), rel=1e-3)
