"""Chunk framing: the smallest pieces of the file, as bytes in and values out.

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
