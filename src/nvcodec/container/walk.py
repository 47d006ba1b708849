"""One pass over the chunks of a file: all rules that bind them to each other.

After it the data may be trusted, up to what sections mean.
"""

from collections.abc import Iterator
from typing import Any

from nvcodec.container.chunk_map import MapEntry, chunk_entry, segment_entry
from nvcodec.container.chunk_payloads import (
    CodedSegment,
    SegmentInfo,
    Totals,
    parse_index,
    parse_segment,
    parse_totals,
)
from nvcodec.container.chunks import SIGNATURE
from nvcodec.container.header import Head
from nvcodec.container.kinds import KINDS, Kind, Place
from nvcodec.container.stream import BLOCK_SIZE, Chunk, ChunkStream
from nvcodec.errors import ChecksumError, MalformedError, TruncatedError


class Walk:
    """One pass over the chunks of a file, checking each against those before it."""

    def __init__(self, stream: ChunkStream) -> None:
        self.stream = stream
        self.limits = stream.limits
        self.infos: list[SegmentInfo] = []
        self.entries = [MapEntry("signature", 0, len(SIGNATURE), "file signature")]
        self.ancillary: dict[str, Any] = {}
        """What chunks of front and tail kinds hold."""
        self._next_frame = 0
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
        self.entries.append(chunk_entry(chunk, KINDS["HEAD"].says))

    def segments(self) -> Iterator[CodedSegment]:
        """The segments; every rule of the format is checked on the way, END included."""
        while (chunk := self.stream.next_chunk()) is not None:
            segment, kind = None, KINDS.get(chunk.header.kind)
            description = kind.says if kind else "unknown kind, skipped"
            try:
                match kind.place if kind else None:
                    case Place.HEAD:
                        raise MalformedError(f"byte {chunk.offset:,}: a second HEAD")
                    case Place.SEGMENT:
                        segment = self._check_segment(chunk)
                    case Place.INDEX:
                        self._check_index(chunk)
                    case Place.END:
                        self._check_end(chunk)
                    case _ if self._index is not None:
                        raise MalformedError(f"byte {chunk.offset:,}: a chunk between indx and END")
                    case Place.FRONT | Place.TAIL:
                        assert kind is not None
                        self._check_ancillary(chunk, kind)
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

    def _check_ancillary(self, chunk: Chunk, kind: Kind) -> None:
        name = chunk.header.kind
        is_late = kind.place is Place.FRONT and (self.infos or self.tail)
        if name in self.ancillary or is_late:
            raise MalformedError(
                f"byte {chunk.offset:,}: a {name} out of place, allowed {kind.place.value}"
            )
        self.ancillary[name] = value = kind.parse(chunk.payload, self.limits)
        if kind.check is not None and not self.stream.damages:
            kind.check(value, self._next_frame)

    @property
    def tail(self) -> list[str]:
        """Kinds seen so far that only stand after the last segment."""
        return [name for name in self.ancillary if KINDS[name].place is Place.TAIL]

    def _check_segment(self, chunk: Chunk) -> CodedSegment:
        segment = parse_segment(chunk.payload, f"byte {chunk.offset:,}", self.limits)
        where = f"segment {segment.number}"
        start, stop = segment.segment
        self.limits.check(where, "segments", len(self.infos) + 1, self.limits.segments)
        self.limits.check(where, "frames up to here", stop, self.limits.frames)
        if self._index is not None or self.tail:
            before = "indx" if self._index is not None else self.tail[0]
            raise MalformedError(f"{where}: stands after {before}")
        expected = (self.infos[-1].number + 1 if self.infos else 0, self._next_frame)
        seen = (segment.number, start)
        if seen != expected:
            text = f"{where}: number and first frame {seen}, expected {expected}"
            if not self.stream.keep_going or seen[0] <= expected[0] or seen[1] <= expected[1]:
                raise MalformedError(text)
            last = segment.number - 1
            lost = f"segment {last}" if last == expected[0] else f"segments {expected[0]} to {last}"
            self.stream.note(chunk.offset, f"{lost}: frames {expected[1]}:{start} are missing")
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
        expected = Totals(*count_of(self.infos), self._index[0], chunk.offset, totals.digest)
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


def count_of(infos: list[SegmentInfo]) -> tuple[int, int]:
    """(segments, frames)."""
    return len(infos), sum(info.num_frames for info in infos)
