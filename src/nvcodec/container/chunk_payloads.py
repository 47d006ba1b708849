"""What is inside SEGM, clip, indx and END: pack and parse, side by side.

Pure functions between bytes and values. Whether the values agree with the rest of the file is for
`reader` to say.
"""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from nvcodec.container.chunks import tag_text
from nvcodec.container.header import Limits
from nvcodec.cursors import Cursor, pack_text, pack_varint
from nvcodec.errors import MalformedError
from nvcodec.segments import Part, Segment

DIGEST_SIZE = 16
MAX_SECTIONS = 64
_END = struct.Struct("<IIQQ16s")


class CodedSegment(NamedTuple):
    """One segment as it lies in the file."""

    number: int
    first_frame: int
    num_frames: int
    sections: dict[str, bytes]
    digest: bytes
    """16-byte hash of the decoded integers."""
    references: tuple[int, ...] = ()
    """Numbers of the earlier segments whose values it is decoded with, falling; none: alone."""

    @property
    def segment(self) -> Segment:
        """The frames that it covers."""
        return Segment(self.first_frame, self.first_frame + self.num_frames)

    def pack(self) -> bytes:
        """The payload of SEGM."""
        distances = [self.number - reference for reference in self.references]
        numbers = (self.number, self.first_frame, self.num_frames, len(distances), *distances)
        parts = [*map(pack_varint, numbers), self.digest, pack_varint(len(self.sections))]
        for tag, data in self.sections.items():
            parts += [tag.encode("ascii"), pack_varint(len(data))]
        return b"".join([*parts, *self.sections.values()])


class SegmentInfo(NamedTuple):
    """Where a segment is: its frames, and its SEGM chunk in the file."""

    number: int
    first_frame: int
    num_frames: int
    offset: int
    """First byte of the chunk in the file."""
    length: int
    """Bytes of the chunk with its framing."""

    @property
    def segment(self) -> Segment:
        """The frames that it covers."""
        return Segment(self.first_frame, self.first_frame + self.num_frames)


class Totals(NamedTuple):
    """The payload of END."""

    num_segments: int
    num_frames: int
    index_offset: int
    end_offset: int
    """Bytes before the END chunk."""
    digest: bytes
    """BLAKE2b-16 of them."""


def parse_segment(payload: bytes, where: str, limits: Limits) -> CodedSegment:
    """The segment in the payload of SEGM."""
    cursor = Cursor(payload, where)
    number = cursor.varint("number")
    cursor.where = where = f"segment {number}"
    first_frame = cursor.varint("first frame")
    num_frames = cursor.varint("number of frames")
    if num_frames == 0:
        raise MalformedError(f"{where}: 0 frames, at least 1 needed")
    references = _parse_references(cursor, number, limits)
    digest = cursor.take(DIGEST_SIZE, "digest")
    count = cursor.varint("number of sections")
    if count > MAX_SECTIONS:
        raise MalformedError(f"{where}: {count} sections, allowed up to {MAX_SECTIONS}")
    lengths: dict[str, int] = {}
    for _ in range(count):
        tag = tag_text(cursor.take(4, "section table"), where)
        if tag in lengths:
            raise MalformedError(f"{where}: section {tag} twice")
        lengths[tag] = cursor.varint("section table")
    sections = {tag: cursor.take(length, f"section {tag}") for tag, length in lengths.items()}
    cursor.finish()
    return CodedSegment(number, first_frame, num_frames, sections, digest, references)


def _parse_references(cursor: Cursor, number: int, limits: Limits) -> tuple[int, ...]:
    """Segments that this one needs: each earlier than it, and than the one named before."""
    count = cursor.varint("number of references")
    limits.check(cursor.where, "references", count, limits.references)
    found: list[int] = []
    before = 0
    for _ in range(count):
        distance = cursor.varint("reference")
        if not before < distance <= number:
            raise MalformedError(
                f"{cursor.where}: a reference {distance} segments back, allowed: more than "
                f"{before}, up to {number}"
            )
        found.append(number - distance)
        before = distance
    return tuple(found)


def pack_parts(parts: Sequence[Part]) -> bytes:
    """The payload of clip."""
    out = [pack_varint(len(parts))]
    for part in parts:
        rate = part.frame_rate.as_integer_ratio()
        out += map(pack_varint, (part.segment.num_frames, *rate))
        out.append(pack_text(part.name))
    return b"".join(out)


def parse_parts(payload: bytes, limits: Limits) -> list[Part]:
    """The videos in the payload of clip."""
    cursor = Cursor(payload, "clip")
    parts: list[Part] = []
    start = 0
    count = cursor.varint("number of videos")
    limits.check("clip", "videos", count, limits.segments)
    for number in range(count):
        cursor.where = f"clip {number}"
        num_frames = cursor.varint("number of frames")
        rate = cursor.varint("frame rate"), cursor.varint("frame rate")
        name = cursor.text("name")
        if num_frames == 0 or not all(1 <= n < 1 << 32 for n in rate) or not name.isprintable():
            raise MalformedError(
                f"{cursor.where}: {num_frames} frames at {rate[0]}/{rate[1]}, name {name!r:.80}; "
                "at least 1 frame, a rate of 1 to 2^32 - 1 each, and printable text allowed"
            )
        parts.append(Part(name, Segment(start, start + num_frames), Fraction(*rate)))
        start += num_frames
    cursor.where = "clip"
    cursor.finish()
    return parts


def check_parts(parts: Sequence[Part], num_frames: int) -> None:
    """Refuse videos that are not the frames before them."""
    seen = parts[-1].segment.stop if parts else 0
    if seen != num_frames:
        raise MalformedError(f"clip: {seen} frames in all videos, {num_frames} in the segments")


def pack_index(infos: Sequence[SegmentInfo]) -> bytes:
    """The payload of indx."""
    parts = [pack_varint(len(infos))]
    end = 0
    for info in infos:
        parts += map(pack_varint, (info.num_frames, info.offset - end, info.length))
        end = info.offset + info.length
    return b"".join(parts)


def parse_index(payload: bytes, limits: Limits) -> list[SegmentInfo]:
    """The segments in the payload of indx."""
    cursor = Cursor(payload, "indx")
    count = cursor.varint("number of segments")
    limits.check("indx", "segments", count, limits.segments)
    infos: list[SegmentInfo] = []
    first_frame = end = 0
    for number in range(count):
        num_frames = cursor.varint("number of frames")
        if num_frames == 0:
            raise MalformedError(f"indx: segment {number} has 0 frames, at least 1 needed")
        offset = end + cursor.varint("gap")
        length = cursor.varint("length")
        infos.append(SegmentInfo(number, first_frame, num_frames, offset, length))
        first_frame, end = first_frame + num_frames, offset + length
    cursor.finish()
    return infos


def pack_totals(totals: Totals) -> bytes:
    """The payload of END."""
    return _END.pack(*totals)


def parse_totals(payload: bytes) -> Totals:
    """The totals in the payload of END."""
    if len(payload) != _END.size:
        raise MalformedError(f"END: payload of {len(payload):,} bytes, allowed: {_END.size}")
    return Totals(*_END.unpack(payload))
