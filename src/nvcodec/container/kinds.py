"""The kinds of chunks: what is in each, where it may stand, and how much it may hold.

    HEAD   [front kinds]   SEGM SEGM ... SEGM   [tail kinds]   indx   END

A new ancillary kind is one entry here: `NvcWriter.add` writes it, `NvcReader.ancillary` gives it,
`nvc info` shows it, a resumed file keeps it, `nvc extract` cuts it, and readers that do not know it
skip it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nvcodec.container.chunk_payloads import (
    check_parts,
    pack_index,
    pack_parts,
    pack_totals,
    parse_index,
    parse_parts,
    parse_segment,
    parse_totals,
)
from nvcodec.container.header import Head, Limits
from nvcodec.container.stream_payload import pack_streams, parse_streams
from nvcodec.container.time_payload import check_times, cut_times, pack_times, parse_times
from nvcodec.segments import Segment, cut_parts


class Place(Enum):
    """Where chunks of a kind may stand."""

    HEAD = "once, first"
    FRONT = "at most once, before the first segment"
    SEGMENT = "one or more"
    TAIL = "at most once, after the last segment and before the index"
    INDEX = "once, after all others but the end"
    END = "once, last"


@dataclass(frozen=True)
class Kind:
    """One kind of chunk."""

    place: Place
    says: str
    """For people."""
    parse: Callable[[bytes, Limits], Any]
    """The value in a payload; raises MalformedError or LimitError."""
    pack: Callable[[Any], bytes]
    """The payload of a value."""
    limit: str = "segment_bytes"
    """Which of the limits bounds the payload."""
    check: Callable[[Any, int], None] | None = None
    """Holds a value against the number of frames in all segments; tail kinds alone."""
    cut: Callable[[Any, Segment], Any] | None = None
    """The value for some of the frames alone; None: there is none."""

    @property
    def is_ancillary(self) -> bool:
        """Whether a file is whole without it."""
        return self.place in (Place.FRONT, Place.TAIL)


KINDS: dict[str, Kind] = {
    "HEAD": Kind(
        Place.HEAD, "video, representation, scheme", Head.from_bytes, Head.to_bytes, "head_bytes"
    ),
    "SEGM": Kind(
        Place.SEGMENT,
        "a segment",
        lambda payload, limits: parse_segment(payload, "SEGM", limits),
        lambda segment: segment.pack(),
    ),
    "clip": Kind(
        Place.TAIL,
        "where each video begins",
        parse_parts,
        pack_parts,
        check=check_parts,
        cut=cut_parts,
    ),
    "tstm": Kind(
        Place.TAIL,
        "when each frame is shown",
        parse_times,
        pack_times,
        check=check_times,
        cut=cut_times,
    ),
    "mkvs": Kind(Place.TAIL, "streams of the source, not in its rate", parse_streams, pack_streams),
    "indx": Kind(Place.INDEX, "where the segments are", parse_index, pack_index, "index_bytes"),
    "END ": Kind(
        Place.END,
        "totals and hash of the file",
        lambda payload, limits: parse_totals(payload),
        pack_totals,
    ),
}


def ancillary_kind(name: str) -> Kind:
    """The entry of an ancillary kind.

    Raises:
        ValueError: There is none of this name.
    """
    kind = KINDS.get(name)
    if kind is None or not kind.is_ancillary:
        known = ", ".join(other for other, entry in KINDS.items() if entry.is_ancillary)
        raise ValueError(f"chunk {name}: not an ancillary kind, allowed: {known}")
    return kind


def payload_limit(kind: str, limits: Limits) -> int:
    """The largest payload of a chunk of this kind, known or not."""
    known = KINDS.get(kind)
    allowed: int = getattr(limits, known.limit if known else "segment_bytes")
    return allowed
