import subprocess
import sys
import time

import numpy as np
import pytest
from pydantic import ValidationError

from nvcodec.coding.hierarchical.lattice import width_values
from nvcodec.coding.hierarchical.tensors import GridTensor, LayerTensor, grid_width_values
from nvcodec.coding.parameters import Parameter, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.errors import LimitError, MalformedError

NETWORK = [
    (Role.GRID, (18, 9, 10, 2)), (Role.GRID, (3, 5, 4, 3)), (Role.WEIGHT, (200, 20, 3, 3)),
    (Role.BIAS, (200,)), (Role.WEIGHT, (20, 300)), (Role.GRID, (150, 6)), (Role.NORM, ()),
    (Role.BIAS, (0,)), (Role.GRID, (0, 3, 4, 2)), (Role.GRID, (2, 3, 4, 0)), (Role.BIAS, (7,)),
]  # fmt: skip
SWITCHES = [
    {}, {"context": False}, {"per_tensor": True}, {"phi_coded": False}, {"context_shared": True},
    {"width_per_block": False}, {"context_kernels": [5, 5, 5]}, {"context_kernels": [3, 3]},
    {"share": 4}, {"context_weight_bits": 5}, {"block": [4, 3, 64]},
    {"context": False, "width_per_block": False, "bits": 5},
]  # fmt: skip

DIGEST = "c457456b4ed6fd0f80ea9e4076e483cb"
SECTIONS = {
    "GRID": (
        "53762d796a13efadc4dc7c51c932f1e16c9edae99916fa03660bb7fd279b4e9572daeafa4b0d1f9d47ae2fec"
        "65ce05c36b7907999719519fc938a7d3839442830d42b40a43f697e819de7dadd840df22c5a83996140483dc"
    ),
    "LAYR": "fcd2b4ec31c39f75c294cf07b2a988c2fd1bf6aba1c6ef05d1aec6ac",
    "QSCL": "092d2eac2e906737",
    "ENTP": (
        "4d8101c8c62508fa34041b6db6db6db6db6db6db6db629b6db6db6db6db6db6db6db631b6db6dbffffffffff"
        "fffe240a0a100b646eaca10f468604644e9204062040360404246eae46eaec15080053cee32d0112a77dc10c"
        "cec435b59c660d18edc4216926330e3210a518391ef888c226c5d239127f32dc1290c79e03f74a279e8c6ac4"
        "9e48158981ced4dfbd7c11e7ce2fcbb1a2fbd51125ae519676e256fb80ecb8814813c82f55e04a38e19a4ca5"
        "acba"
    ),
}


def learned_like(scheme, network, seed=0, with_side=True):
    """Fitted tensors, and side information of plausible size, as a stage would hand over."""
    rng = np.random.default_rng(seed)
    parameters = []
    for i, (role, shape) in enumerate(network):
        spec = ParameterSpec(f"tensor.{i}", shape, role)
        values = np.asarray(rng.laplace(size=shape) * 0.05, np.float32)
        side = None
        if with_side:
            side = {}
            for name, side_shape in scheme.side_shapes(spec).items():
                array = rng.normal(size=side_shape) * 0.3
                array -= 5.0 if name in ("log2_width", "log2_width_rows") else 0.0
                array -= 4.0 if name == "log2_sigma_rows" else 0.0
                side[name] = array.astype(np.float32)
        parameters.append(Parameter(spec, values, side=side))
    return parameters


@pytest.mark.parametrize("with_side", [False, True])
@pytest.mark.parametrize("switches", SWITCHES)
def test_every_switch_comes_back(switches, with_side):
    scheme = load_scheme({"kind": "hierarchical", **switches})
    parameters = learned_like(scheme, NETWORK, with_side=with_side)
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    assert set(sections) == {"GRID", "LAYR", "QSCL", "ENTP"}
    decoded = scheme.unpack(sections, [parameter.spec for parameter in parameters])
    assert decoded.digest() == quantized.digest()
    assert scheme.pack(decoded) == sections
    values = decoded.dequantize()
    for parameter in parameters:
        error = np.abs(values[parameter.spec.name].astype(np.float32) - parameter.values)
        assert error.shape == parameter.spec.shape
        assert error.max(initial=0) < (0.12 if with_side else 0.03)
    bits = scheme.group_bits(quantized)
    assert abs(8 * len(sections["GRID"]) - bits["grids"]) < 64
    assert abs(8 * len(sections["LAYR"]) - bits["layers"]) < 64
    assert abs(8 * len(sections["QSCL"] + sections["ENTP"]) - bits["phi"]) < 128


def test_learned_side_information_is_used_as_given():
    scheme = load_scheme({"kind": "hierarchical", "share": 3})
    spec = ParameterSpec("w", (3, 4), Role.WEIGHT)
    side = {
        "log2_width_rows": np.array([-3, -2, -1], np.float32),
        "log2_width_columns": np.array([0, 1, 0.5, -0.3], np.float32),
        "log2_sigma_rows": np.array([0, 0.25, 9], np.float32),
        "log2_sigma_columns": np.zeros(4, np.float32),
        "mean_rows": np.array([0.5, -0.5, 0], np.float32),
        "mean_columns": np.array([0, 0, 1, -0.0625], np.float32),
    }
    values = np.full((3, 4), 1.5, np.float32)
    (tensor,) = scheme.quantize([Parameter(spec, values, side=side)]).tensors
    assert isinstance(tensor, LayerTensor)
    steps = 2.0 ** (np.array([[-24], [-16], [-8]]) / 8 + np.array([0, 8, 4, -2]) / 8)
    np.testing.assert_array_equal(tensor.symbols, np.rint(1.5 / steps))
    # log2(sigma / step) in eighths, + 24, no more than 64 + 24
    assert tensor.sigma_index()[:2].tolist() == [[48, 40, 44, 50], [42, 34, 38, 44]]
    assert tensor.sigma_index()[2].tolist() == [88] * 4
    assert tensor.mean_symbols().tolist() == [[1, 1, 2, 0], [0, 0, 1, -1], [0, 0, 1, 0]]


def test_contexts_save_bits_on_smooth_grids():
    """A hand-made network that predicts each symbol from the one before, both signs."""
    rng = np.random.default_rng(0)
    grid = np.cumsum(rng.normal(size=(4, 8, 16, 2)), axis=2).astype(np.float32)
    spec = ParameterSpec("g", grid.shape, Role.GRID)
    sizes = {}
    for context in (False, True):
        config = {"kind": "hierarchical", "context": context, "context_kernels": [3, 1]}
        scheme = load_scheme(config)
        parameter = Parameter(spec, grid)
        side = {name: array.copy() for name, array in scheme.default_side(parameter).items()}
        side["log2_width"][:] = -1
        if context:
            side["context_weight_0"][:, 0, 0, -1] = 0.5
            side["context_weight_0"][:, 1, 0, -1] = -0.5
            side["context_weight_1"][:, 0, :2, 0] = [2, -2]
            side["context_bias_1"][:] = [0, 1]
        else:
            side["log2_sigma"][:] = np.log2(2 * grid.std(axis=(0, 1, 2)))
            side["mean"][:] = 2 * grid.mean(axis=(0, 1, 2))
        quantized = scheme.quantize([Parameter(spec, grid, side=side)])
        sizes[context] = scheme.group_bits(quantized)["grids"] / grid.size
    assert sizes[True] < sizes[False] - 0.7


def test_data_driven_values_are_near_the_entropy():
    rng = np.random.default_rng(0)
    spread = np.exp(0.7 * rng.normal(size=(256, 1)))
    values = (rng.normal(size=(256, 300)) * spread).astype(np.float32)
    scheme = load_scheme({"kind": "hierarchical"})
    quantized = scheme.quantize([Parameter(ParameterSpec("w", values.shape, Role.WEIGHT), values)])
    (tensor,) = quantized.tensors
    step = 2.0 ** (tensor.log2_width.rows[0] / 8)
    ideal = np.log2(np.sqrt(2 * np.pi * np.e) * np.maximum(spread / step, 0.3)).sum() * 300
    bits = scheme.group_bits(quantized)
    assert bits["layers"] < 1.02 * ideal
    assert bits["phi"] < 0.03 * ideal


def test_outliers_escape():
    values = np.zeros((130, 130), np.float32)
    values[3, 4], values[100, 7] = 9000, -9000
    scheme = load_scheme({"kind": "hierarchical"})
    parameter = Parameter(ParameterSpec("w", values.shape, Role.WEIGHT), values)
    side = {name: array.copy() for name, array in scheme.default_side(parameter).items()}
    side["log2_width_rows"][:] = 0
    side["log2_sigma_rows"][:] = -9
    parameter = Parameter(parameter.spec, values, side=side)
    sections = scheme.pack(scheme.quantize([parameter]))
    assert len(sections["LAYR"]) < 24
    decoded = scheme.unpack(sections, [parameter.spec]).dequantize()["w"]
    np.testing.assert_array_equal(decoded, values)


def test_constants_cost_next_to_nothing():
    scheme = load_scheme({"kind": "hierarchical"})
    network = [(Role.GRID, (20, 10, 10, 2)), (Role.WEIGHT, (300, 300)), (Role.BIAS, (300,))]
    parameters = [
        Parameter(ParameterSpec(f"t{i}", shape, role), np.zeros(shape, np.float32))
        for i, (role, shape) in enumerate(network)
    ]
    sections = scheme.pack(scheme.quantize(parameters))
    assert sum(map(len, sections.values())) < 100


def golden_parameters():
    """Dyadic numbers only: every step of the arithmetic is exact in floating point too."""
    scheme = load_scheme({"kind": "hierarchical", "share": 8, "context_width": 2})
    parameters = []
    for i, (role, shape) in enumerate(
        [(Role.GRID, (3, 5, 9, 2)), (Role.WEIGHT, (9, 8)), (Role.BIAS, (5,))]
    ):
        spec = ParameterSpec(f"t{i}", shape, role)
        k = np.arange(spec.num_values)
        values = ((k * k + 3 * k) % 23 - 11) * (k % 3) / np.float32(8)
        side = {}
        for j, (name, side_shape) in enumerate(scheme.side_shapes(spec).items()):
            n = np.arange(np.prod(side_shape)) + j
            array = (n * n % 7 - 3) / 16
            side[name] = array.reshape(side_shape).astype(np.float32)
        parameters.append(Parameter(spec, values.reshape(shape).astype(np.float32), side=side))
    return scheme, parameters


def test_bytes_are_those_of_the_format():
    scheme, parameters = golden_parameters()
    quantized = scheme.quantize(parameters)
    assert {tag: data.hex() for tag, data in scheme.pack(quantized).items()} == SECTIONS
    assert quantized.digest().hex() == DIGEST
    sections = {tag: bytes.fromhex(data) for tag, data in SECTIONS.items()}
    decoded = scheme.unpack(sections, [parameter.spec for parameter in parameters])
    assert decoded.digest().hex() == DIGEST


def test_side_information_is_checked():
    scheme = load_scheme({"kind": "hierarchical"})
    (parameter,) = learned_like(scheme, [(Role.WEIGHT, (3, 3))])
    for name, array, match in [
        ("mean_rows", np.zeros(3, np.float32), "shape"),
        ("mean_rows", np.full(1, np.nan, np.float32), "finite"),
        ("log2_stop", np.zeros(1, np.float32), "log2_stop"),
    ]:
        side = {**parameter.side, name: array}
        with pytest.raises(ValueError, match=match):
            scheme.quantize([Parameter(parameter.spec, parameter.values, side=side)])
    with pytest.raises(ValueError, match="finite"):
        scheme.quantize([Parameter(parameter.spec, parameter.values * np.float32(np.inf))])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("means", [(1.0, 1.0), (0.4, -0.4)])
def test_grids_far_from_zero_cost_no_escapes(means, shared):
    scheme = load_scheme({"kind": "hierarchical", "context_shared": shared})
    noise = np.random.default_rng(0).normal(size=(8, 16, 16, 2))
    spec = ParameterSpec("g", noise.shape, Role.GRID)
    values = (np.array(means) + 0.01 * noise).astype(np.float32)
    sections = scheme.pack(scheme.quantize([Parameter(spec, values)]))
    assert 8 * sum(map(len, sections.values())) < 9 * values.size


def test_huge_context_models_are_refused_before_allocation():
    scheme = load_scheme({"kind": "hierarchical", "context_kernels": [7, 7]})
    with pytest.raises(LimitError, match="context models"):
        scheme.unpack({}, [ParameterSpec("g", (1, 1, 1, 1 << 24), Role.GRID)])


def test_the_memory_of_context_models_is_told():
    spec = ParameterSpec("g", (1 << 16, 1, 1, 2), Role.GRID)
    plain, context = (
        load_scheme({"kind": "hierarchical", "context_kernels": [7, 7], "context": is_on})
        for is_on in (False, True)
    )
    assert context.memory_bytes([spec]) > 20 * plain.memory_bytes([spec])
    long = ParameterSpec("g", (1 << 26, 1, 1, 2), Role.GRID)
    assert context.memory_bytes([long]) > DEFAULT_LIMITS.memory_bytes


def test_bin_widths_of_a_block_that_is_larger_than_its_grid():
    step = np.arange(6, dtype=np.int32).reshape(1, 1, 3, 2)
    values = grid_width_values(step, (1, 4, 5, 2), (1 << 40, 1 << 40, 2))
    assert values.shape == (1, 4, 5, 2)
    assert np.array_equal(values[0, 3], width_values(step[0, 0])[[0, 0, 1, 1, 2]])


def test_bad_indices_are_malformed():
    scheme = load_scheme({"kind": "hierarchical", "phi_coded": False, "context": False})
    spec = ParameterSpec("g", (1, 1, 1, 1), Role.GRID)
    good = scheme.pack(scheme.quantize([Parameter(spec, np.ones((1, 1, 1, 1), np.float32))]))
    with pytest.raises(MalformedError, match="section QSCL"):
        scheme.unpack(good | {"QSCL": b"\xff\xff"}, [spec])
    with pytest.raises(MalformedError, match="only GRID, LAYR"):
        scheme.unpack(good | {"SYMB": b""}, [spec])


@pytest.mark.parametrize(
    "table",
    [{"context_kernels": [4, 1]}, {"context_kernels": [1, 1]}, {"context_kernels": []},
     {"context_kernels": [9]}, {"block": [16, 8]}, {"block": [0, 8, 8]}, {"share": 0},
     {"context_width": 0}, {"shape": 1}],
)  # fmt: skip
def test_settings_are_checked(table):
    with pytest.raises(ValidationError):
        load_scheme({"kind": "hierarchical", **table})


def test_settings_survive_the_header():
    scheme = load_scheme({"kind": "hierarchical", "context_kernels": [5, 3, 1]})
    assert load_scheme(scheme.config.model_dump(mode="json")).config == scheme.config


def test_loads_quickly_and_without_torch():
    code = (
        "import sys, numpy, constriction, pydantic, time, nvcodec.coding.schemes.arithmetic\n"
        "start = time.perf_counter()\n"
        "import nvcodec.coding.schemes.hierarchical\n"
        "seconds = time.perf_counter() - start\n"
        "assert 'torch' not in sys.modules\n"
        "assert seconds < 0.2, seconds\n"  # 10 ms; the rest is for busy machines
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_speed_stays_within_reach():
    """Far below the benchmark's numbers, so that only a loop over symbols can fail it."""
    scheme = load_scheme({"kind": "hierarchical"})
    parameters = learned_like(
        scheme, [(Role.GRID, (64, 32, 32, 2)), (Role.WEIGHT, (400, 400))], with_side=True
    )
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    start = time.perf_counter()
    decoded = scheme.unpack(sections, [parameter.spec for parameter in parameters])
    assert time.perf_counter() - start < 3
    assert isinstance(decoded.tensors[0], GridTensor)
    assert decoded.digest() == quantized.digest()
