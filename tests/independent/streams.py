"""Bit streams, variable-length integers, and the range decoder ("Streams and tables")."""

from bisect import bisect_right
from collections.abc import Sequence


def check(condition: bool, message: str) -> None:
    """What a file has to fulfil."""
    if not condition:
        raise ValueError(message)


class ByteReader:
    """Fields of whole bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        check(self.place + size <= len(self.data), "bytes run out")
        self.place += size
        return self.data[self.place - size : self.place]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.place)

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        value = 0
        for i in range(9):
            byte = self.integer(1)
            value |= (byte & 127) << 7 * i
            if byte < 128:
                check(byte > 0 or i == 0, "a varint is longer than necessary")
                return value
        raise ValueError("a varint of more than 9 bytes")

    def end(self) -> None:
        check(self.place == len(self.data), "bytes are left over")


class BitReader:
    """Fields of bits, the most significant of the first byte first."""

    def __init__(self, data: bytes) -> None:
        self.bits, self.place = "".join(f"{byte:08b}" for byte in data), 0

    def take(self, size: int) -> int:
        check(self.place + size <= len(self.bits), "bits run out")
        self.place += size
        return int("0" + self.bits[self.place - size : self.place], 2)

    def exp_golomb(self, order: int) -> int:
        zeros = 0
        while self.take(1) == 0:
            zeros += 1
            check(zeros <= 32, "more than 32 zeros")
        more = zeros + order
        return (1 << more) + self.take(more) - (1 << order)

    def signed(self, order: int) -> int:
        v = self.exp_golomb(order)
        return (v + 1) // 2 if v % 2 else -(v // 2)

    def end(self) -> None:
        rest = self.bits[self.place :]
        check(len(rest) < 8 and "1" not in rest, "bits are left over")


class RangeDecoder:
    """Symbols from a stream of 32-bit words: an interval [low, low + width), and a point in it."""

    def __init__(self, data: bytes) -> None:
        data += bytes(-len(data) % 4)
        self.words = iter([int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4)])
        self.low, self.width = 0, 2**64 - 1
        self.point = next(self.words, 0) << 32 | next(self.words, 0)

    def symbol(self, cumulative: Sequence[int]) -> int:
        """One symbol i, of frequency cumulative[i + 1] - cumulative[i]."""
        step = self.width >> 24
        place = (self.point - self.low) % 2**64 // step
        check(place < 2**24, "no symbol")
        i = bisect_right(cumulative, place) - 1
        self.low = (self.low + cumulative[i] * step) % 2**64
        self.width = (cumulative[i + 1] - cumulative[i]) * step
        if self.width < 2**32:
            self.low = (self.low << 32) % 2**64
            self.width <<= 32
            self.point = (self.point << 32) % 2**64 | next(self.words, 0)
        return i

    def symbols(self, cumulative: Sequence[int], count: int) -> list[int]:
        return [self.symbol(cumulative) for _ in range(count)]
