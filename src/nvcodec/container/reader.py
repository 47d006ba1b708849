"""Reading a `.nvc` file: bounded, checked, from a file or a pipe.

For any bytes it returns or raises BitstreamError.

    with NvcReader("in.nvc") as reader:
        for segment in reader.segments():       # each is checked before it is given
            scheme.unpack(segment.sections, ...)

All rules that bind chunks to each other are in `_Walk`; after it the data may be trusted, up to
what sections mean.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from nvcodec.container.chunk_map import MapEntry, chunk_entry, fill, segment_entry
from nvcodec.container.chunk_payloads import (
    CodedSegment,
    SegmentInfo,
    Totals,
    parse_clips,
    parse_index,
    parse_segment,
    parse_totals,
)
from nvcodec.container.chunks import END_SIZE, SIGNATURE
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.container.stream import BLOCK_SIZE, ByteSource, Chunk, ChunkStream
from nvcodec.errors import BitstreamError, ChecksumError, MalformedError, TruncatedError, VideoError
from nvcodec.segments import Clip

__all__ = ["CodedSegment", "Inspection", "MapEntry", "NvcReader", "SegmentInfo", "inspect"]


class NvcReader:
    """A `.nvc` file that is open for reading.

    Args:
        source: A path, or a binary file; a pipe is read forward, once, chunk by chunk.
        limits: What the file may ask for.
        keep_going: Skip what is damaged and list it in `damage`, instead of raising.

    Raises:
        BitstreamError: The beginning, up to HEAD, is not readable.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        limits: Limits = DEFAULT_LIMITS,
        keep_going: bool = False,
    ) -> None:
        self._owned = isinstance(source, str | Path)
        self._file: BinaryIO = open(source, "rb") if isinstance(source, str | Path) else source  # noqa: SIM115
        self.limits = limits
        self.keep_going = keep_going
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
        yield from self._start_walk().segments()

    @property
    def segments_read(self) -> list[SegmentInfo]:
        """Where the segments are that the last walk through the file has given so far."""
        return list(self._walk.infos)

    @property
    def clips_read(self) -> list[Clip]:
        """What the last walk through the file has said of `clips` so far."""
        return list(self._walk.clips)

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
    def clips(self) -> list[Clip]:
        """The videos that the file holds, if they are several (seekable files only)."""
        if not self.index:
            return []
        last = self.index[-1]
        source = ByteSource(self._file, self._base, last.offset + last.length)
        chunk = ChunkStream(source, self.limits, first_sequence=None).next_chunk()
        if chunk is None or chunk.header.kind != "clip":
            return []
        clips = parse_clips(chunk.payload, self.limits)
        _check_clips(clips, last.segment.stop)
        return clips

    def read_segment(self, position: int) -> CodedSegment:
        """The segment at this position of `index`, without reading any other."""
        info = self.index[position]
        chunk = self._chunk_at(info.offset, "SEGM", info.length)
        segment = parse_segment(chunk.payload, f"byte {info.offset:,}")
        if segment[:3] != info[:3]:
            raise MalformedError(
                f"indx: segment, first frame, frames {info[:3]}, SEGM says {segment[:3]}"
            )
        return segment

    def chunk_map(self) -> list[MapEntry]:
        """Where every byte goes; the sizes sum to the file's size (seekable files only)."""
        self._check_seekable()
        walk = self._walk_through()
        return fill(walk.entries, walk.stream.damages, self._size())

    def _new_walk(self) -> "_Walk":
        return _Walk(ChunkStream(ByteSource(self._file, self._base), self.limits, self.keep_going))

    def _start_walk(self) -> "_Walk":
        """A walk that stands behind HEAD: the one that read it, or another."""
        if not self._is_fresh:
            self._check_seekable()
            self._walk = self._new_walk()
        self._is_fresh = False
        return self._walk

    def _walk_through(self) -> "_Walk":
        walk = self._start_walk()
        for _ in walk.segments():
            pass
        return walk

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
        seen = _count(infos)
        if (*seen, chunk.end, chunk.end) != (*totals[:2], end.offset, totals.end_offset):
            raise MalformedError("END: other totals than indx has")
        if not infos or infos[-1].offset + infos[-1].length > chunk.offset:
            raise MalformedError("indx: no segment, or one that reaches past indx")
        if seen[1] != (self.head.num_frames or seen[1]):
            raise MalformedError(f"indx: {seen[1]} frames, HEAD declares {self.head.num_frames}")
        self.limits.check("indx", "frames", seen[1], self.limits.frames)
        return infos


class _Walk:
    """One pass over the chunks of a file, checking each against those before it."""

    def __init__(self, stream: ChunkStream) -> None:
        self.stream = stream
        self.limits = stream.limits
        self.infos: list[SegmentInfo] = []
        self.entries = [MapEntry("signature", 0, len(SIGNATURE), "file signature")]
        self._next_frame = 0
        self.clips: list[Clip] = []
        self._index: tuple[int, list[SegmentInfo] | None] | None = None  # Offset, content.
        stream.read_signature()
        keep_going, stream.keep_going = stream.keep_going, False  # Nothing works without HEAD.
        chunk = stream.next_chunk()
        stream.keep_going = keep_going
        if chunk is None:
            raise TruncatedError("the file ends before its HEAD chunk")
        if chunk.header.kind != "HEAD":
            raise MalformedError(f"first chunk is {chunk.header.kind}, must be HEAD")
        self.head = Head.from_bytes(chunk.payload, self.limits)
        self.head_end = chunk.end
        self.entries.append(chunk_entry(chunk, "video, representation, scheme"))

    def segments(self) -> Iterator[CodedSegment]:
        """The segments; every rule of the format is checked on the way, END included."""
        while (chunk := self.stream.next_chunk()) is not None:
            segment, description = None, "unknown kind, skipped"
            try:
                match chunk.header.kind:
                    case "HEAD":
                        raise MalformedError(f"byte {chunk.offset:,}: a second HEAD")
                    case "SEGM":
                        segment = self._check_segment(chunk)
                    case "clip":
                        description = "where each video begins"
                        if self._index is not None or self.clips:
                            raise MalformedError(f"byte {chunk.offset:,}: a clip out of place")
                        self.clips = parse_clips(chunk.payload, self.limits)
                        if not self.stream.damages:
                            _check_clips(self.clips, self._next_frame)
                    case "indx":
                        description = "where the segments are"
                        self._check_index(chunk)
                    case "END ":
                        description = "totals and hash of the file"
                        self._check_end(chunk)
                    case _ if self._index is not None:
                        raise MalformedError(f"byte {chunk.offset:,}: a chunk between indx and END")
            except (MalformedError, ChecksumError) as error:
                if not self.stream.keep_going:
                    raise
                self.stream.note(chunk.offset, error)
                description = str(error)
            if segment is None:
                self.entries.append(chunk_entry(chunk, description))
            else:
                self.entries.append(segment_entry(chunk, segment))
                yield segment
            if chunk.header.kind == "END ":
                self._check_nothing_follows()
                return
        offset = self.stream.source.position
        unfinished = TruncatedError(
            f"byte {offset:,}: the file ends before its END chunk, after {len(self.infos)} "
            f"whole segments; it was cut off, or its encoding is unfinished"
        )
        if not self.stream.keep_going:
            raise unfinished
        self.stream.note(offset, unfinished)

    def _check_segment(self, chunk: Chunk) -> CodedSegment:
        segment = parse_segment(chunk.payload, f"byte {chunk.offset:,}")
        where = f"segment {segment.number}"
        start, stop = segment.segment
        self.limits.check(where, "segments", len(self.infos) + 1, self.limits.segments)
        self.limits.check(where, "frames up to here", stop, self.limits.frames)
        if self._index is not None or self.clips:
            before = "clip" if self._index is None else "indx"
            raise MalformedError(f"{where}: stands after {before}")
        expected = (self.infos[-1].number + 1 if self.infos else 0, self._next_frame)
        seen = (segment.number, start)
        if seen != expected:
            text = f"{where}: number and first frame {seen}, expected {expected}"
            if not self.stream.keep_going or seen[0] <= expected[0] or seen[1] <= expected[1]:
                raise MalformedError(text)
            self.stream.note(chunk.offset, f"{where}: frames {expected[1]}:{start} are missing")
        if stop > (self.head.num_frames or stop):
            raise MalformedError(
                f"{where}: frames up to {stop}, HEAD declares {self.head.num_frames}"
            )
        self.infos.append(SegmentInfo(*segment[:3], chunk.offset, chunk.size))
        self._next_frame = stop
        return segment

    def _check_index(self, chunk: Chunk) -> None:
        if self._index is not None:
            raise MalformedError(f"byte {chunk.offset:,}: a second indx")
        self._index = (chunk.offset, None)
        infos = parse_index(chunk.payload, self.limits)
        self._index = (chunk.offset, infos)
        if infos == self.infos or self.stream.damages:
            return
        pairs = zip([*infos, None], [*self.infos, None], strict=False)
        number, (seen, expected) = next((n, p) for n, p in enumerate(pairs) if p[0] != p[1])
        raise MalformedError(f"indx: entry {number} is {seen}, the file has {expected}")

    def _check_end(self, chunk: Chunk) -> None:
        totals = parse_totals(chunk.payload)
        if self.stream.damages:  # Totals and hash are those of the whole file.
            missing = totals.num_frames - self._next_frame
            if missing > 0:
                text = f"END: frames {self._next_frame}:{totals.num_frames} are missing"
                self.stream.note(chunk.offset, text)
            return
        if self._index is None:
            raise MalformedError("END: no indx before it")
        expected = Totals(*_count(self.infos), self._index[0], chunk.offset, totals.digest)
        if totals != expected:
            raise MalformedError(f"END: {totals[:4]}, the file has {expected[:4]}")
        if not self.infos:
            raise MalformedError("END: no segments, at least 1 needed")
        if self.head.num_frames not in (0, totals.num_frames):
            raise MalformedError(
                f"END: {totals.num_frames} frames, HEAD declares {self.head.num_frames}"
            )
        if totals.digest != self.stream.hash.digest():
            raise ChecksumError("END: the hash of all bytes before it does not match")

    def _check_nothing_follows(self) -> None:
        source = self.stream.source
        offset = source.position
        if not source.read(1):
            return
        if not self.stream.keep_going:
            raise MalformedError(f"byte {offset:,}: bytes after the END chunk, none allowed")
        while source.read(BLOCK_SIZE):
            pass
        size = source.position - offset
        self.stream.note(offset, f"byte {offset:,}: {size:,} bytes after the END chunk")
        self.entries.append(MapEntry("trailing", offset, size, "bytes after the END chunk"))


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
    clips: list[Clip]
    """The videos that it holds, if they are several."""


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
        segments, clips = reader.segments_read, reader.clips_read
        return Inspection(reader.head, size_bytes, entries, segments, reader.damage, clips)


def _check_clips(clips: list[Clip], num_frames: int) -> None:
    """Refuse videos that are not the frames before them."""
    seen = clips[-1].segment.stop if clips else 0
    if seen != num_frames:
        raise MalformedError(f"clip: {seen} frames in all videos, {num_frames} in the segments")


def _count(infos: list[SegmentInfo]) -> tuple[int, int]:
    """(segments, frames)."""
    return len(infos), sum(info.num_frames for info in infos)
