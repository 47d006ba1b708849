"""Writing a `.nvc` file: append only, so that the disk holds a valid prefix at every moment.

    NvcWriter(path)  ->  OUT.part grows, fsync per segment
        finish()     ->  indx, END, fsync, rename to OUT, fsync folder
    NvcWriter(pipe)  ->  the same bytes, forward

Whatever stops it, OUT.part stays and `NvcWriter.resume` goes on from its last whole segment. OUT
itself is only ever a finished file.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from nvcodec.container.chunk_payloads import (
    DIGEST_SIZE,
    MAX_SECTIONS,
    CodedSegment,
    SegmentInfo,
    Totals,
)
from nvcodec.container.chunks import FRAMING_SIZE, HEADER_SIZE, pack_chunk, parse_header, tag_text
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.container.kinds import KINDS, Place, ancillary_kind, payload_limit
from nvcodec.container.sink import Sink, output_error
from nvcodec.container.unfinished import Kept, holds_nothing, opening, part_path, whole_segments


class NvcWriter:
    """A `.nvc` file being written, segment by segment.

    Args:
        target: A path, or a binary file that is written forward only, such as a pipe.
        head: What the file says about itself; written at once.
        overwrite: Replace a finished file, and throw away an unfinished one, of this name.
        limits: What a reader will accept.

    Raises:
        OutputError: The file, or its unfinished part, is there already, or cannot be written.
        LimitError: `head` is beyond the limits.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        head: Head,
        *,
        overwrite: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._prepare(target, head, overwrite, limits)
        self.sink.create()
        self._begin()

    @classmethod
    def resume(
        cls,
        path: str | Path,
        head: Head,
        *,
        overwrite: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        max_segments: int | None = None,
    ) -> Self:
        """Go on with OUT.part after its last whole segment, or begin it if it holds nothing yet.

        A torn segment at its end is dropped, as are an index, an end, and whatever comes after
        the first `max_segments` segments; without a whole segment, all but HEAD. `segments` and
        `ancillary` say what is kept.

        Raises:
            ResumeError: OUT.part has another head, is no `.nvc` file, or is damaged before its end.
            OutputError: As for a new file.
        """
        part = part_path(path)
        try:
            if not part.exists():
                return cls(path, head, overwrite=overwrite, limits=limits)
            self = cls.__new__(cls)
            self._prepare(path, head, overwrite, limits)
            self.sink.reopen()
            try:
                if holds_nothing(part, head):
                    self.sink.keep(0)
                    self._begin()
                else:
                    self._take_over(whole_segments(part, head, limits, max_segments))
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise output_error(error, f"{part}: cannot be resumed") from error
        return self

    def _prepare(
        self, target: str | Path | BinaryIO, head: Head, overwrite: bool, limits: Limits
    ) -> None:
        """Set every field; nothing is written yet."""
        Head.from_bytes(head.to_bytes(), limits)  # What we write, we can read.
        self.head = head
        self.limits = limits
        self.ancillary: set[str] = set()
        """Kinds of the ancillary chunks written so far."""
        self._segments: list[SegmentInfo] = []
        self._sequence = self._num_frames = 0
        self.sink = Sink(target, overwrite)

    def _begin(self) -> None:
        self.sink.append(opening(self.head), "HEAD")
        self._sequence = 1

    def _take_over(self, kept: Kept) -> None:
        """Stand as if everything that is kept had been written here."""
        self.sink.keep(kept.end)
        self._sequence = 1
        if kept.infos:
            self.sink.file.seek(kept.infos[-1].offset)
            header = parse_header(self.sink.file.read(HEADER_SIZE), kept.infos[-1].offset)
            self._sequence = header.sequence + 1
            self.sink.file.seek(kept.end)
        self._segments = kept.infos
        self._num_frames = kept.infos[-1].segment.stop if kept.infos else 0
        self.ancillary = kept.ancillary

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def segments(self) -> list[SegmentInfo]:
        """The segments written so far, those of a resumed file included."""
        return list(self._segments)

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self.sink.size

    def write_segment(self, segment: CodedSegment) -> SegmentInfo:
        """Append a segment; when this returns, a file has it on the disk.

        Raises:
            OutputError: It could not be written; the segments before are safe.
            LimitError: It is larger than a reader accepts.
        """
        number, (start, stop) = len(self._segments), segment.segment
        where = f"segment {number}"
        if (segment.number, start) != (number, self._num_frames) or stop <= start:
            raise ValueError(
                f"{where}: number {segment.number}, frames {start}:{stop}, must begin at "
                f"{self._num_frames}"
            )
        if self.head.num_frames and stop > self.head.num_frames:
            raise ValueError(f"{where}: frames up to {stop}, HEAD has {self.head.num_frames}")
        if len(segment.digest) != DIGEST_SIZE or len(segment.sections) > MAX_SECTIONS:
            raise ValueError(
                f"{where}: digest of {len(segment.digest)} bytes, {len(segment.sections)} "
                f"sections; allowed: {DIGEST_SIZE}, up to {MAX_SECTIONS}"
            )
        if self._tail:
            raise ValueError(f"{where}: after {self._tail[0]}, allowed only before it")
        for tag in segment.sections:
            tag_text(tag.encode(), where)
        earlier = {reference for reference in segment.references if 0 <= reference < number}
        if tuple(segment.references) != tuple(sorted(earlier, reverse=True)):
            raise ValueError(
                f"{where}: references {segment.references}, allowed: earlier segments, each once, "
                f"the nearest first"
            )
        self.limits.check(where, "references", len(earlier), self.limits.references)
        self.limits.check(where, "segments", number + 1, self.limits.segments)
        self.limits.check(where, "frames", stop, self.limits.frames)
        offset = self.sink.size
        length = self._append("SEGM", segment, where)
        info = SegmentInfo(number, start, segment.num_frames, offset, length)
        self._segments.append(info)
        self._num_frames = stop
        return info

    def add(self, kind: str, value: Any) -> int:
        """Append the chunk of an ancillary kind; gives its length, framing included.

        `ancillary` tells which a resumed file has.

        Raises:
            ValueError: It is no ancillary kind or there already, or segments stand where they
                must not.
            OutputError: It could not be written.
        """
        place = ancillary_kind(kind).place
        if kind in self.ancillary:
            raise ValueError(f"chunk {kind}: written already, allowed {place.value}")
        if place is Place.FRONT and (self._segments or self._tail):
            raise ValueError(f"chunk {kind}: allowed {place.value}")
        length = self._append(kind, value, kind)
        self.ancillary.add(kind)
        return length

    def copy(self, kind: str, payload: bytes) -> int:
        """Append an ancillary chunk of another file, known here or not, at its place there.

        Gives its length, framing included.

        Raises:
            OutputError: It could not be written.
        """
        if kind in KINDS and ancillary_kind(kind):
            self.ancillary.add(kind)
        return self._append_payload(kind, payload, kind)

    def finish(self) -> int:
        """Append index and end; a file gets its final name. Gives the size in bytes.

        Raises:
            OutputError: It could not be written, or another file took the name; OUT.part stays.
        """
        if not self._segments or self._num_frames != (self.head.num_frames or self._num_frames):
            raise ValueError(
                f"{len(self._segments)} segments with {self._num_frames} frames, "
                f"HEAD has {self.head.num_frames or 'any number'}, at least one segment needed"
            )
        index_offset = self.sink.size
        self._append("indx", self._segments, "indx")
        totals = Totals(
            len(self._segments), self._num_frames, index_offset, self.sink.size,
            self.sink.hash.digest(),
        )  # fmt: skip
        self._append("END ", totals, "END")
        self.sink.finish()
        return self.sink.size

    def discard(self) -> None:
        """Stop writing, and remove OUT.part if it is still this one."""
        self.sink.discard()

    def close(self) -> None:
        """Stop writing; without `finish` before, OUT.part stays as it is. Streams stay open."""
        self.sink.close()

    @property
    def _tail(self) -> list[str]:
        """Kinds written so far that only stand after the last segment."""
        return sorted(kind for kind in self.ancillary if KINDS[kind].place is Place.TAIL)

    def _append(self, kind: str, value: Any, where: str) -> int:
        """Append the chunk of a value; gives its length, framing included."""
        return self._append_payload(kind, KINDS[kind].pack(value), where)

    def _append_payload(self, kind: str, payload: bytes, where: str) -> int:
        self.limits.check(where, "payload bytes", len(payload), payload_limit(kind, self.limits))
        self.sink.append(pack_chunk(kind, self._sequence, payload), where)
        self._sequence += 1
        return FRAMING_SIZE + len(payload)
