import hashlib
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from nvcodec import registry
from nvcodec.coding.parameters import (
    HalfTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    QuantizedTensor,
    Role,
)
from nvcodec.coding.scheme import Scheme
from nvcodec.coding.schemes import load_scheme
from nvcodec.coding.schemes.arithmetic import Arithmetic
from nvcodec.errors import MalformedError

DIGEST = "44f65fe11605ad2f9c859ba791d2add1"
SECTIONS = {
    "ENTP": "e4dac4dd7bb31800e35d70",
    "MASK": "245332f7e87e70a0",
    "QSCL": "e6c9a22e",
    "SYMB": "addca5ac3a22063414d488705b1c9b363f005dc8f08f7759efc673ac",
    "RAWF": "a7c053784034e290",
}

# A HiNeRV of about 180,000 parameters: base grids, stem, then per stage local grids, the layer that
# reads them, ConvNeXt blocks (depth-wise, expand, reduce), and the head.
HINERV_180K = [
    (Role.GRID, (10, 9, 16, 4)), (Role.GRID, (5, 9, 16, 8)),
    (Role.WEIGHT, (96, 24, 3, 3)), (Role.BIAS, (96,)),
    (Role.GRID, (32 * 25, 2)), (Role.GRID, (16 * 25, 4)), (Role.GRID, (8 * 25, 8)),
    (Role.WEIGHT, (96, 14)), (Role.BIAS, (96,)),
    (Role.WEIGHT, (96, 1, 3, 3)), (Role.WEIGHT, (384, 96)), (Role.WEIGHT, (96, 384)),
    (Role.WEIGHT, (192, 96)),
    (Role.WEIGHT, (64, 1, 3, 3)), (Role.WEIGHT, (256, 64)), (Role.WEIGHT, (64, 256)),
    (Role.WEIGHT, (64, 1, 3, 3)), (Role.WEIGHT, (64, 32)), (Role.WEIGHT, (32, 64)),
    (Role.GRID, (32 * 4, 2)), (Role.GRID, (16 * 4, 2)), (Role.GRID, (8 * 4, 4)),
    (Role.WEIGHT, (64, 7)), (Role.BIAS, (64,)),
    (Role.WEIGHT, (32, 1, 3, 3)), (Role.WEIGHT, (128, 32)), (Role.WEIGHT, (32, 128)),
    (Role.WEIGHT, (32, 7)), (Role.BIAS, (32,)),
    (Role.WEIGHT, (16, 1, 3, 3)), (Role.WEIGHT, (64, 16)), (Role.WEIGHT, (16, 64)),
    (Role.WEIGHT, (3, 16)), (Role.BIAS, (3,)),
]  # fmt: skip
NARROWER = {192: 96, 96: 48, 384: 192, 256: 128, 128: 64, 64: 32, 24: 12, 800: 400, 400: 200}
HINERV_60K = [(r, tuple(NARROWER.get(n, n) for n in shape)) for r, shape in HINERV_180K]


def fitted_like(network, seed, sparsity):
    """Weights as after training: Laplace grids, Gaussian-Laplace mixtures with a spread per row."""
    rng = np.random.default_rng(seed)
    parameters = []
    for i, (role, shape) in enumerate(network):
        if role is Role.GRID:
            values = rng.laplace(size=shape) * 0.05 * np.exp(0.3 * rng.normal(size=shape[-1:]))
        else:
            heavy = rng.random(shape) < 0.3
            values = np.where(heavy, 2 * rng.laplace(size=shape), rng.normal(size=shape))
            rows = (shape[0],) + (1,) * (len(shape) - 1)
            values *= np.exp(0.25 * rng.normal(size=rows)) / np.sqrt(np.prod(shape) / shape[0])
        mask = None
        if role is Role.WEIGHT and sparsity:
            mask = np.abs(values) > np.quantile(np.abs(values), sparsity)
        spec = ParameterSpec(f"tensor.{i}", shape, role)
        parameters.append(Parameter(spec, values.astype(np.float32), mask))
    return parameters


def entropy_bits(values):
    """Zero-order empirical entropy of a whole array."""
    _, counts = np.unique(values, return_counts=True)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


@pytest.mark.parametrize(
    ("network", "sparsity", "limit"),
    [(HINERV_180K, 0.15, 1.03), (HINERV_180K, 0, 1.03), (HINERV_180K, 0.5, 1.03),
     (HINERV_60K, 0.15, 1.05), (HINERV_60K, 0, 1.05)],
)  # fmt: skip
def test_coded_size_is_close_to_the_entropy(network, sparsity, limit):
    """Every byte counts here: tables, masks, scales and half floats."""
    parameters = fitted_like(network, 0, sparsity)
    scheme = load_scheme({"kind": "arithmetic"})
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    tensors = [tensor for tensor in quantized.tensors if isinstance(tensor, QuantizedTensor)]
    ideal = sum(entropy_bits(t.symbols if t.mask is None else t.symbols[t.mask]) for t in tensors)
    ideal += sum(entropy_bits(t.mask) for t in tensors if t.mask is not None)
    size_bytes = sum(map(len, sections.values()))
    num_parameters = sum(p.spec.num_values for p in parameters)
    sizes = ", ".join(f"{tag} {len(data):,}" for tag, data in sections.items())
    print(
        f"{num_parameters:,} parameters, {sparsity:.0%} pruned: {sizes}; {size_bytes:,} bytes, "
        f"entropy {ideal / 8:,.0f}, +{8 * size_bytes / ideal - 1:.2%}"
    )
    assert 8 * size_bytes < limit * ideal
    again = scheme.unpack(sections, [p.spec for p in parameters])
    assert again.digest() == quantized.digest()


def small_set():
    k = np.arange(66)
    mask = (k % 5 > 0).reshape(22, 3)
    symbols = ((k * 7) % 11 - 5).reshape(22, 3).astype(np.int32) * mask
    return ParameterSet([
        QuantizedTensor(
            ParameterSpec("w", (22, 3), Role.WEIGHT), symbols.astype(np.int32),
            np.array([[0x2C40, 0x2D00, 0x2C00]], np.uint16).view(np.float16), mask,
        ),
        HalfTensor(ParameterSpec("b", (3,), Role.BIAS), np.array([0.5, -0.25, 3], np.float16)),
        QuantizedTensor(
            ParameterSpec("g", (2, 2), Role.GRID), np.array([[1, -2], [0, 31]], np.int32),
            np.array([[0x1800]], np.uint16).view(np.float16),
        ),
    ])  # fmt: skip


def test_bytes_are_those_of_the_format():
    parameters = small_set()
    assert parameters.digest().hex() == DIGEST
    specs = [tensor.spec for tensor in parameters.tensors]
    sections = {tag: bytes.fromhex(data) for tag, data in SECTIONS.items()}
    assert load_scheme({"kind": "arithmetic"}).unpack(sections, specs).digest().hex() == DIGEST
    assert load_scheme({"kind": "arithmetic"}).pack(parameters) == sections


def test_raw_bytes_are_little_endian_halves():
    scheme = load_scheme({"kind": "raw_fp16"})
    spec = ParameterSpec("w", (1, 3), Role.WEIGHT)
    values = np.array([[1, -2, 0.3]], np.float32)
    packed = scheme.pack(scheme.quantize([Parameter(spec, values)]))
    assert packed == {"RAWF": bytes.fromhex("003c00c0cd34")}
    decoded = scheme.unpack(packed, [spec]).dequantize()["w"]
    np.testing.assert_array_equal(decoded, values.astype(np.float16))
    with pytest.raises(MalformedError, match="finite"):
        scheme.unpack({"RAWF": bytes.fromhex("007c00c0cd34")}, [spec])
    with pytest.raises(MalformedError, match="left over"):
        scheme.unpack({"RAWF": packed["RAWF"] + b"\0"}, [spec])


def test_scales_are_used_as_stored():
    (parameter,) = fitted_like([(Role.WEIGHT, (64, 32))], 3, 0)
    (tensor,) = load_scheme({"kind": "arithmetic"}).quantize([parameter]).tensors
    assert tensor.quant_scale.shape == (1, 32)
    error = np.abs(tensor.dequantize().astype(np.float64) - parameter.values)
    assert (error <= 0.5 * tensor.quant_scale.astype(np.float64) * 1.02).all()


def test_pruned_entries_take_no_symbols():
    mask = np.zeros((30, 30), bool)
    mask[3, 4] = True
    spec = ParameterSpec("w", (30, 30), Role.WEIGHT)
    scheme = load_scheme({"kind": "arithmetic"})
    packed = scheme.pack(scheme.quantize([Parameter(spec, np.ones((30, 30), np.float32), mask)]))
    assert len(packed["SYMB"]) <= 4
    (decoded,) = scheme.unpack(packed, [spec]).tensors
    np.testing.assert_array_equal(decoded.mask, mask)
    np.testing.assert_array_equal(decoded.symbols != 0, mask)


def test_large_tensor_comes_back():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 1200)).astype(np.float32)
    spec = ParameterSpec("w", values.shape, Role.WEIGHT)
    scheme = load_scheme({"kind": "arithmetic", "bits": 8})
    quantized = scheme.quantize([Parameter(spec, values)])
    assert scheme.unpack(scheme.pack(quantized), [spec]).digest() == quantized.digest()


def test_registry_knows_the_schemes():
    assert {"arithmetic", "raw_fp16"} <= set(registry.names("nvcodec.coding.schemes"))
    assert registry.load("nvcodec.coding.schemes", "arithmetic", Scheme) is Arithmetic
    with pytest.raises(KeyError, match="arithmetic"):
        load_scheme({"kind": "zip"})
    for table in ({}, {"kind": 3}):
        with pytest.raises(ValueError, match="kind"):
            load_scheme(table)
    for table in ({"kind": "arithmetic", "bits": 99}, {"kind": "arithmetic", "bit": 6}):
        with pytest.raises(ValidationError):
            load_scheme(table)


def test_values_that_are_not_finite_are_refused():
    spec = ParameterSpec("w", (1, 2), Role.WEIGHT)
    for kind in ("arithmetic", "raw_fp16"):
        with pytest.raises(ValueError, match="finite"):
            load_scheme({"kind": kind}).quantize(
                [Parameter(spec, np.array([[1, np.nan]], np.float32))]
            )


@pytest.mark.parametrize("module", ["arithmetic", "raw_fp16"])
def test_schemes_load_no_torch(module):
    code = f"import sys, nvcodec.coding.schemes.{module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_packing_is_repeatable():
    scheme = load_scheme({"kind": "arithmetic"})
    quantized = scheme.quantize(fitted_like(HINERV_60K, 5, 0.15))
    digests = {
        hashlib.sha256(repr(sorted(scheme.pack(quantized).items())).encode()).digest()
        for _ in range(2)
    }
    assert len(digests) == 1
