"""Chunk framing and varints: the smallest pieces of the file, as bytes in and values out.

No files here: `stream` reads chunks from one, `writer` appends them. The layout is in the package
docstring.
"""

import re
import struct
import zlib
from typing import NamedTuple

from nvcodec.errors import ChecksumError, MalformedError

SIGNATURE = b"\x8bNVC\r\n\x1a\n"
_FIELDS = struct.Struct("<4sIIQ")
HEADER_SIZE = _FIELDS.size + 4
"""Bytes of a chunk header with its CRC."""
FRAMING_SIZE = HEADER_SIZE + 4
"""Bytes of a chunk that are not payload."""
END_SIZE = FRAMING_SIZE + 40
"""Bytes of the END chunk."""
KNOWN_KINDS = ("HEAD", "SEGM", "indx", "END ")
MAX_VARINT = (1 << 63) - 1

_TAG = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")


class ChunkHeader(NamedTuple):
    """The first 20 bytes of a chunk."""

    kind: str
    flags: int
    sequence: int
    length: int

    @property
    def is_critical(self) -> bool:
        """Whether a reader that does not know this kind has to stop."""
        return self.kind[0].isupper()

    def pack(self) -> bytes:
        """The header with its CRC, 24 bytes."""
        fields = _FIELDS.pack(self.kind.encode("ascii"), *self[1:])
        return fields + zlib.crc32(fields).to_bytes(4, "little")


def tag_text(tag: bytes, where: str) -> str:
    """A chunk type or section tag as text.

    Raises:
        MalformedError: Not four characters of those allowed.
    """
    if _TAG.fullmatch(tag) is None:
        raise MalformedError(
            f"{where}: type {tag!r}, allowed: a letter, then three letters, digits or spaces"
        )
    return tag.decode("ascii")


def parse_header(data: bytes, offset: int) -> ChunkHeader:
    """The chunk header in 24 bytes, after checking its CRC and its type.

    Args:
        data: The 24 bytes.
        offset: Where they stand in the file, for messages.

    Raises:
        ChecksumError: The CRC does not match.
        MalformedError: It does, but the type is not text.
    """
    fields, crc = data[: _FIELDS.size], int.from_bytes(data[_FIELDS.size :], "little")
    if zlib.crc32(fields) != crc:
        raise ChecksumError(
            f"byte {offset:,}: chunk header with CRC {zlib.crc32(fields):08x}, stored {crc:08x}"
        )
    kind, flags, sequence, length = _FIELDS.unpack(fields)
    return ChunkHeader(tag_text(kind, f"byte {offset:,}"), flags, sequence, length)


def payload_crc(header: bytes, payload: bytes | bytearray) -> int:
    """CRC-32 of the header's first 20 bytes followed by the payload."""
    return zlib.crc32(payload, zlib.crc32(header[: _FIELDS.size]))


def pack_chunk(kind: str, sequence: int, payload: bytes) -> bytes:
    """A whole chunk."""
    header = ChunkHeader(kind, 0, sequence, len(payload)).pack()
    return b"".join((header, payload, payload_crc(header, payload).to_bytes(4, "little")))


def pack_varint(value: int) -> bytes:
    """LEB128, shortest form."""
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"a varint holds 0 to 2^63 - 1, got {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Cursor:
    """Reads a payload from front to back; whatever does not fit is a MalformedError."""

    def __init__(self, payload: bytes, where: str) -> None:
        self._view = memoryview(payload)
        self._position = 0
        self.where = where

    @property
    def num_left(self) -> int:
        """Bytes not yet read."""
        return len(self._view) - self._position

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes."""
        if size > self.num_left:
            raise MalformedError(
                f"{self.where}, {what}: {size:,} bytes declared, {self.num_left:,} left"
            )
        start, self._position = self._position, self._position + size
        return bytes(self._view[start : self._position])

    def varint(self, what: str) -> int:
        """The next varint."""
        value = 0
        for count in range(9):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                if byte == 0 and count > 0:
                    raise MalformedError(f"{self.where}, {what}: varint not in its shortest form")
                return value
        raise MalformedError(f"{self.where}, {what}: varint of more than 9 bytes")

    def finish(self) -> None:
        """Check that nothing is left."""
        if self.num_left:
            raise MalformedError(f"{self.where}: {self.num_left:,} bytes left over, 0 allowed")
