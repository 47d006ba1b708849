"""Small `.nvc` files for the tests: right ones from the writer, wrong ones put together by hand."""

import hashlib
import io
from typing import Any

from nvcodec.container.chunk_payloads import (
    CodedSegment,
    SegmentInfo,
    Totals,
    pack_index,
    pack_totals,
)
from nvcodec.container.chunks import SIGNATURE, pack_chunk
from nvcodec.container.header import Head
from nvcodec.container.writer import NvcWriter

REPRESENTATION = {"kind": "nerv", "channels": 8, "upscale": [2, 2]}
SCHEME = {"kind": "arithmetic", "bits": 6}


def make_head(**fields: Any) -> Head:
    """A head of a tiny video of six frames."""
    defaults = {
        "width": 64,
        "height": 48,
        "num_frames": 6,
        "representation": REPRESENTATION,
        "scheme": SCHEME,
        "remark": "test",
    }
    return Head(**(defaults | fields))


HEAD = make_head()


def sections(number: int) -> dict[str, bytes]:
    """What segment `number` holds."""
    return {"MASK": bytes([number] * 3), "SYMB": bytes(range(10 + number)), "RAWF": b""}


def digest(number: int) -> bytes:
    """The hash of segment `number`."""
    return bytes([number] * 16)


def sample(number: int) -> CodedSegment:
    """Segment `number`, of two frames."""
    return CodedSegment(number, 2 * number, 2, sections(number), digest(number))


def small_file(head: Head = HEAD, num_segments: int = 3) -> bytes:
    """A whole file with two frames a segment."""
    file = io.BytesIO()
    writer = NvcWriter(file, head)
    for number in range(num_segments):
        writer.write_segment(sample(number))
    writer.finish()
    return file.getvalue()


class Assembly:
    """A file put together chunk by chunk, with right checksums and whatever content one likes."""

    def __init__(self, head: bytes | None = None) -> None:
        self.data = SIGNATURE
        self.sequence = 0
        self.infos: list[SegmentInfo] = []
        self.add("HEAD", HEAD.to_bytes() if head is None else head)

    def add(self, kind: str, payload: bytes) -> "Assembly":
        self.data += pack_chunk(kind, self.sequence, payload)
        self.sequence += 1
        return self

    def segment(self, first_frame: int, num_frames: int = 2, number: int | None = None):
        number = len(self.infos) if number is None else number
        payload = CodedSegment(
            number, first_frame, num_frames, sections(number % 256), digest(number % 256)
        ).pack()
        offset = len(self.data)
        self.add("SEGM", payload)
        self.infos.append(
            SegmentInfo(number, first_frame, num_frames, offset, len(self.data) - offset)
        )
        return self

    def segments(self) -> "Assembly":
        return self.segment(0).segment(2).segment(4)

    def end(self, infos: list[SegmentInfo] | None = None, **totals: Any) -> bytes:
        offset = len(self.data)
        self.add("indx", pack_index(self.infos if infos is None else infos))
        return self.only_end(**({"index_offset": offset} | totals))

    def only_end(self, **totals: Any) -> bytes:
        num_frames = sum(info.num_frames for info in self.infos)
        hashed = hashlib.blake2b(self.data, digest_size=16).digest()
        right = Totals(len(self.infos), num_frames, 0, len(self.data), hashed)
        self.add("END ", pack_totals(right._replace(**totals)))
        return self.data
