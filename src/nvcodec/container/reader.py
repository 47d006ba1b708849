"""Reading a `.nvc` file: bounded, checked, from a file or a pipe.

For any bytes it returns or raises BitstreamError.

    with NvcReader("in.nvc") as reader:
        for segment in reader.segments():       # each is checked before it is given
            scheme.unpack(segment.sections, ...)

All rules that bind chunks to each other are in `walk`; after it the data may be trusted, up to
what sections mean.
"""

import bisect
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from nvcodec.container.chunk_map import MapEntry, fill
from nvcodec.container.chunk_payloads import (
    CodedSegment,
    SegmentInfo,
    parse_index,
    parse_segment,
    parse_totals,
)
from nvcodec.container.chunks import END_SIZE, FRAMING_SIZE
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.container.kinds import KINDS, Place, ancillary_kind
from nvcodec.container.stream import ByteSource, Chunk, ChunkStream
from nvcodec.container.walk import Walk, count_of
from nvcodec.errors import BitstreamError, MalformedError, TruncatedError, VideoError
from nvcodec.segments import Part

__all__ = ["CodedSegment", "Inspection", "MapEntry", "NvcReader", "SegmentInfo", "inspect"]

TAG_SIZE = 4


class NvcReader:
    """A `.nvc` file that is open for reading.

    Args:
        source: A path, or a binary file; a pipe is read forward, once, chunk by chunk.
        limits: What the file may ask for.
        keep_going: Skip what is damaged and list it in `damage`, instead of raising.
        unfinished: Take an early end as the end; `is_unfinished` tells.

    Raises:
        BitstreamError: The beginning, up to HEAD, is not readable.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        limits: Limits = DEFAULT_LIMITS,
        keep_going: bool = False,
        unfinished: bool = False,
    ) -> None:
        self._owned = isinstance(source, str | Path)
        self._file: BinaryIO = open(source, "rb") if isinstance(source, str | Path) else source  # noqa: SIM115
        self.limits = limits
        self.keep_going = keep_going
        self.is_unfinished = False
        """Whether the file has been seen to end early, where that is allowed."""
        self._may_be_unfinished = unfinished
        self._index: list[SegmentInfo] | None = None
        self._is_fresh = True
        try:
            self._base = self._file.tell() if self._file.seekable() else None
            self._walk = self._new_walk()
            self.head: Head = self._walk.head
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            self._file.close()

    @property
    def is_seekable(self) -> bool:
        """Whether segments can be read in any order, and more than once."""
        return self._base is not None

    def segments(self) -> Iterator[CodedSegment]:
        """The segments in order, each as soon as its chunk has been read.

        Raises:
            TruncatedError: The file is unfinished; after all intact segments.
            BitstreamError: What else is wrong, where it stands.
        """
        try:
            yield from self._start_walk().segments()
        except TruncatedError:
            if not self._may_be_unfinished:
                raise
            self.is_unfinished = True

    @property
    def segments_read(self) -> list[SegmentInfo]:
        """Where the segments are that the last walk through the file has given so far."""
        return list(self._walk.infos)

    @property
    def ancillary_read(self) -> dict[str, Any]:
        """What ancillary chunks hold, by kind, as far as the last walk has come."""
        return dict(self._walk.ancillary)

    @property
    def head_end(self) -> int:
        """Offset of the first byte after HEAD."""
        return self._walk.head_end

    @property
    def damage(self) -> list[str]:
        """What was skipped, as far as the file has been read the last time."""
        return [damage.text for damage in self._walk.stream.damages]

    @property
    def index(self) -> list[SegmentInfo]:
        """Where the segments are: from indx, or by walking the file (seekable files only)."""
        if self._index is None:
            self._check_seekable()
            try:
                self._index = self._read_index()
            except BitstreamError:
                self._index = self._walk_through().infos
        return self._index

    @property
    def parts(self) -> list[Part]:
        """The videos that the file holds, if they are several (seekable files only)."""
        found: list[Part] = self.ancillary("clip") or []
        return found

    def find_part(self, name: str) -> Part:
        """One of the file's videos by name, or by number.

        Raises:
            VideoError: There is none, or several have that name.
        """
        parts = self.parts
        found = [part for part in parts if part.name == name]
        if not found and name.isascii() and name.isdecimal():
            found = parts[int(name) :][:1]
        if not found:
            known = ", ".join(f"{number} {part.name}" for number, part in enumerate(parts))
            raise VideoError(f"clip {name}: not in the file, which has {known or 'one video only'}")
        if len(found) > 1:
            numbers = ", ".join(str(i) for i, part in enumerate(parts) if part.name == name)
            raise VideoError(f"clip {name}: several have that name; take a number: {numbers}")
        return found[0]

    def ancillary(self, kind: str) -> Any:
        """What the chunk of an ancillary kind holds, without reading any segment; None: not there.

        Seekable files only.

        Raises:
            ValueError: It is not an ancillary kind that is known here.
        """
        try:
            return self._find_ancillary(kind)
        except TruncatedError:
            if not self._may_be_unfinished:
                raise
            return None

    def _find_ancillary(self, kind: str) -> Any:
        known = ancillary_kind(kind)
        if not self.index:
            return None
        last = self.index[-1]
        start = self.head_end if known.place is Place.FRONT else last.offset + last.length
        source = ByteSource(self._file, self._base, start)
        stream = ChunkStream(source, self.limits, first_sequence=None)
        while (chunk := stream.next_chunk()) is not None:
            if chunk.header.kind == kind:
                value = known.parse(chunk.payload, self.limits)
                if known.check is not None:
                    known.check(value, last.segment.stop)
                return value
            if chunk.header.kind in ("SEGM", "indx"):
                break
        return None

    def ancillary_chunks(self) -> Iterator[tuple[int, str, bytes]]:
        """Every chunk that a file is whole without, known here or not (seekable files only).

        Yields:
            Number of segments before it, its kind and its payload.
        """
        starts = [info.offset for info in self.index]
        for kind, offset, size, *_ in self.chunk_map():
            known = KINDS.get(kind)
            is_other = size >= FRAMING_SIZE and len(kind) == TAG_SIZE and kind[0].islower()
            if known.is_ancillary if known else is_other:
                chunk = self._chunk_at(offset, kind, size)
                yield bisect.bisect(starts, offset), kind, chunk.payload

    def read_segment(self, position: int) -> CodedSegment:
        """The segment at this position of `index`, without reading any other."""
        info = self.index[position]
        chunk = self._chunk_at(info.offset, "SEGM", info.length)
        segment = parse_segment(chunk.payload, f"byte {info.offset:,}", self.limits)
        if segment[:3] != info[:3]:
            raise MalformedError(
                f"indx: segment, first frame, frames {info[:3]}, SEGM says {segment[:3]}"
            )
        return segment

    def find_segment(self, number: int) -> CodedSegment:
        """The segment of this number, without reading any other.

        Raises:
            MalformedError: it is not there.
        """
        position = bisect.bisect_left(self.index, number, key=lambda info: info.number)
        if position == len(self.index) or self.index[position].number != number:
            raise MalformedError(f"segment {number}: not in the file")
        return self.read_segment(position)

    def chunk_map(self) -> list[MapEntry]:
        """Where every byte goes; the sizes sum to the file's size (seekable files only)."""
        self._check_seekable()
        walk = self._walk_through()
        return fill(walk.entries, walk.stream.damages, self._size())

    def _new_walk(self) -> Walk:
        return Walk(ChunkStream(ByteSource(self._file, self._base), self.limits, self.keep_going))

    def _start_walk(self) -> Walk:
        """A walk that stands behind HEAD: the one that read it, or another."""
        if not self._is_fresh:
            self._check_seekable()
            self._walk = self._new_walk()
        self._is_fresh = False
        return self._walk

    def _walk_through(self) -> Walk:
        for _ in self.segments():
            pass
        return self._walk

    def _check_seekable(self) -> None:
        if self._base is None:
            raise ValueError("a pipe can be read once and in order only")

    def _size(self) -> int:
        return self._file.seek(0, os.SEEK_END) - (self._base or 0)

    def _chunk_at(self, offset: int, kind: str, size: int | None = None) -> Chunk:
        """The chunk at `offset`, whatever its sequence."""
        source = ByteSource(self._file, self._base, offset)
        chunk = ChunkStream(source, self.limits, first_sequence=None).next_chunk()
        if chunk is None or chunk.header.kind != kind or size not in (None, chunk.size):
            raise MalformedError(f"byte {offset:,}: no chunk {kind} of the size declared")
        return chunk

    def _read_index(self) -> list[SegmentInfo]:
        end = self._chunk_at(max(0, self._size() - END_SIZE), "END ")
        totals = parse_totals(end.payload)
        chunk = self._chunk_at(min(totals.index_offset, end.offset), "indx")
        infos = parse_index(chunk.payload, self.limits)
        seen = count_of(infos)
        if (*seen, chunk.end, chunk.end) != (*totals[:2], end.offset, totals.end_offset):
            raise MalformedError("END: other totals than indx has")
        if not infos or infos[-1].offset + infos[-1].length > chunk.offset:
            raise MalformedError("indx: no segment, or one that reaches past indx")
        if seen[1] != (self.head.num_frames or seen[1]):
            raise MalformedError(f"indx: {seen[1]} frames, HEAD declares {self.head.num_frames}")
        self.limits.check("indx", "frames", seen[1], self.limits.frames)
        return infos


class Inspection(NamedTuple):
    """What `nvc info` shows."""

    head: Head
    size_bytes: int
    entries: list[MapEntry]
    """Their sizes sum to `size_bytes`."""
    segments: list[SegmentInfo]
    """Those that are intact."""
    damage: list[str]
    """Empty for a whole file."""
    ancillary: dict[str, Any]
    """What ancillary chunks hold, by kind."""

    @property
    def num_frames(self) -> int:
        """Frames in the segments that are intact."""
        return sum(segment.num_frames for segment in self.segments)

    @property
    def streams_bytes(self) -> int:
        """Bytes of streams beside the video, which no rate counts."""
        return sum(entry.size for entry in self.entries if entry.kind == "mkvs")

    @property
    def most_needed(self) -> int:
        """Segments that one needs before it, directly or not, at most."""
        found: dict[int, int] = {}
        whole = [entry for entry in self.entries if entry.kind == "SEGM" and entry.parts]
        for segment, entry in zip(self.segments, whole, strict=True):
            found[segment.number] = max((1 + found.get(n, 0) for n in entry.needs), default=0)
        return max(found.values(), default=0)

    @property
    def parts(self) -> list[Part]:
        """The videos that it holds, if they are several."""
        found: list[Part] = self.ancillary.get("clip", [])
        return found


def inspect(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """Where every byte of a file goes, damaged files included.

    Raises:
        BitstreamError: The beginning, up to HEAD, is not readable.
        VideoError: It is a pipe.
    """
    with NvcReader(path, limits=limits, keep_going=True) as reader:
        if not reader.is_seekable:
            raise VideoError(f"{path}: is a pipe; info needs a file, for it reads its end too")
        entries = reader.chunk_map()
        size_bytes = sum(entry.size for entry in entries)
        segments, ancillary = reader.segments_read, reader.ancillary_read
        return Inspection(reader.head, size_bytes, entries, segments, reader.damage, ancillary)
