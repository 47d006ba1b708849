"""Bit and byte cursors for small fields: fixed width, variable-length integers, exp-Golomb codes.

Bits run from the most significant of the first byte. Readers trust nothing: whatever the bytes, a
call returns a value of the stated range or raises `MalformedError`, and costs no more than the
bytes it reads. (A section that runs short inside an intact file is malformed; `TruncatedError` is
about files that end early.)
"""

from nvcodec.errors import MalformedError

MAX_EXP_GOLOMB_PREFIX = 32
MAX_VARINT_BYTES = 9  # 63 bits


class BitWriter:
    """Appends bits; `getvalue` pads the last byte with zeros."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._pending = 0
        self._num_pending = 0

    @property
    def num_bits(self) -> int:
        """Bits written so far."""
        return 8 * len(self._done) + self._num_pending

    def write(self, value: int, num_bits: int) -> None:
        """Append `value` as `num_bits` bits."""
        assert 0 <= value < 1 << num_bits, (value, num_bits)
        self._pending = self._pending << num_bits | value
        self._num_pending += num_bits
        num_bytes, self._num_pending = divmod(self._num_pending, 8)
        if num_bytes:
            self._done += (self._pending >> self._num_pending).to_bytes(num_bytes, "big")
            self._pending &= (1 << self._num_pending) - 1

    def write_exp_golomb(self, value: int, order: int = 0) -> None:
        """Append a non-negative integer as an exp-Golomb code of the given order."""
        assert value >= 0, value
        shifted = value + (1 << order)
        prefix = shifted.bit_length() - 1 - order
        assert prefix <= MAX_EXP_GOLOMB_PREFIX, value
        self.write(0, prefix)
        self.write(shifted, prefix + order + 1)

    def write_signed_exp_golomb(self, value: int, order: int = 0) -> None:
        """Append an integer: 0, 1, -1, 2, -2... map to 0, 1, 2, 3, 4."""
        self.write_exp_golomb(2 * value - 1 if value > 0 else -2 * value, order)

    def getvalue(self) -> bytes:
        """All bits, in bytes."""
        rest = self._num_pending
        return bytes(self._done) + (bytes([self._pending << (8 - rest)]) if rest else b"")


class BitReader:
    """Reads what `BitWriter` wrote; `finish` insists that nothing is left over."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._where = where
        self._position = 0

    def read(self, num_bits: int) -> int:
        """The next `num_bits` bits as an unsigned integer."""
        end = self._position + num_bits
        if end > 8 * len(self._data):
            left = 8 * len(self._data) - self._position
            raise MalformedError(f"{self._where}: {num_bits} bits needed, {left} left")
        covering = self._data[self._position >> 3 : (end + 7) >> 3]
        self._position = end
        return int.from_bytes(covering, "big") >> (-end % 8) & ((1 << num_bits) - 1)

    def read_exp_golomb(self, order: int = 0) -> int:
        """The next exp-Golomb code."""
        prefix = 0
        while not self.read(1):
            prefix += 1
            if prefix > MAX_EXP_GOLOMB_PREFIX:
                raise MalformedError(
                    f"{self._where}: exp-Golomb prefix over {MAX_EXP_GOLOMB_PREFIX} bits long"
                )
        return (1 << prefix + order | self.read(prefix + order)) - (1 << order)

    def read_signed_exp_golomb(self, order: int = 0) -> int:
        """The next signed exp-Golomb code."""
        code = self.read_exp_golomb(order)
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def finish(self) -> None:
        """Check that only the padding of the last byte is left, and that it is zero."""
        left = 8 * len(self._data) - self._position
        if left >= 8:
            raise MalformedError(f"{self._where}: {left // 8} bytes left over, none allowed")
        if self.read(left):
            raise MalformedError(f"{self._where}: padding bits are not zero")


def write_varint(value: int) -> bytes:
    """An integer from 0 to 2^63 - 1 in groups of seven bits, lowest first; a top bit says more."""
    assert 0 <= value < 1 << 63, value
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


class ByteReader:
    """Reads whole bytes; `finish` insists that nothing is left over."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self.where = where
        self._position = 0

    def read(self, num_bytes: int) -> bytes:
        """The next `num_bytes` bytes."""
        left = len(self._data) - self._position
        if num_bytes > left:
            raise MalformedError(f"{self.where}: {num_bytes} bytes needed, {left} left")
        self._position += num_bytes
        return self._data[self._position - num_bytes : self._position]

    def rest(self) -> bytes:
        """All bytes not yet read."""
        return self.read(len(self._data) - self._position)

    def read_varint(self) -> int:
        """The next variable-length integer, in its shortest form."""
        value = 0
        for i in range(MAX_VARINT_BYTES):
            (group,) = self.read(1)
            value |= (group & 0x7F) << 7 * i
            if group < 0x80:
                if group == 0 and i > 0:
                    raise MalformedError(f"{self.where}: varint is longer than it needs to be")
                return value
        raise MalformedError(f"{self.where}: varint over {MAX_VARINT_BYTES} bytes long")

    def finish(self) -> None:
        """Check that every byte was read."""
        if left := len(self._data) - self._position:
            raise MalformedError(f"{self.where}: {left} bytes left over, none allowed")
