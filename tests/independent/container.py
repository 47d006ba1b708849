"""The container: from bytes to HEAD's text and the sections of every segment ("Container")."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from independent.streams import ByteReader, check

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
DEFAULTS = {
    "chroma": "420",
    "bit_depth": 8,
    "range": "limited",
    "primaries": 2,
    "transfer": 2,
    "matrix": 2,
    "sample_aspect_ratio": [1, 1],
    "frame_rate": [25, 1],
    "num_frames": 0,
    "siting": None,
    "mastering_display": None,
    "content_light": None,
    "samples": "rgb",
    "remark": "",
}
REQUIRED = {"width", "height", "representation", "scheme"}
TAGS = {"MASK", "QSCL", "ENTP", "SYMB", "GRID", "LAYR", "RAWF", "MOTN"}


@dataclass
class Segment:
    """Frames first .. first + num_frames - 1."""

    first: int
    num_frames: int
    references: list[int]
    digest: bytes
    sections: dict[str, bytes]


@dataclass
class File:
    """What a file says."""

    head: dict[str, Any]
    segments: list[Segment]
    clips: list[tuple[int, int, int, str]]  # frames, numerator, denominator, name
    times: list[list[Fraction] | None]  # of each video, in seconds; None: even


def dictionary() -> bytes:
    """The text between the marks on the page, its lines joined."""
    text = PAGE.read_text().split("<!-- bytes: nvcodec.container.header.DICTIONARY -->")[1]
    return "".join(text.split("```")[1].splitlines()[1:]).encode()


def read_chunks(data: bytes) -> list[tuple[int, str, bytes]]:
    """Offset, type and payload of every chunk."""
    check(data[:8] == b"\x8bNVC\r\n\x1a\n", "not an .nvc file")
    chunks = []
    source = ByteReader(data)
    source.take(8)
    while source.place < len(data):
        offset = source.place
        header = source.take(20)
        check(source.integer(4) == zlib.crc32(header), "first CRC")
        fields = ByteReader(header)
        kind, flags = fields.take(4).decode(), fields.integer(4)
        check(fields.integer(4) == len(chunks), "sequence")
        payload = source.take(fields.integer(8))
        check(source.integer(4) == zlib.crc32(header + payload), "second CRC")
        check(not (kind[0].isupper() and flags), "a flag of a newer version")
        chunks.append((offset, kind, payload))
    return chunks


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)


def read_head(payload: bytes) -> dict[str, Any]:
    source = ByteReader(payload)
    source.integer(2)
    check(source.integer(2) <= 1, "a newer reader is needed")
    size = source.integer(4)
    inflate = zlib.decompressobj(wbits=-15, zdict=dictionary())
    text = inflate.decompress(source.rest())
    check(inflate.eof and not inflate.unused_data and len(text) == size, "text of HEAD")
    head = json.loads(text, object_pairs_hook=no_duplicates)
    check(head.keys() >= REQUIRED and head.keys() <= DEFAULTS.keys() | REQUIRED, "keys of HEAD")
    head = DEFAULTS | head
    check(head["bit_depth"] in range(8, 17), "bit_depth")
    check_numbers(head["mastering_display"], [1 << 16] * 8 + [1 << 32] * 2, "mastering_display")
    check_numbers(head["content_light"], [1 << 16] * 2, "content_light")
    return head


def check_numbers(found: list[int] | None, limits: list[int], what: str) -> None:
    fits = found is None or len(found) == len(limits)
    check(fits and all(0 <= n < top for n, top in zip(found or [], limits, strict=False)), what)


def read_segment(payload: bytes, before: list[Segment]) -> Segment:
    source = ByteReader(payload)
    check(source.varint() == len(before), "number of the segment")
    first, num_frames = source.varint(), source.varint()
    check(first == sum(s.num_frames for s in before) and num_frames > 0, "frames of the segment")
    references = [source.varint() for _ in range(source.varint())]
    digest = source.take(16)
    table = [(source.take(4).decode(), source.varint()) for _ in range(source.varint())]
    check(len(dict(table)) == len(table) and dict(table).keys() <= TAGS, "tags")
    sections = {tag: source.take(size) for tag, size in table}
    source.end()
    return Segment(first, num_frames, references, digest, sections)


def read_clips(payload: bytes) -> list[tuple[int, int, int, str]]:
    source = ByteReader(payload)
    clips = []
    for _ in range(source.varint()):
        frames, numerator, denominator = source.varint(), source.varint(), source.varint()
        clips.append((frames, numerator, denominator, source.take(source.varint()).decode()))
    source.end()
    return clips


def read_times(payload: bytes) -> list[list[Fraction] | None]:
    source = ByteReader(payload)
    videos: list[list[Fraction] | None] = []
    for _ in range(source.varint()):
        num_frames, numerator = source.varint(), source.varint()
        if numerator == 0:
            videos.append(None)
            continue
        base = Fraction(numerator, source.varint())
        source.varint()
        inner = ByteReader(zlib.decompress(source.take(source.varint()), wbits=-15))
        length = tick = 0
        times = []
        for _ in range(num_frames):
            code = inner.varint()
            length += -(code + 1) // 2 if code % 2 else code // 2
            tick += length
            times.append(tick * base)
        inner.end()
        check(times == sorted(set(times)), "times that do not rise")
        videos.append(times)
    source.end()
    return videos


def read_file(data: bytes) -> File:
    """Everything in a finished file, each checksum and repetition checked."""
    chunks = read_chunks(data)
    kinds = [kind for _, kind, _ in chunks]
    check(kinds[0] == "HEAD" and kinds[-2:] == ["indx", "END "], "order of chunks")
    file = File(read_head(chunks[0][2]), [], [], [])
    index, at = [], 0
    for i, (offset, kind, payload) in enumerate(chunks):
        if kind == "SEGM":
            file.segments.append(read_segment(payload, file.segments))
            index += [file.segments[-1].num_frames, offset - at, len(payload) + 28]
            at = offset + len(payload) + 28
        elif kind == "clip":
            check(kinds[i - 1] == "SEGM" and "SEGM" not in kinds[i:], "place of clip")
            file.clips = read_clips(payload)
        elif kind == "tstm":
            check("SEGM" not in kinds[i:], "place of tstm")
            file.times = read_times(payload)
        else:
            known = (kind == "HEAD" and i == 0) or (
                kind in ("indx", "END ") and i >= len(kinds) - 2
            )
            check(known or kind[0].islower(), "a chunk of a newer version")

    source = ByteReader(chunks[-2][2])
    check([source.varint() for _ in range(source.varint() * 3)] == index, "indx")
    source.end()

    (indx, _, _), (end, _, payload) = chunks[-2:]
    source = ByteReader(payload)
    num_frames = sum(s.num_frames for s in file.segments)
    check(source.integer(4) == len(file.segments) > 0, "segments of END")
    check(source.integer(4) == num_frames, "frames of END")
    check(file.head["num_frames"] in (0, num_frames), "num_frames of HEAD")
    check((source.integer(8), source.integer(8)) == (indx, end), "offsets in END")
    check(source.take(16) == hashlib.blake2b(data[:end], digest_size=16).digest(), "hash of END")
    check(not file.clips or sum(c[0] for c in file.clips) == num_frames, "frames of clip")
    return file
