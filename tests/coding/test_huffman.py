"""Huffman codes and NeRV's scheme: hand-computed cases, sizes against entropy, and damage."""

import numpy as np
import pytest

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.huffman_coder import BLOCK_BYTES, BLOCK_SYMBOLS, MAX_LENGTH, HuffmanCode
from nvcodec.coding.parameters import (
    AffineTensor,
    HalfTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    Role,
)
from nvcodec.coding.quantizer import affine_quant_scale, affine_quantize, affine_scale_shape
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import MalformedError


def code_of(*counts):
    return HuffmanCode.fit(np.array(counts, np.int64))


def code_bytes(lengths):
    """Lengths as they travel, whatever they are."""
    bits = BitWriter()
    for before, length in zip([0, *lengths], lengths, strict=False):
        bits.write_signed_exp_golomb(length - before)
    return bits.getvalue()


def test_a_code_by_hand():
    """Counts 5 2 1 1: lengths 1 2 3 3, codes 0 10 110 111."""
    code = code_of(5, 2, 1, 1)
    assert code.lengths.tolist() == [1, 2, 3, 3]
    assert code.encode(np.array([0, 1, 2, 3, 0])) == bytes([0b01011011, 0b10000000])
    assert code.num_bits(np.array([5, 2, 1, 1])) == 15
    assert code.decode(bytes([0b01011011, 0b10000000]), 5, "x").tolist() == [0, 1, 2, 3, 0]


def test_codes_are_numbered_by_length_then_symbol():
    code = code_of(1, 4, 0, 1, 2)
    assert code.lengths.tolist() == [3, 1, 0, 3, 2]
    assert code.encode(np.array([1, 4, 0, 3])) == bytes([0b01011011, 0b10000000])


def test_a_lone_symbol_takes_no_bits():
    code = code_of(0, 0, 7, 0)
    assert code.lengths.tolist() == [0, 0, 1, 0]
    assert code.encode(np.full(7, 2)) == b""
    assert code.decode(b"", 7, "x").tolist() == [2] * 7
    with pytest.raises(MalformedError, match="1 bytes left over"):
        code.decode(b"\0", 7, "x")


def test_lengths_are_limited_and_still_the_best():
    """Fibonacci counts want 23 bits for the rarest of 24 symbols; 16 are allowed."""
    counts = [1, 1]
    while len(counts) < 24:
        counts.append(counts[-1] + counts[-2])
    code = code_of(*counts)
    assert code.lengths.max() == MAX_LENGTH
    assert sum(2.0**-code.lengths) == 1
    without_limit = sum(count * (24 - i if i else 23) for i, count in enumerate(counts))
    assert code.num_bits(np.array(counts)) < 1.001 * without_limit


@pytest.mark.parametrize("bits", [1, 8, 12])
def test_blocks_are_seamless(bits):
    rng = np.random.default_rng(bits)
    symbols = rng.binomial((1 << bits) - 1, 0.3, BLOCK_SYMBOLS + 12345)
    code = HuffmanCode.fit(np.bincount(symbols, minlength=1 << bits))
    data = code.encode(symbols)
    assert len(data) > BLOCK_BYTES
    np.testing.assert_array_equal(code.decode(data, len(symbols), "x"), symbols)
    bitstream = BitWriter()
    code.write(bitstream)
    again = HuffmanCode.read(BitReader(bitstream.getvalue(), "x"), bits, "x")
    np.testing.assert_array_equal(again.lengths, code.lengths)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 1, 1, 0], "fill 98304 of 65536"),
        ([2, 2, 2, 0], "fill 49152 of 65536"),
        ([0, 0, 0, 0], "fill 0 of 65536"),
        ([0, 2, 0, 0], "fill 16384 of 65536"),
        ([17, 1, 0, 0], "code length 17 of symbol 0, 0 to 16 allowed"),
        ([1, -1, 1, 1], "code length -1 of symbol 1"),
    ],
)
def test_lengths_that_are_no_code_are_refused(lengths, message):
    with pytest.raises(MalformedError, match=message):
        HuffmanCode.read(BitReader(code_bytes(lengths), "section ENTP"), 2, "section ENTP")


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        (b"", 5, "5 symbols in 0 bytes"),
        (bytes([0b01011011]), 5, "end before 5 symbols do"),
        (bytes([0b01011011, 0b10000001]), 5, "padding bits are not zero"),
        (bytes([0b01011011, 0b10000000, 0]), 5, "1 bytes left over"),
        (bytes(10), 10**12, "1000000000000 symbols in 10 bytes"),
    ],
)
def test_streams_that_are_none_are_refused(data, count, message):
    with pytest.raises(MalformedError, match=message):
        code_of(5, 2, 1, 1).decode(data, count, "section SYMB")


# --- the quantizer: NeRV, Eq. 4


def test_affine_symbols_by_hand():
    """-0.5 ... 1 in 2 bits: 3 bins of 0.5; 0.26 is nearest to 0.5, which is symbol 2."""
    values = np.array([-0.5, 0.24, 0.26, 1.0], np.float32)
    quant_scale, minimum = affine_quant_scale(values, None, 2)
    assert (quant_scale.tolist(), minimum.tolist()) == ([0.5], [-0.5])
    symbols = affine_quantize(values, quant_scale, minimum, 2)
    assert symbols.tolist() == [0, 1, 2, 3]
    spec = ParameterSpec("w", (4,), Role.BIAS)
    back = AffineTensor(spec, symbols, quant_scale, minimum).dequantize()
    assert back.tolist() == [-0.5, 0.0, 0.5, 1.0]


def test_pruned_weights_do_not_count_and_come_back_as_zero():
    values = np.array([0.0, 0.5, 0.75, 0.0], np.float32)
    mask = values > 0
    quant_scale, minimum = affine_quant_scale(values, mask, 8)
    assert minimum.tolist() == [0.5]
    assert float(quant_scale[0]) == pytest.approx(0.25 / 255, rel=1e-3)
    spec = ParameterSpec("w", (4,), Role.WEIGHT)
    symbols = np.array([0, 0, 255, 0], np.int32)
    values = AffineTensor(spec, symbols, quant_scale, minimum, mask).dequantize()
    assert values[0] == values[3] == 0
    assert values[1] == 0.5
    assert float(values[2]) == pytest.approx(0.75, rel=1e-3)


@pytest.mark.parametrize("spread", [1e-7, 1e-3, 1, 6e4])
def test_rounded_bins_cover_their_row(spread):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(30, 100)) * spread).clip(-65504, 65504).astype(np.float32)
    mask = rng.random(values.shape) < 0.7
    quant_scale, minimum = affine_quant_scale(values, mask, 8)
    assert quant_scale.shape == minimum.shape == (30, 1)
    assert (quant_scale > 0).all()
    symbols = affine_quantize(values, quant_scale, minimum, 8)
    spec = ParameterSpec("w", values.shape, Role.WEIGHT)
    back = AffineTensor(spec, symbols, quant_scale, minimum, mask).dequantize()
    error = np.abs(back.astype(np.float32) - values)[mask]
    bound = np.broadcast_to(0.5 * quant_scale.astype(np.float32), values.shape)[mask]
    assert (error <= bound + 1e-3 * np.abs(values[mask]) + 1e-7).all()


def test_rows_share_where_they_are_short():
    assert affine_scale_shape((512, 80)) == (512, 1)
    assert affine_scale_shape((96, 64, 3, 3)) == (96, 1, 1, 1)
    assert affine_scale_shape((3, 24, 1, 1)) == (1, 1, 1, 1)
    assert affine_scale_shape((512,)) == (1,)
    assert affine_scale_shape(()) == ()


# --- the scheme


def nerv_parameters(sparsity, seed=0):
    """Tensors of a small NeRV with weights as after fitting; the smallest are pruned."""
    rng = np.random.default_rng(seed)
    shapes = [(64, 80), (64,), (2304, 64), (2304,), (400, 16, 3, 3), (400,), (96, 24, 3, 3), (3,)]
    parameters = []
    for i, shape in enumerate(shapes):
        role = Role.BIAS if len(shape) == 1 else Role.WEIGHT
        values = rng.normal(size=shape) * np.exp(
            0.2 * rng.normal(size=(shape[0],) + (1,) * (len(shape) - 1))
        )
        values = np.where(rng.random(shape) < 0.2, 1.7 * values, values) / 8
        mask = None
        if role is Role.WEIGHT and sparsity:
            mask = np.abs(values) > np.quantile(np.abs(values), sparsity)
        parameters.append(
            Parameter(ParameterSpec(f"t{i}", shape, role), values.astype(np.float32), mask)
        )
    return parameters


def entropy_bits(values):
    _, counts = np.unique(values, return_counts=True)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


@pytest.mark.parametrize("sparsity", [0.0, 0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("bits", [6, 8])
def test_coded_size_is_close_to_the_entropy(sparsity, bits):
    """Symbols within 2 % of their entropy and table, masks too; the rest is counted as it is."""
    parameters = nerv_parameters(sparsity)
    scheme = load_scheme({"kind": "huffman", "bits": bits})
    quantized = scheme.quantize(parameters)
    sections = scheme.pack(quantized)
    symbols = np.concatenate([
        t.symbols.ravel() if t.mask is None else t.symbols[t.mask] for t in quantized.tensors
    ])  # fmt: skip
    masks = [t.mask for t in quantized.tensors if t.mask is not None]
    symbols_and_table = entropy_bits(symbols) / 8 + len(sections["ENTP"])
    print({tag: len(data) for tag, data in sections.items()}, f"{symbols_and_table:.0f}")
    assert len(sections["SYMB"]) + len(sections["ENTP"]) < 1.02 * symbols_and_table
    if masks:
        assert len(sections["MASK"]) < 1.02 * sum(map(entropy_bits, masks)) / 8 + 2
    assert len(sections["ENTP"]) < 300
    assert set(sections) == {"ENTP", "QSCL", "SYMB"} | ({"MASK"} if masks else set())
    again = scheme.unpack(sections, [p.spec for p in parameters])
    assert again.digest() == quantized.digest()


def small_set():
    """Masks, a row of its own scale, a norm, a scalar, and an empty tensor."""
    k = np.arange(170)
    mask = (k % 5 > 0).reshape(2, 85)
    symbols = ((k * 7) % 11).reshape(2, 85).astype(np.int32) * mask

    def half(*values):
        return np.array(values, np.float16)

    return ParameterSet([
        AffineTensor(
            ParameterSpec("w", (2, 85), Role.WEIGHT), symbols.astype(np.int32),
            half([0.125], [0.25]), half([-0.5], [1]), mask,
        ),
        HalfTensor(ParameterSpec("n", (3,), Role.NORM), half(0.5, -0.25, 3)),
        AffineTensor(
            ParameterSpec("b", (4,), Role.BIAS), np.array([0, 255, 3, 3], np.int32),
            half(1), half(-9),
        ),
        AffineTensor(
            ParameterSpec("s", (), Role.BIAS), np.array(7, np.int32), np.float16(2)[()].reshape(()),
            np.array(0, np.float16),
        ),
        AffineTensor(
            ParameterSpec("e", (0, 3), Role.WEIGHT), np.zeros((0, 3), np.int32),
            half([1]), half([0]),
        ),
    ])  # fmt: skip


SECTIONS = {
    "ENTP": "8ffffffffffffffffffffffffffffffe42ffffffffffffffff98f31fffffffcc7fffe63fe42ff11b"
    "57567ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe20",
    "MASK": "333999ccce667280",
    "QSCL": "0030003400b8003c003c80c800400000003c0000",
    "SYMB": "419ec9d841d764dc206bb36e1335d3b7019ac9db419ec9d841d764dc206bb36e1335d3b7019ac9db"
    "419ec9d841d764dc206bb36e1335d3b7019ac9db4198f010",
    "RAWF": "003800b40042",
}  # fmt: skip
DIGEST = "f43ab01f43a79db505023c170ab4e8c3"


def test_bytes_are_these_for_ever():
    scheme = load_scheme({"kind": "huffman"})
    parameters = small_set()
    sections = scheme.pack(parameters)
    assert {tag: data.hex() for tag, data in sections.items()} == SECTIONS
    assert parameters.digest().hex() == DIGEST
    decoded = scheme.unpack(sections, [tensor.spec for tensor in parameters.tensors])
    assert decoded.digest() == parameters.digest()


@pytest.mark.parametrize(
    ("tag", "change", "message"),
    [
        ("QSCL", lambda d: b"\0\0" + d[2:], "tensor w: a bin width is not > 0"),
        ("QSCL", lambda d: b"\0\x80" + d[2:], "tensor w: a bin width is not > 0"),
        ("QSCL", lambda d: b"\0\x7c" + d[2:], "tensor w: values must be finite"),
        ("QSCL", lambda d: d + b"\0", "section QSCL: 1 bytes left over"),
        ("RAWF", lambda d: d[:-1], "section RAWF"),
        ("RAWF", lambda d: b"\0\x7e" + d[2:], "tensor n: values must be finite"),
        ("ENTP", lambda d: d + b"\0", "section ENTP: 1 bytes left over"),
        ("ENTP", lambda d: b"", "section ENTP"),
        ("MASK", lambda d: d[:-3], "section MASK"),
        ("SYMB", lambda d: d[:-3], "section SYMB"),
        ("SYMB", lambda d: d + b"\0", "section SYMB: 1 bytes left over"),
        ("XXXX", lambda d: b"", "XXXX"),
    ],
)
def test_what_pack_could_not_have_written_is_refused(tag, change, message):
    scheme, parameters = load_scheme({"kind": "huffman"}), small_set()
    sections = scheme.pack(parameters)
    damaged = sections | {tag: change(sections.get(tag, b""))}
    with pytest.raises(MalformedError, match=message):
        scheme.unpack(damaged, [tensor.spec for tensor in parameters.tensors])
