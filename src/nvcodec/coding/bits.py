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
