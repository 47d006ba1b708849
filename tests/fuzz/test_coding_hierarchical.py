"""The hierarchical scheme: what is packed comes back; any bytes unpack or raise BitstreamError."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import BitstreamError

TAGS = ("GRID", "LAYR", "QSCL", "ENTP")
GRID_SHAPES = hnp.array_shapes(min_dims=4, max_dims=4, min_side=0, max_side=5)
LAYER_SHAPES = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    st.sampled_from([(21, 3), (3, 30), (25, 1, 2, 2), (40,), (1, 40), (64, 64), (0, 3)]),
)
REALS = st.one_of(
    st.floats(-3, 3, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 1e-7, 65504.0, -7e4]),
)


@st.composite
def arrays(draw, shape, typical):
    kind = draw(st.sampled_from(["any", "constant", "normal", "normal"]))
    if kind == "any":
        return draw(hnp.arrays(np.float32, shape, elements=REALS))
    if kind == "constant":
        return np.full(shape, draw(REALS), np.float32)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.asarray(rng.normal(size=shape) + typical, np.float32)


@st.composite
def configs(draw):
    return {
        "kind": "hierarchical",
        "share": draw(st.sampled_from([1, 2, 20, 128])),
        "per_tensor": draw(st.booleans()),
        "context": draw(st.booleans()),
        "context_kernels": draw(st.sampled_from([(3,), (5, 1, 1), (3, 3), (5, 3, 1), (3, 1)])),
        "context_width": draw(st.sampled_from([1, 3])),
        "context_shared": draw(st.booleans()),
        "context_weight_bits": draw(st.integers(3, 8)),
        "block": draw(st.tuples(*[st.integers(1, 4)] * 3)),
        "width_per_block": draw(st.booleans()),
        "phi_coded": draw(st.booleans()),
    }


@st.composite
def parameter_lists(draw, scheme):
    parameters = []
    for i in range(draw(st.integers(0, 3))):
        role = draw(st.sampled_from(list(Role)))
        shape = draw(GRID_SHAPES if role is Role.GRID else LAYER_SHAPES)
        spec = ParameterSpec(f"t{i}", shape, role)
        side = None
        if draw(st.booleans()):
            side = {
                name: draw(arrays(side_shape, -4.0 if "width" in name else 0.0))
                for name, side_shape in scheme.side_shapes(spec).items()
            }
        values = draw(arrays(shape, 0.0))
        mask = draw(st.one_of(st.none(), hnp.arrays(np.bool_, shape)))
        parameters.append(Parameter(spec, values, mask, side))
    return parameters


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_what_is_packed_comes_back(data):
    scheme = load_scheme(data.draw(configs()))
    parameters = data.draw(parameter_lists(scheme))
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    decoded = scheme.unpack(sections, [parameter.spec for parameter in parameters])
    assert decoded.digest() == quantized.digest()
    assert scheme.pack(decoded) == sections
    for name, values in decoded.dequantize().items():
        assert values.dtype == np.float16, name
        assert np.isfinite(values).all(), name
    bits = scheme.group_bits(quantized)
    # less where a stream ends in zeros, which are not stored
    assert 8 * sum(map(len, sections.values())) < sum(bits.values()) + 250


def unpacks_or_refuses(scheme, sections, specs):
    with contextlib.suppress(BitstreamError):
        parameters = scheme.unpack(sections, specs)
        assert isinstance(parameters, ParameterSet)
        again = scheme.unpack(scheme.pack(parameters), specs)
        assert again.digest() == parameters.digest()


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.sampled_from([*TAGS, "XXXX"]), st.binary(max_size=80)),
    st.lists(st.tuples(st.sampled_from(list(Role)), GRID_SHAPES | LAYER_SHAPES), max_size=3),
    configs(),
)
def test_any_bytes(sections, tensors, config):
    specs = [ParameterSpec(f"t{i}", shape, role) for i, (role, shape) in enumerate(tensors)]
    unpacks_or_refuses(load_scheme(config), sections, specs)


def packed_example(is_coded):
    config = {"kind": "hierarchical", "share": 4, "context_kernels": [3, 1], "context_width": 2}
    scheme = load_scheme(config | {"phi_coded": is_coded})
    rng = np.random.default_rng(0)
    parameters = []
    for i, (role, shape) in enumerate(
        [(Role.GRID, (2, 3, 9, 2)), (Role.WEIGHT, (9, 8)), (Role.BIAS, (5,)), (Role.BIAS, (2,))]
    ):
        spec = ParameterSpec(f"t{i}", shape, role)
        side = {
            name: (rng.normal(size=side_shape) * 0.2).astype(np.float32)
            for name, side_shape in scheme.side_shapes(spec).items()
        }
        values = (3 * rng.normal(size=shape)).astype(np.float32)
        parameters.append(Parameter(spec, values, side=side))
    return scheme, scheme.pack(scheme.quantize(parameters)), [p.spec for p in parameters]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(TAGS), st.binary(max_size=80), st.booleans())
def test_any_bytes_in_one_section(tag, data, is_coded):
    scheme, sections, specs = packed_example(is_coded)
    unpacks_or_refuses(scheme, sections | {tag: data}, specs)


@pytest.mark.parametrize("is_coded", [False, True])
@pytest.mark.parametrize("tag", TAGS)
def test_every_flipped_bit(tag, is_coded):
    scheme, sections, specs = packed_example(is_coded)
    data = sections[tag]
    for position in range(min(8 * len(data), 200)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        unpacks_or_refuses(scheme, sections | {tag: bytes(flipped)}, specs)


@pytest.mark.parametrize("tag", TAGS)
def test_every_prefix_and_any_surplus(tag):
    scheme, sections, specs = packed_example(True)
    for end in range(len(sections[tag])):
        unpacks_or_refuses(scheme, sections | {tag: sections[tag][:end]}, specs)
    for surplus in (b"\0", b"\x80", bytes(100)):
        with pytest.raises(BitstreamError):
            scheme.unpack(sections | {tag: sections[tag] + surplus}, specs)
