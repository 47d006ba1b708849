"""The differentiable rate is the coder's: bound here on rounded bins."""

import numpy as np
import pytest
import torch

from codec_helpers import TINY_NVRC
from nvcodec.coding.hierarchical.context import weight_exponent
from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.hierarchical_rate import Twin, gaussian_bits, weight_per_unit
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.relaxations import bounded, noisy_soft_round, soft_round, soft_round_inverse
from nvcodec.presets import load_preset
from nvcodec.segment_encoder import encode_segment

SPECS = [
    ParameterSpec("grid", (17, 9, 11, 3), Role.GRID),
    ParameterSpec("wide", (40, 300), Role.WEIGHT),
    ParameterSpec("tall", (500, 3), Role.GRID),
    ParameterSpec("kernel", (160, 16, 3, 3), Role.WEIGHT),
    ParameterSpec("bias", (37,), Role.BIAS),
]


def fitted(scheme, seed: int) -> list[Parameter]:
    """Trained-like values with side information that matters in every field."""
    generator = np.random.default_rng(seed)
    parameters = []
    for spec in SPECS:
        values = generator.laplace(0, 0.02, spec.shape).astype(np.float32)
        side = {}
        for name, shape in scheme.side_shapes(spec).items():
            if name.startswith("context_weight"):
                array = generator.normal(0, 0.3, shape)
            elif name.startswith("context_bias"):
                array = generator.normal(0.5, 0.5, shape)
            elif name == "log2_width":  # of a grid
                array = generator.normal(-6.5, 0.5, shape)
            elif name in ("log2_sigma", "log2_sigma_rows"):
                array = generator.normal(0.7 if name == "log2_sigma" else -5.2, 0.5, shape)
            elif name == "log2_width_rows":
                array = generator.normal(-6.5, 0.5, shape)
            else:
                array = generator.normal(0, 0.3, shape)
            side[name] = array.astype(np.float32)
        parameters.append(Parameter(spec, values, side=side))
    return parameters


def tensors(side: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in side.items()}


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"context_kernels": [3, 1], "context_width": 4, "context_shared": True},
        {"context_kernels": [5, 3, 3]},
        {"context": False, "per_tensor": True},
        {"width_per_block": False, "share": 8},
    ],
)
def test_estimate_equals_coded_bits(switches):
    scheme = load_scheme({"kind": "hierarchical", **switches})
    parameters = fitted(scheme, 1)
    coded = scheme.quantize(parameters)
    sections = scheme.pack(coded)
    twin = Twin(SPECS, scheme.config, torch.device("cpu"))
    values = {p.spec.name: torch.from_numpy(p.values) for p in parameters}
    side = twin.join_side({p.spec.name: tensors(p.side) for p in parameters})
    seen = twin.observe(values, side)
    bins = [b.round() for b in seen.bins]
    symbols = {t.spec.name: torch.from_numpy(t.symbols) for t in coded.tensors}
    assert torch.equal(bins[0], twin.layers.flat(symbols))
    assert torch.equal(bins[1], symbols["grid"].float())
    back = twin.values(bins, seen)
    for name, array in coded.dequantize().items():
        assert torch.equal(back[name].half(), torch.from_numpy(array).view(back[name].shape))
    with torch.no_grad():
        estimates = {name: float(bits) for name, bits in twin.bits(bins, seen, side).items()}
    ideal = scheme.group_bits(coded)
    for group, tag in (("grids", "GRID"), ("layers", "LAYR")):
        estimate = estimates[group]
        assert estimate == pytest.approx(ideal[group], rel=0.01, abs=64), group
        assert 8 * len(sections[tag]) == pytest.approx(estimate, rel=0.01, abs=64), group
    assert isinstance(coded, ParameterSet)


def test_gradients_reach_values_and_side_information():
    scheme = load_scheme({"kind": "hierarchical"})
    parameters = fitted(scheme, 2)
    twin = Twin(SPECS, scheme.config, torch.device("cpu"))
    values = {p.spec.name: torch.from_numpy(p.values).requires_grad_() for p in parameters}
    joined = twin.join_side({p.spec.name: tensors(p.side) for p in parameters})
    side = {name: tensor.clone().requires_grad_() for name, tensor in joined.items()}
    seen = twin.observe(values, side)
    bits = twin.bits(seen.bins, seen, side)
    (bits["layers"] + bits["grids"]).backward()
    for name, tensor in (values | side).items():
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0, name


def test_slopes_of_the_rate():
    residuals = torch.linspace(-3.3, 3.7, 12, dtype=torch.float64, requires_grad=True)
    log2_sigma = torch.linspace(0.0, 4.0, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gaussian_bits, (residuals, log2_sigma))
    far = torch.tensor([-300.0, 300.0], requires_grad=True)
    gaussian_bits(far, torch.zeros(2)).sum().backward()
    assert torch.isfinite(far.grad).all()


def test_side_information_splits_into_what_was_joined():
    scheme = load_scheme({"kind": "hierarchical"})
    tables = {p.spec.name: tensors(p.side) for p in fitted(scheme, 3)}
    twin = Twin(SPECS, scheme.config, torch.device("cpu"))
    again = twin.split_side(twin.join_side(tables))
    assert again.keys() == tables.keys()
    for name, table in tables.items():
        assert again[name].keys() == table.keys()
        assert all(torch.equal(again[name][key], table[key]) for key in table)


def test_soft_rounding_and_its_noise():
    x = torch.linspace(-2.4, 2.4, 97)
    for temperature in (0.5, 0.3):
        soft = soft_round(x, temperature)
        assert torch.allclose(soft_round_inverse(soft, temperature), x, atol=2e-3)
        assert torch.allclose(
            soft_round(torch.tensor([1.0, 1.5]), temperature), torch.tensor([1.0, 1.5])
        )
    assert (soft_round(x, 0.01) - x.round()).abs().median() < 1e-3
    generator = torch.Generator().manual_seed(0)
    noisy = noisy_soft_round(torch.zeros(100_000), 0.3, 1.0, generator)
    assert abs(float(noisy.mean())) < 0.01
    assert float(noisy.abs().max()) <= 0.51


def test_bounds_let_gradients_lead_back():
    x = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    bounded(x, -1, 1).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]
    x.grad = None
    (-bounded(x, -1, 1)).sum().backward()
    assert x.grad.tolist() == [-1.0, -1.0, 0.0]


@pytest.mark.parametrize("relaxation", ["straight_through", "soft_round", "quant_noise"])
def test_estimate_of_a_fitting_is_what_the_coder_takes(relaxation):
    changes = [f"stages.{i}.relaxation={relaxation}" for i in (1, 2, 3)]
    preset = load_preset(TINY_NVRC, changes)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3), np.uint8)
    records: list[FitRecord] = []
    sections = encode_segment(pixels, preset, 0, on_record=records.append).sections
    estimated, coded = records[-1].estimated_bits, records[-1].coded_bits
    lengths = {"grids": ["GRID"], "layers": ["LAYR"], "phi": ["QSCL", "ENTP"]}
    assert estimated.keys() == coded.keys() == lengths.keys()
    for group, tags in lengths.items():
        assert coded[group] == pytest.approx(estimated[group], rel=0.01, abs=64), group
        size = 8 * sum(len(sections[tag]) for tag in tags)
        # A stream ends on a word of 32 bits; phi has two, and psi's length and padding.
        end = 2 * 32 + 8 + 7 if group == "phi" else 32
        assert 0 <= size - coded[group] <= 0.001 * size + end, group


@pytest.mark.parametrize("bits", [2, 6, 8])
def test_weights_have_the_unit_that_the_coder_gives_them(bits):
    limit = (1 << (bits - 1)) - 1
    exact = [limit * 2.0**e for e in range(-14, 12)]
    near = [
        float(np.nextafter(np.float32(x), np.float32(s * np.inf))) for x in exact for s in (-1, 1)
    ]
    for peak in [0.0, 1e-30, 1e30, *exact, *near]:
        weights = torch.tensor([0.0, -peak, peak / 3])
        expected = 2.0 ** weight_exponent(weights.numpy(), bits)
        assert float(weight_per_unit(weights, bits)) == expected, peak
