"""Whatever is packed comes back; whatever the bytes, unpack returns or raises BitstreamError."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import BitstreamError

KINDS = ("arithmetic", "huffman")
TAGS = ("ENTP", "MASK", "QSCL", "SYMB", "RAWF")
SHAPES = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=4, max_side=5),
    st.sampled_from([(21, 3), (3, 30), (25, 1, 2, 2), (40,), (1, 1), (64, 64), (0, 3), (0,)]),
)
VALUES = st.one_of(
    st.floats(-1, 1, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 1e-7, 6e-8, 65504.0, -7e4]),
)


@st.composite
def parameter_lists(draw):
    parameters = []
    for i in range(draw(st.integers(0, 4))):
        shape = draw(SHAPES)
        kind = draw(st.sampled_from(["any", "normal", "constant"]))
        if kind == "any":
            values = draw(hnp.arrays(np.float32, shape, elements=VALUES))
        elif kind == "constant":
            values = np.full(shape, draw(VALUES), np.float32)
        else:
            rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
            values = np.asarray(rng.normal(size=shape), np.float32)
        mask = draw(
            st.one_of(
                st.none(),
                st.booleans().map(lambda value, shape=shape: np.full(shape, value)),
                hnp.arrays(np.bool_, shape),
            )
        )
        role = draw(st.sampled_from(list(Role)))
        parameters.append(Parameter(ParameterSpec(f"t{i}", shape, role), values, mask))
    return parameters


def configs():
    arithmetic = st.builds(
        lambda bits, mantissa: {
            "kind": "arithmetic",
            "bits": bits,
            "quant_scale_mantissa_bits": mantissa,
        },
        st.integers(2, 8),
        st.integers(1, 7),
    )
    huffman = st.builds(lambda bits: {"kind": "huffman", "bits": bits}, st.integers(2, 8))
    return st.one_of(arithmetic, huffman, st.just({"kind": "raw_fp16"}))


def packed_example(kind):
    rng = np.random.default_rng(0)
    parameters = []
    for i, shape in enumerate([(30, 6), (5,), (22, 4), (3, 3), (7,)]):
        mask = rng.random(shape) < 0.7 if i == 0 else None
        values = rng.normal(size=shape).astype(np.float32)
        role = Role.NORM if i == 4 else Role.WEIGHT
        parameters.append(Parameter(ParameterSpec(f"t{i}", shape, role), values, mask))
    values = (rng.normal(size=(4, 9)) * (rng.random((4, 9)) < 0.3)).astype(np.float32)
    parameters.append(Parameter(ParameterSpec("steps", (4, 9), Role.DELTA), values))
    scheme = load_scheme({"kind": kind})
    return scheme, scheme.pack(scheme.quantize(parameters)), [p.spec for p in parameters]


def unpacks_or_refuses(scheme, sections, specs):
    with contextlib.suppress(BitstreamError):
        parameters = scheme.unpack(sections, specs)
        assert isinstance(parameters, ParameterSet)
        # what was accepted is a parameter set like any other
        again = scheme.unpack(scheme.pack(parameters), specs)
        assert again.digest() == parameters.digest()


@settings(deadline=None)
@given(parameter_lists(), configs())
def test_what_is_packed_comes_back(parameters, config):
    scheme = load_scheme(config)
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    decoded = scheme.unpack(sections, [parameter.spec for parameter in parameters])
    assert decoded.digest() == quantized.digest()
    for before, after in zip(quantized.tensors, decoded.tensors, strict=True):
        assert type(before) is type(after)
        assert before.spec == after.spec
        np.testing.assert_array_equal(before.dequantize(), after.dequantize())
    for name, values in decoded.dequantize().items():
        assert values.dtype == np.float16, name


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.sampled_from([*TAGS, "XXXX"]), st.binary(max_size=80)),
    st.lists(st.tuples(SHAPES, st.sampled_from(list(Role))), max_size=4),
    configs(),
)
def test_any_bytes(sections, tensors, config):
    specs = [ParameterSpec(f"t{i}", *tensor) for i, tensor in enumerate(tensors)]
    unpacks_or_refuses(load_scheme(config), sections, specs)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(KINDS), st.sampled_from(TAGS), st.binary(max_size=80))
def test_any_bytes_in_one_section(kind, tag, data):
    scheme, sections, specs = packed_example(kind)
    unpacks_or_refuses(scheme, sections | {tag: data}, specs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tag", TAGS)
def test_every_flipped_bit(tag, kind):
    scheme, sections, specs = packed_example(kind)
    data = sections[tag]
    for position in range(min(8 * len(data), 400)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        unpacks_or_refuses(scheme, sections | {tag: bytes(flipped)}, specs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tag", TAGS)
def test_every_prefix_and_any_surplus(tag, kind):
    scheme, sections, specs = packed_example(kind)
    for end in range(len(sections[tag])):  # some prefixes are the streams of other symbols
        unpacks_or_refuses(scheme, sections | {tag: sections[tag][:end]}, specs)
    for surplus in (b"\0", b"\x80", bytes(100)):
        with pytest.raises(BitstreamError):
            scheme.unpack(sections | {tag: sections[tag] + surplus}, specs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_of_another_scheme_is_refused(kind):
    scheme, sections, specs = packed_example(kind)
    with pytest.raises(BitstreamError, match="XXXX"):
        scheme.unpack(sections | {"XXXX": b""}, specs)
