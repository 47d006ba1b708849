"""Where every byte of a file goes: the entries that `nvc info` prints.

entry SEGM = framing + MASK + QSCL + SYMB + ...        sum of the entries = size of the file
"""

from collections.abc import Iterable
from typing import NamedTuple

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.stream import Chunk, Damage


class MapEntry(NamedTuple):
    """A range of bytes of the file."""

    kind: str
    """`signature`, a chunk type, a section tag, `framing`, `trailing`, or `damaged`."""
    offset: int
    size: int
    description: str
    parts: tuple["MapEntry", ...] = ()
    """For a SEGM chunk: its framing (in two places, counted at its start) and each section."""
    needs: tuple[int, ...] = ()
    """For a SEGM chunk: the segments that it refers to."""


def chunk_entry(chunk: Chunk, description: str) -> MapEntry:
    """The entry of a chunk that is not taken apart."""
    return MapEntry(chunk.header.kind, chunk.offset, chunk.size, description)


def segment_entry(chunk: Chunk, segment: CodedSegment) -> MapEntry:
    """The entry of a SEGM chunk, with its framing and its sections as parts."""
    num_coded = sum(map(len, segment.sections.values()))
    framing = chunk.size - num_coded
    parts = [MapEntry("framing", chunk.offset, framing, "chunk header, numbers, hash, CRC")]
    position = chunk.end - 4 - num_coded
    for tag, data in segment.sections.items():
        parts.append(MapEntry(tag, position, len(data), "section"))
        position += len(data)
    start, stop = segment.segment
    text = f"segment {segment.number}, frames {start}:{stop}"
    if segment.references:
        text += f", needs segment {', '.join(map(str, segment.references))}"
    needs = tuple(segment.references)
    return MapEntry("SEGM", chunk.offset, chunk.size, text, tuple(parts), needs)


def fill(entries: Iterable[MapEntry], damages: Iterable[Damage], size: int) -> list[MapEntry]:
    """The entries in order, with every byte that none of them covers as `damaged`."""
    texts: dict[int, str] = {}
    for damage in damages:
        texts.setdefault(damage.offset, damage.text)
    result: list[MapEntry] = []
    position = 0
    for entry in [*sorted(entries, key=lambda entry: entry.offset), None]:
        start = size if entry is None else entry.offset
        if start > position:
            text = texts.get(position, "not readable")
            result.append(MapEntry("damaged", position, start - position, text))
        if entry is not None:
            result.append(entry)
            position = entry.offset + entry.size
    return result
