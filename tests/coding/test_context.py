import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.coding.hierarchical.context import (
    MAX_EXPONENT,
    MIN_EXPONENT,
    Blocks,
    ContextNetwork,
    Predictor,
    layer_shapes,
    round_shift,
    taps,
    wavefronts,
    weight_exponent,
)
from nvcodec.coding.hierarchical.gaussian import (
    MAX_SIGMA,
    MIN_SIGMA,
    GaussianDecoder,
    GaussianEncoder,
)
from nvcodec.coding.hierarchical.gaussian_runs import code_grids

KERNELS = [(3, 1, 1), (5, 3, 1), (5, 1, 1), (3,), (3, 5, 3)]


def random_network(rng, kernels, width, groups, scale=1.0):
    shapes = layer_shapes(kernels, width, groups)
    weights = [rng.normal(size=s).astype(np.float32) * scale / s[2] / s[3] ** 0.5 for s in shapes]
    biases = [rng.normal(size=s[:2]).astype(np.float32) * scale for s in shapes]
    return ContextNetwork.of(kernels, weights, biases)


def slow_rshift(value, bits):
    """floor(value / 2^bits + 1/2), in fractions of plain Python."""
    numerator, denominator = value * 2 ** max(-bits, 0), 2 ** max(bits, 0)
    return (2 * numerator + denominator) // (2 * denominator)


def slow_predictions(network, symbols, block):
    """Mean and sigma index of every symbol of a grid (T, h, w, C), in raster loops."""
    size = symbols.shape[:3]
    result = {}
    for channel in range(symbols.shape[3]):
        layers = [{p: [max(-127, min(127, int(symbols[(*p, channel)])))] for p in
                   itertools.product(*map(range, size))}]  # fmt: skip
        for i, kernel in enumerate(network.kernels):
            group = channel if len(network.weights[i]) > 1 else 0
            exponent, fraction = network.exponents[i], 4 if i else 0
            values = {}
            for p in layers[-1]:
                accumulators = []
                for out, weights in enumerate(network.weights[i][group].tolist()):
                    bias = int(network.biases[i][group, out])
                    total = slow_rshift(bias, 4 - exponent - fraction)
                    for tap, offset in enumerate(taps(kernel, i == 0)):
                        q = tuple(a + b for a, b in zip(p, offset, strict=True))
                        is_inside = q in layers[-1] and all(
                            a // n == b // n for a, b, n in zip(p, q, block, strict=True)
                        )
                        if is_inside:
                            total += sum(
                                w[tap] * x for w, x in zip(weights, layers[-1][q], strict=True)
                            )
                    accumulators.append(total)
                if i < len(network.kernels) - 1:
                    shifted = [slow_rshift(a, exponent + fraction - 4) for a in accumulators]
                    values[p] = [max(0, min(127, a)) for a in shifted]
                else:
                    mean = slow_rshift(accumulators[0], exponent + fraction)
                    sigma = slow_rshift(accumulators[1], exponent + fraction - 3)
                    values[p] = (
                        max(-127, min(127, mean)),
                        max(MIN_SIGMA, min(MAX_SIGMA, sigma)) - MIN_SIGMA,
                    )
            layers.append(values)
        for p, value in layers[-1].items():
            result[(*p, channel)] = value
    return result


def wavefront_predictions(network, symbols, block, dtype=None, at_once=False):
    blocks = Blocks(symbols.shape, block)
    predictor = Predictor(network, blocks)
    if dtype is not None:
        assert predictor._dtype is np.float32
        network = type("Wide", (ContextNetwork,), {"dtype": lambda self: dtype})(
            network.kernels, network.exponents, network.weights, network.biases
        )
        predictor = Predictor(network, blocks)
    cut = blocks.split(symbols)
    mean, index = np.zeros_like(cut), np.zeros_like(cut)
    steps = wavefronts(blocks.block, network.radius)
    if at_once:
        steps = (np.concatenate(steps),)
        predictor.fill(np.arange(blocks.num_positions), cut)
    for positions in steps:
        mean[:, positions], index[:, positions] = predictor.predict(positions)
        predictor.fill(positions, cut[:, positions])
    return blocks.join(mean), blocks.join(index)


def test_taps_are_those_of_nvrc():
    assert [len(taps(kernel, True)) for kernel in (3, 5)] == [13, 62]
    assert [len(taps(kernel, False)) for kernel in (1, 3, 5)] == [1, 14, 63]
    assert taps(3, True)[0] == (-1, -1, -1)
    assert taps(3, True)[-1] == (0, 0, -1)
    assert taps(5, False)[-1] == (0, 0, 0)


@pytest.mark.parametrize(("radius", "block"), [(1, (3, 4, 5)), (2, (16, 8, 8)), (3, (5, 7, 2))])
def test_wavefronts_run_after_what_they_need(radius, block):
    steps = wavefronts(block, radius)
    assert sorted(np.concatenate(steps)) == list(range(np.prod(block)))
    step_of = {}
    for i, positions in enumerate(steps):
        for position in positions:
            step_of[tuple(np.unravel_index(position, block))] = i
    for position, step in step_of.items():
        for offset in taps(2 * radius + 1, True):
            earlier = tuple(np.add(position, offset))
            assert step_of.get(earlier, -1) < step
    if block == (16, 8, 8):
        assert len(steps) == 164


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(KERNELS),
    st.tuples(*[st.integers(1, 5)] * 3, st.integers(1, 2)),
    st.booleans(),
)
def test_wavefronts_give_what_raster_loops_give(seed, kernels, shape, is_shared):
    rng = np.random.default_rng(seed)
    scale = rng.choice([0.5, 2.0, 40.0])
    network = random_network(rng, kernels, 3, 1 if is_shared else shape[3], scale)
    symbols = np.rint(rng.laplace(size=shape) * rng.choice([1, 60])).astype(np.int32)
    block = (3, 2, 4)
    mean, index = wavefront_predictions(network, symbols, block)
    for place, expected in slow_predictions(network, symbols, block).items():
        assert (mean[place], index[place]) == expected


@pytest.mark.parametrize("kernels", [(5, 1, 1), (5, 3, 1), (5, 5, 5)])
def test_all_at_once_gives_what_wavefronts_give(kernels):
    rng = np.random.default_rng(1)
    network = random_network(rng, kernels, 8, 2, 2.0)
    symbols = np.rint(rng.laplace(size=(18, 9, 11, 2)) * 5).astype(np.int32)
    results = [
        wavefront_predictions(network, symbols, (16, 8, 8)),
        wavefront_predictions(network, symbols, (16, 8, 8), at_once=True),
        wavefront_predictions(network, symbols, (16, 8, 8), dtype=np.float64),
    ]
    for mean, index in results[1:]:
        np.testing.assert_array_equal(mean, results[0][0])
        np.testing.assert_array_equal(index, results[0][1])
    assert len(np.unique(results[0][1])) > 10


def extreme_network(kernels, width, sign):
    shapes = layer_shapes(kernels, width, 1)
    return ContextNetwork(
        kernels,
        (MAX_EXPONENT,) * len(kernels),
        tuple(np.full(s, sign * 127, np.int32) for s in shapes),
        tuple(np.full(s[:2], 1023, np.int32) for s in shapes),
    )


@pytest.mark.parametrize(
    ("kernels", "width", "dtype"),
    [((5, 1, 1), 8, np.float32), ((5, 5, 5), 8, np.float32), ((7, 7, 7), 32, np.float64)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_stay_exact_at_the_extremes(kernels, width, dtype, sign):
    network = extreme_network(kernels, width, sign)
    assert network.dtype() is dtype
    symbols = np.full((3, 3, 3, 1), 500, np.int32)
    mean, index = wavefront_predictions(network, symbols, (3, 3, 3))
    if width == 8:
        for place, expected in slow_predictions(network, symbols, (3, 3, 3)).items():
            assert (mean[place], index[place]) == expected


def test_float32_sums_are_those_of_int64():
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (8, 63 * 8))
    values = rng.integers(0, 128, (63 * 8, 500))
    exact = weights @ values
    assert np.abs(weights).sum(axis=1).max() * 127 < 1 << 24
    np.testing.assert_array_equal(weights.astype(np.float32) @ values.astype(np.float32), exact)


def test_weights_use_the_range_of_eight_bits():
    assert weight_exponent(np.zeros(3)) == MAX_EXPONENT
    assert weight_exponent(np.array([1.0, -127.0])) == 0
    assert weight_exponent(np.array([127.01])) == -1
    assert weight_exponent(np.array([1e9])) == MIN_EXPONENT
    network = ContextNetwork.of((3,), [np.full((1, 2, 1, 13), 1e9)], [np.full((1, 2), -1e9)])
    assert network.weights[0].max() == 127
    assert network.biases[0].min() == -1023


def test_rounding_shift_rounds_halves_up():
    values = np.array([-6, -2, -1, 1, 2, 5, 6])
    assert round_shift(values, 2).tolist() == [-1, 0, 0, 0, 1, 1, 2]
    assert round_shift(values, -1).tolist() == [-12, -4, -2, 2, 4, 10, 12]


@given(st.tuples(*[st.integers(0, 7)] * 3, st.integers(1, 3)), st.tuples(*[st.integers(1, 5)] * 3))
def test_blocks_join(shape, block):
    grid = np.arange(1, np.prod(shape) + 1, dtype=np.int32).reshape(shape)
    blocks = Blocks(shape, block)
    cut = blocks.split(grid)
    np.testing.assert_array_equal(blocks.join(cut), grid)
    assert (cut != 0).sum() == grid.size == blocks.inside().sum() * shape[3]


@pytest.mark.parametrize("kernels", KERNELS)
def test_decoder_follows_the_encoder(kernels):
    rng = np.random.default_rng(5)
    shapes = [(9, 5, 11, 2), (2, 1, 3, 1), (4, 8, 8, 3)]
    networks = [random_network(rng, kernels, 4, s[3], 1.5) for s in shapes]
    grids = [np.rint(rng.laplace(size=s) * 3).astype(np.int32) for s in shapes]
    blocks = [Blocks(s, (4, 4, 4)) for s in shapes]
    encoder = GaussianEncoder()
    code_grids(encoder, blocks, networks, grids)
    decoder = GaussianDecoder(encoder.finish(), "test")
    for grid, decoded in zip(grids, code_grids(decoder, blocks, networks), strict=True):
        np.testing.assert_array_equal(decoded, grid)
    decoder.finish()


def test_threads_change_nothing():
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_context import *\n"
        "rng = np.random.default_rng(7)\n"
        "network = random_network(rng, (5, 3, 1), 8, 3, 2.0)\n"
        "symbols = np.rint(rng.laplace(size=(40, 30, 30, 3)) * 9).astype(np.int32)\n"
        "result = wavefront_predictions(network, symbols, (16, 8, 8))\n"
        "print(hashlib.sha256(b''.join(r.tobytes() for r in result)).hexdigest())\n"
    )
    digests = set()
    for threads in ("1", "2"):
        env = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", code, os.path.dirname(__file__)]
        digests.add(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert len(digests) == 1
