import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.cursors import Cursor, pack_varint
from nvcodec.errors import MalformedError


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**40 - 1)), max_size=30))
def test_bits_come_back(fields):
    fields = [(width, value & ((1 << width) - 1)) for width, value in fields]
    writer = BitWriter()
    for width, value in fields:
        writer.write(value, width)
    assert writer.num_bits == sum(width for width, _ in fields)
    reader = BitReader(writer.getvalue(), "test")
    assert [reader.read(width) for width, _ in fields] == [value for _, value in fields]
    reader.finish()


@given(st.lists(st.integers(-(2**30), 2**30), max_size=30), st.integers(0, 3))
def test_exp_golomb_comes_back(values, order):
    writer = BitWriter()
    for value in values:
        writer.write_signed_exp_golomb(value, order)
    reader = BitReader(writer.getvalue(), "test")
    assert [reader.read_signed_exp_golomb(order) for _ in values] == values
    reader.finish()


def test_exp_golomb_codes_are_those_of_the_format():
    writer = BitWriter()
    for value in (0, 1, 2, 3):  # 1 010 011 00100
        writer.write_exp_golomb(value)
    writer.write_exp_golomb(5, order=1)  # 0111
    assert writer.getvalue().hex() == bytes([0b10100110, 0b01000111]).hex()


@given(st.integers(0, 2**63 - 1))
def test_varint_comes_back(value):
    reader = Cursor(pack_varint(value), "test")
    assert reader.varint() == value
    reader.finish()


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 10])
def test_bad_varint_is_malformed(data):
    with pytest.raises(MalformedError):
        Cursor(data, "test").varint()


def test_bit_reader_says_what_is_missing():
    with pytest.raises(MalformedError, match="section ENTP: 9 bits needed, 8 left"):
        BitReader(b"\0", "section ENTP").read(9)


@pytest.mark.parametrize("data", [b"\x81", b"\x80\x00"])
def test_bits_left_over_are_malformed(data):
    reader = BitReader(data, "test")
    reader.read(1)
    with pytest.raises(MalformedError):
        reader.finish()


def test_endless_exp_golomb_prefix_is_malformed():
    with pytest.raises(MalformedError, match="prefix"):
        BitReader(bytes(1000), "test").read_exp_golomb()


def test_bytes_left_over_are_malformed():
    with pytest.raises(MalformedError, match="1 bytes left over"):
        Cursor(b"a", "test").finish()
