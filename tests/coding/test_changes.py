"""Weight steps as the arithmetic scheme codes them: sparse positions, values, literal bytes."""

import numpy as np
import pytest

from nvcodec.coding.change_model import ChangeModel
from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec, QuantizedTensor, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import BitstreamError, MalformedError

DIGEST = "4c8422ba07a8e34e291d73e32a049d80"
SECTIONS = {"ENTP": "ac0cccdd40", "MASK": "92604dd4", "SYMB": "e9bff6d4"}
SCHEME = load_scheme({"kind": "arithmetic", "bits": 8})


def steps(symbols, width=0.0625):
    symbols = np.asarray(symbols, np.int32)
    spec = ParameterSpec("steps.0", symbols.shape, Role.DELTA)
    return QuantizedTensor(spec, symbols, np.full((1,) * symbols.ndim, width, np.float16))


def size_bits(tensor):
    packed = SCHEME.pack(ParameterSet([tensor]))
    (decoded,) = SCHEME.unpack(packed, [tensor.spec]).tensors
    np.testing.assert_array_equal(decoded.symbols, tensor.symbols)
    np.testing.assert_array_equal(decoded.quant_scale, tensor.quant_scale)
    return 8 * sum(map(len, packed.values()))


def entropy_bits(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


@pytest.mark.parametrize("share", [0.003, 0.05, 0.3])
def test_positions_take_their_entropy(share):
    rng = np.random.default_rng(0)
    symbols = (rng.random((20, 40, 50)) < share) * rng.choice([-1, 1], (20, 40, 50))
    ideal = symbols.size * entropy_bits(share) + np.count_nonzero(symbols)
    assert size_bits(steps(symbols)) < 1.02 * ideal + 160


def test_weights_that_move_often_are_cheaper():
    rng = np.random.default_rng(0)
    share = np.where(rng.random(2000) < 0.1, 0.5, 0.01)
    moving = (rng.random((20, 2000)) < share).astype(int)
    still = (rng.random((20, 2000)) < share.mean()).astype(int)
    assert size_bits(steps(moving)) < 0.8 * size_bits(steps(still))


def test_probabilities_by_hand():
    """At first 32 entries of share 1/8 count; then they count half, and two of four changed."""
    model = ChangeModel(4, 4096 // 8)
    ((members, table),) = model.groups()
    assert members.tolist() == [0, 1, 2, 3]
    assert table[1] == (2 * 512 + 1) << 11
    model.update(np.array([True, False, True, False]))
    quiet, moved = model.groups()
    assert (quiet[0].tolist(), moved[0].tolist()) == ([1, 3], [0, 2])
    share = (32 * 512 // 2 + 2 * 4096) // 20
    assert quiet[1][1] == (2 * share + 1) << 11
    assert moved[1][1] == (2 * 512 + 1) << 11  # nothing seen of this class yet


def test_bytes_are_those_of_the_format():
    tensor = steps([[0, 0, 3, 0, 0], [0, -1, 2, 0, 0], [0, 0, 0, 0, 1]])
    packed = SCHEME.pack(ParameterSet([tensor]))
    assert {tag: data.hex() for tag, data in packed.items()} == SECTIONS
    assert ParameterSet([tensor]).digest().hex() == DIGEST


def test_no_change_takes_no_bin_width():
    assert size_bits(steps(np.zeros((30, 4, 4)), 1.0)) == 8
    assert size_bits(steps(np.zeros((0, 4, 4)), 1.0)) == 8


def test_bin_widths_that_a_stage_chose_are_kept():
    values = np.array([[0, 0.5], [-0.25, 0]], np.float32)
    spec = ParameterSpec("steps.0", values.shape, Role.DELTA)
    side = {"quant_scale": np.full((1, 1), 0.25, np.float32)}
    (tensor,) = SCHEME.quantize([Parameter(spec, values, side=side)]).tensors
    assert tensor.symbols.tolist() == [[0, 2], [-1, 0]]
    weight = Parameter(spec._replace(role=Role.WEIGHT), values, side=side)
    (tensor,) = SCHEME.quantize([weight]).tensors
    assert tensor.symbols.tolist() == [[0, 2], [-1, 0]]


def test_damage_is_refused_or_decodes_to_another_set():
    rng = np.random.default_rng(1)
    tensor = steps((rng.random((4, 30)) < 0.2) * rng.integers(-3, 4, (4, 30)))
    packed = SCHEME.pack(ParameterSet([tensor]))
    for tag, data in packed.items():
        for position in range(8 * len(data)):
            damaged = bytearray(data)
            damaged[position // 8] ^= 1 << position % 8
            try:
                again = SCHEME.unpack({**packed, tag: bytes(damaged)}, [tensor.spec])
            except BitstreamError:
                continue
            assert again.digest() != ParameterSet([tensor]).digest()
    with pytest.raises(MalformedError):
        SCHEME.unpack({"ENTP": b"\xff"}, [tensor.spec])
