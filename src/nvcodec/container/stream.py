"""From bytes to checked chunks: reading in blocks, checksums, going on after damage.

A `ByteSource` is a file or a pipe; a `ChunkStream` gives the chunks in it, in order. What the
chunks say is `reader`'s business. After damage, with `keep_going`:

    payload CRC wrong, but a chunk header (or the end) follows it  -> go on there
    anything else  -> search, from inside the damaged chunk, for a chunk header with a right CRC
"""

import hashlib
import re
from typing import BinaryIO, NamedTuple

from nvcodec.container.chunks import (
    FRAMING_SIZE,
    HEADER_SIZE,
    SIGNATURE,
    ChunkHeader,
    parse_header,
    payload_crc,
)
from nvcodec.container.header import Limits
from nvcodec.container.kinds import KINDS, Place, payload_limit
from nvcodec.errors import (
    BitstreamError,
    ChecksumError,
    MalformedError,
    NotAnNvcFileError,
    TruncatedError,
    UnsupportedVersionError,
)

BLOCK_SIZE = 1 << 18
"""Bytes asked for at once, so that a declared length alone allocates nothing."""
_MAX_DAMAGES = 1000
_RESUME_KINDS = re.compile(
    b"|".join(k.encode() for k, kind in KINDS.items() if kind.place is not Place.HEAD)
)
"""What is searched for behind damage."""


class Chunk(NamedTuple):
    """A chunk whose checksums are right."""

    header: ChunkHeader
    payload: bytes
    offset: int

    @property
    def size(self) -> int:
        """Bytes with framing."""
        return FRAMING_SIZE + len(self.payload)

    @property
    def end(self) -> int:
        """Offset of the byte after it."""
        return self.offset + self.size


class Damage(NamedTuple):
    """Where bytes could not be used, and why."""

    offset: int
    text: str


class ByteSource:
    """Bytes from a position on, of a seekable file (shared with other sources) or of a pipe."""

    def __init__(self, file: BinaryIO, base: int | None, position: int = 0) -> None:
        self._file = file
        self._base = base  # Where the .nvc file begins in a seekable file; None for a pipe.
        self._held: list[memoryview] = []  # What the user of a pipe gave back; the next is last.
        self.position = position

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only where the file ends."""
        if self._base is not None:
            self._file.seek(self._base + self.position)
        blocks: list[bytes | memoryview] = []
        num_left = size
        while self._held and num_left > 0:
            view = self._held.pop()
            blocks.append(view[:num_left])
            if len(view) > num_left:
                self._held.append(view[num_left:])
            num_left -= len(blocks[-1])
        while num_left > 0 and (block := self._file.read(min(num_left, BLOCK_SIZE))):
            blocks.append(block)
            num_left -= len(block)
        self.position += size - num_left
        return b"".join(blocks)

    def unread(self, data: bytes) -> None:
        """Give back the bytes last read."""
        self.position -= len(data)
        if self._base is None and data:
            self._held.append(memoryview(data))


class ChunkStream:
    """The chunks of a source, each checked; with `keep_going`, those that damage left over.

    Args:
        source: Where to read.
        limits: Checked before a length is believed.
        keep_going: Note damage and go on behind it.
        first_sequence: Sequence of the first chunk read; None for any.
    """

    def __init__(
        self,
        source: ByteSource,
        limits: Limits,
        keep_going: bool = False,
        first_sequence: int | None = 0,
    ) -> None:
        self.source = source
        self.limits = limits
        self.keep_going = keep_going
        self.hash = hashlib.blake2b(digest_size=16)
        """Over all bytes so far, END left out; means nothing after damage."""
        self.damages: list[Damage] = []
        self._num_chunks = 0
        self._next_sequence = first_sequence
        self._attempt: tuple[bytes, ...] = ()  # What the chunk that is being read has consumed.
        self._rescan_budget = limits.segment_bytes  # Keeps the time linear for hostile files.

    def read_signature(self) -> None:
        """Check the first 8 bytes.

        Raises:
            NotAnNvcFileError: They are others.
            TruncatedError: There are fewer.
        """
        data = self.source.read(len(SIGNATURE))
        if data and len(data) < len(SIGNATURE) and SIGNATURE.startswith(data):
            raise TruncatedError(f"signature: {len(data)} bytes, 8 needed")
        if data != SIGNATURE:
            hint = " (changed by a text-mode transfer?)" if data[:4] == SIGNATURE[:4] else ""
            raise NotAnNvcFileError(
                f"not a .nvc file: begins with {data.hex(' ') or 'nothing'}, "
                f"needs {SIGNATURE.hex(' ')}{hint}"
            )
        self.hash.update(data)

    def next_chunk(self) -> Chunk | None:
        """The next chunk, or None where the source ends between two chunks.

        Raises:
            BitstreamError: Damage (without `keep_going`), or a file that this reader must not read.
        """
        while True:
            start = self.source.position
            try:
                return self._read_chunk()
            except (TruncatedError, ChecksumError, MalformedError) as error:
                if not self.keep_going:
                    raise
                self.note(start, error)
                self._find_next_chunk()

    def note(self, offset: int, error: BitstreamError | str) -> None:
        """Remember damage, in a list of bounded length."""
        if len(self.damages) < _MAX_DAMAGES:
            self.damages.append(Damage(offset, str(error)))
        elif len(self.damages) == _MAX_DAMAGES:
            self.damages.append(Damage(offset, f"byte {offset:,}: more damage, not listed"))

    def _read_chunk(self) -> Chunk | None:
        offset = self.source.position
        data = self.source.read(HEADER_SIZE)
        self._attempt = (data,)
        if not data:
            return None
        if len(data) < HEADER_SIZE:
            raise TruncatedError(
                f"byte {offset:,}: the file ends {len(data)} bytes into a chunk header"
            )
        header = parse_header(data, offset)
        self._check(header, offset)
        payload, tail = self.source.read(header.length), self.source.read(4)
        self._attempt = (data, payload, tail)
        if len(payload) < header.length or len(tail) < 4:
            raise TruncatedError(
                f"byte {offset:,}, chunk {header.kind}: {header.length + 4:,} bytes declared, "
                f"{len(payload) + len(tail):,} left"
            )
        crc, stored = payload_crc(data, payload), int.from_bytes(tail, "little")
        if crc != stored:
            raise ChecksumError(
                f"byte {offset:,}, chunk {header.kind}: payload with CRC {crc:08x}, "
                f"stored {stored:08x}"
            )
        self._num_chunks += 1
        self._next_sequence = header.sequence + 1
        if header.kind != "END ":
            for part in self._attempt:
                self.hash.update(part)
        self._attempt = ()
        return Chunk(header, payload, offset)

    def _check(self, header: ChunkHeader, offset: int) -> None:
        where = f"byte {offset:,}, chunk {header.kind}"
        if header.is_critical and header.kind not in KINDS:
            raise UnsupportedVersionError(f"{where}: needed to read this file, and unknown here")
        if header.is_critical and header.flags:
            raise UnsupportedVersionError(f"{where}: flags {header.flags:#x}, known: 0")
        expected = self._next_sequence
        if expected is not None and (
            header.sequence < expected or (header.sequence > expected and not self.keep_going)
        ):
            raise MalformedError(f"{where}: sequence {header.sequence}, expected {expected}")
        self.limits.check(where, "chunks", self._num_chunks + 1, self.limits.chunks)
        allowed = payload_limit(header.kind, self.limits)
        self.limits.check(where, "payload bytes", header.length, allowed)

    def _find_next_chunk(self) -> None:
        """Move the source to the next chunk header after the damage, or to its end."""
        data, self._attempt = b"".join(self._attempt), ()
        if len(data) > HEADER_SIZE:
            ahead = self.source.read(HEADER_SIZE)
            self.source.unread(ahead)
            if not ahead or self._is_plausible(ahead):
                return
            self._rescan_budget -= len(data)
        if self._rescan_budget >= 0:
            self.source.unread(data[1:])
        window = b""
        while block := self.source.read(BLOCK_SIZE):
            window += block
            for match in _RESUME_KINDS.finditer(window):
                if self._is_plausible(window[match.start() : match.start() + HEADER_SIZE]):
                    self.source.unread(window[match.start() :])
                    return
            window = window[-HEADER_SIZE + 1 :]

    def _is_plausible(self, data: bytes) -> bool:
        """Whether these bytes are a header to go on from."""
        if len(data) < HEADER_SIZE:
            return False
        try:
            header = parse_header(data, 0)
        except BitstreamError:
            return False
        return (
            header.sequence >= (self._next_sequence or 0)
            and header.flags == 0
            and header.length <= payload_limit(header.kind, self.limits)
        )
