"""For any bytes, reading returns or raises BitstreamError, in bounded time."""

import contextlib
import io
import itertools
import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.container.chunk_payloads import (
    CodedSegment,
    Totals,
    pack_totals,
    parse_index,
    parse_segment,
    parse_totals,
)
from nvcodec.container.chunks import SIGNATURE, ChunkHeader, pack_chunk
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.cursors import Cursor, pack_varint
from nvcodec.errors import BitstreamError

HEAD = Head(width=64, height=48, representation={"kind": "nerv"}, scheme={"kind": "raw_fp16"})


def small_file() -> bytes:
    file = io.BytesIO()
    writer = NvcWriter(file, HEAD)
    for number in range(3):
        payload = random.Random(number).randbytes(40 + number)
        writer.write_segment(
            CodedSegment(number, 4 * number, 4, {"SYMB": payload, "QSCL": b"ab"}, bytes(16))
        )
    writer.finish()
    return file.getvalue()


FILE = small_file()
WHOLE = list(NvcReader(io.BytesIO(FILE)).segments())
START = SIGNATURE + pack_chunk("HEAD", 0, HEAD.to_bytes())


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def read_in_every_way(data: bytes) -> list:
    """All segments that strict reading gives; raises nothing that is not promised."""
    strict = []
    try:
        for segment in NvcReader(io.BytesIO(data)).segments():
            strict.append(segment)
        failed = False
    except BitstreamError:
        failed = True
    outcomes = []
    for kind in (io.BytesIO, Pipe):
        try:
            reader = NvcReader(kind(data), keep_going=True)
            kept = list(reader.segments())
            assert kept[: len(strict)] == strict
            assert failed == bool(reader.damage)
            outcomes.append((kept, reader.damage))
        except BitstreamError:
            assert failed
            outcomes.append(None)
    assert outcomes[0] == outcomes[1]
    for keep_going in (False, True):
        try:
            reader = NvcReader(io.BytesIO(data), keep_going=keep_going)
            for position in range(len(reader.index)):
                reader.read_segment(position)
            assert sum(entry.size for entry in reader.chunk_map()) == len(data)
        except BitstreamError:
            assert failed
    return strict if not failed else []


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes):
    assert read_in_every_way(data) == []
    read_in_every_way(SIGNATURE + data)
    read_in_every_way(START + data)


@settings(deadline=None)
@given(st.data())
def test_any_chunks(data: st.DataObject):
    kinds = st.sampled_from(["SEGM", "indx", "END ", "HEAD", "note", "NEWS"])
    content = START
    for sequence, (kind, payload) in enumerate(
        data.draw(st.lists(st.tuples(kinds, st.binary(max_size=60)), max_size=5)), start=1
    ):
        content += pack_chunk(kind, sequence, payload)
    read_in_every_way(content)


def segment_payload(number: int, first: int, num_frames: int, distances: list[int]) -> bytes:
    references = [number - distance for distance in distances]
    sections = {"SYMB": b"x"}
    return CodedSegment(number, first, num_frames, sections, bytes(16), references).pack()


SMALL = st.integers(0, 3)
OFFSET = st.integers(0, 400)
NEARLY_RIGHT = st.one_of(
    st.tuples(
        st.just("SEGM"),
        st.builds(segment_payload, SMALL, SMALL, SMALL, st.lists(SMALL, max_size=2)),
    ),
    st.tuples(
        st.just("indx"),
        st.lists(st.tuples(SMALL, OFFSET, OFFSET), max_size=3).map(
            lambda rows: b"".join(map(pack_varint, [len(rows), *itertools.chain(*rows)]))
        ),
    ),
    st.tuples(
        st.just("END "),
        st.builds(Totals, SMALL, SMALL, OFFSET, OFFSET, st.just(bytes(16))).map(pack_totals),
    ),
    st.tuples(st.just("note"), st.just(b"hello")),
)


@settings(deadline=None)
@given(st.lists(st.tuples(NEARLY_RIGHT, st.integers(-1, 1), st.booleans()), max_size=6))
def test_chunks_that_are_nearly_right(chunks: list):
    content = START
    for place, ((kind, payload), shift, is_damaged) in enumerate(chunks, start=1):
        chunk = pack_chunk(kind, max(0, place + (shift if shift > 0 else 0)), payload)
        content += chunk[:-1] if is_damaged and shift < 0 else chunk
    read_in_every_way(content)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_payload(payload: bytes):
    for parse in (
        Head.from_bytes,
        parse_totals,
        lambda data: parse_segment(data, "here", DEFAULT_LIMITS),
        lambda data: parse_index(data, DEFAULT_LIMITS),
    ):
        with contextlib.suppress(BitstreamError):
            parse(payload)


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_varint(value: int):
    cursor = Cursor(pack_varint(value), "here")
    assert cursor.varint("value") == value
    cursor.finish()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_random_bursts(data: st.DataObject):
    start = data.draw(st.integers(0, len(FILE) - 1))
    burst = data.draw(st.binary(min_size=1, max_size=64))
    lost = data.draw(st.integers(0, 64))
    changed = FILE[:start] + burst + FILE[start + lost :]
    if changed != FILE:
        assert read_in_every_way(changed) == []


def test_many_random_bursts_are_detected():
    rng = random.Random(0)
    for _ in range(3000):
        start, size = rng.randrange(len(FILE)), rng.randrange(1, 40)
        burst = rng.randbytes(min(size, len(FILE) - start))
        changed = FILE[:start] + burst + FILE[start + len(burst) :]
        if changed == FILE:
            continue
        segments = []
        try:
            for segment in NvcReader(io.BytesIO(changed)).segments():
                segments.append(segment)
            raise AssertionError(f"burst at {start} not detected")
        except BitstreamError:
            assert segments == WHOLE[: len(segments)]


def test_hostile_headers_cost_linear_time():
    """Each header declares all that follows, its checksum right, its payload's wrong."""
    count = 20_000
    content = bytearray(START)
    for number in range(count):
        length = (count - number) * 24 - 28
        content += ChunkHeader("SEGM", 0, 1 + number, max(length, 0)).pack()
    limits = Limits(segment_bytes=2**20)
    for kind in (io.BytesIO, Pipe):
        begin = time.perf_counter()
        with contextlib.suppress(BitstreamError):
            list(NvcReader(kind(bytes(content)), limits=limits, keep_going=True).segments())
        assert time.perf_counter() - begin < 10
