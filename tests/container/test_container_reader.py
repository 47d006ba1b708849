"""Reading: round trips, truncation, flips, each malformation by name, random access, the map.

More than 400 lines: one file, so that every malformation is seen beside the others.
"""

import io
import os
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from nvc_samples import HEAD, Assembly, digest, make_head, sections, small_file

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.chunks import SIGNATURE, ChunkHeader, pack_chunk
from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader, inspect
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import (
    BitstreamError,
    ChecksumError,
    LimitError,
    MalformedError,
    NotAnNvcFileError,
    TruncatedError,
    UnsupportedVersionError,
    VideoError,
)

FILE = small_file()
SEGMENTS = [CodedSegment(n, 2 * n, 2, sections(n), digest(n)) for n in range(3)]
GOLDEN_V1 = bytes.fromhex(
    "8b4e56430d0a1a0a4845414400000000000000002e0000000000000065781943010001009d000000ab86fbc9"
    "c402cd1b48ce2e492d2ec1ea3e4486b0d041732c22db81b21c096e853acfcca416000a09727b5345474d0000"
    "0000010000003100000000000000881f59c00000020000000000000000000000000000000000034d41534b03"
    "53594d420a524157460000000000010203040506070809c594dfa55345474d00000000020000003200000000"
    "0000009bca48390102020001010101010101010101010101010101034d41534b0353594d420b524157460001"
    "0101000102030405060708090ae9229f5b5345474d000000000300000033000000000000006a86476e020402"
    "0002020202020202020202020202020202034d41534b0353594d420c52415746000202020001020304050607"
    "08090a0b244fd2a1696e647800000000040000000a00000000000000c2b39ddb0302524d02004e02004fc0c9"
    "92d7454e442000000000050000002800000000000000558a64e503000000060000003c010000000000006201"
    "00000000000045f8cbc5f93a4eb611dd7748b168a32d1ea04b58"
)


def read(data: bytes, **options) -> list[CodedSegment]:
    with NvcReader(io.BytesIO(data), **options) as reader:
        return list(reader.segments())


def read_until_error(data: bytes) -> tuple[list[CodedSegment], BitstreamError | None]:
    segments = []
    try:
        for segment in NvcReader(io.BytesIO(data)).segments():
            segments.append(segment)
    except BitstreamError as error:
        return segments, error
    return segments, None


def test_round_trip():
    reader = NvcReader(io.BytesIO(FILE))
    assert reader.head == HEAD
    assert list(reader.segments()) == SEGMENTS
    assert list(reader.segments()) == SEGMENTS
    assert reader.damage == []


def test_version_1_stays_readable():
    reader = NvcReader(io.BytesIO(GOLDEN_V1))
    assert reader.head == HEAD
    assert list(reader.segments()) == SEGMENTS


def test_assembled_by_hand_is_what_the_writer_writes():
    assert Assembly().segments().end() == FILE


@pytest.mark.parametrize(
    "data", [b"", b"hello\n", b"\x89PNG\r\n\x1a\n" + bytes(50), SIGNATURE.replace(b"\r", b"")]
)
def test_other_files(data: bytes):
    with pytest.raises(NotAnNvcFileError):
        read(data)


def test_every_truncation_is_detected_and_gives_what_is_whole():
    ends = [info.offset + info.length for info in NvcReader(io.BytesIO(FILE)).index]
    for size in range(len(FILE)):
        segments, error = read_until_error(FILE[:size])
        assert isinstance(error, NotAnNvcFileError if size == 0 else TruncatedError)
        assert segments == SEGMENTS[: sum(end <= size for end in ends)]
        if size > ends[0]:
            kept = read(FILE[:size], keep_going=True)
            assert kept == segments


def test_every_flipped_bit_is_detected():
    data = bytearray(FILE)
    for position in range(8 * len(data)):
        data[position // 8] ^= 1 << position % 8
        segments, error = read_until_error(bytes(data))
        assert error is not None, position
        assert segments == SEGMENTS[: len(segments)]
        data[position // 8] ^= 1 << position % 8


def refused(data: bytes, error: type[BitstreamError], match: str) -> None:
    with pytest.raises(error, match=match):
        read(data)
    if data.startswith(SIGNATURE):
        with pytest.raises(error, match=match):
            NvcReader(io.BytesIO(data)).chunk_map()


def test_wrong_order_index_before_segments():
    assembly = Assembly().segment(0).segment(2)
    assembly.add("indx", b"\0")
    refused(assembly.segment(4).end(), MalformedError, "indx")


def test_wrong_order_swapped_segments():
    a, b, c = (slice(i.offset, i.offset + i.length) for i in NvcReader(io.BytesIO(FILE)).index)
    data = FILE[: a.start] + FILE[b] + FILE[a] + FILE[c] + FILE[c.stop :]
    refused(data, MalformedError, "sequence 2, expected 1")
    refused(Assembly().segment(2).segment(0).end(), MalformedError, "first frame")


def test_segment_missing():
    info = NvcReader(io.BytesIO(FILE)).index[1]
    refused(FILE[: info.offset] + FILE[info.offset + info.length :], MalformedError, "sequence")


def test_first_chunk_is_not_head():
    refused(SIGNATURE + pack_chunk("SEGM", 0, b""), MalformedError, "must be HEAD")
    refused(SIGNATURE, TruncatedError, "HEAD")


def test_second_head():
    refused(Assembly().segment(0).add("HEAD", HEAD.to_bytes()).end(), MalformedError, "second HEAD")


def test_gap_in_frames():
    refused(Assembly().segment(0).segment(3).segment(4).end(), MalformedError, "expected")


def test_overlapping_frames():
    refused(Assembly().segment(0).segment(1).segment(3).end(), MalformedError, "expected")


def test_frames_beyond_the_head():
    refused(Assembly().segments().segment(6).end(), MalformedError, "HEAD declares 6")


def test_fewer_frames_than_the_head():
    refused(Assembly().segment(0).end(), MalformedError, "HEAD declares 6")


def test_no_segments():
    data = Assembly(make_head(num_frames=0).to_bytes()).end()
    refused(data, MalformedError, "no segments")


def test_wrong_index():
    assembly = Assembly().segments()
    infos = list(assembly.infos)
    infos[1] = infos[1]._replace(offset=infos[1].offset + 1)
    infos[2] = infos[2]._replace(offset=infos[2].offset + 1)
    data = assembly.end(infos)
    refused(data, MalformedError, "entry 1")
    with pytest.raises(MalformedError):
        NvcReader(io.BytesIO(data)).read_segment(1)


def test_short_index():
    assembly = Assembly().segments()
    refused(assembly.end(assembly.infos[:2]), MalformedError, "entry 2")


def test_index_twice():
    assembly = Assembly().segments()
    refused(assembly.add("indx", b"\0").end(), MalformedError, "indx")


def test_no_index():
    assembly = Assembly().segments()
    refused(assembly.only_end(index_offset=len(assembly.data)), MalformedError, "no indx")


def test_chunk_between_index_and_end():
    assembly = Assembly().segments()
    offset = len(assembly.data)
    good = Assembly().segments().end()
    index = good[offset:-68]
    assembly.data += index
    assembly.sequence += 1
    data = assembly.add("note", b"hi").only_end(index_offset=offset)
    refused(data, MalformedError, "between indx and END")


@pytest.mark.parametrize(
    "totals", [{"num_segments": 4}, {"num_frames": 7}, {"index_offset": 9}, {"end_offset": 9}]
)
def test_wrong_totals(totals: dict[str, int]):
    refused(Assembly().segments().end(**totals), MalformedError, "END")


def test_wrong_file_hash():
    refused(Assembly().segments().end(digest=bytes(16)), ChecksumError, "hash")


def test_bytes_after_end():
    refused(FILE + b"\0", MalformedError, "after the END")
    refused(FILE + FILE, MalformedError, "after the END")


def test_unknown_critical_chunk():
    data = Assembly().add("DELT", b"x").segments().end()
    refused(data, UnsupportedVersionError, "DELT")


def test_flags_on_a_critical_chunk():
    header = ChunkHeader("SEGM", 1, 1, 0).pack()
    refused(Assembly().data + header, UnsupportedVersionError, "flags 0x1")


def test_unknown_ancillary_chunk_is_skipped_and_kept_in_the_map():
    data = Assembly().add("note", b"hello").segments().end()
    reader = NvcReader(io.BytesIO(data))
    assert list(reader.segments()) == SEGMENTS
    assert reader.read_segment(2) == SEGMENTS[2]
    entries = reader.chunk_map()
    assert [e.kind for e in entries if e.kind == "note"] == ["note"]
    assert sum(entry.size for entry in entries) == len(data)


def test_chunk_type_that_is_not_text():
    data = Assembly().data
    header = ChunkHeader("SEGM", 0, 1, 0).pack()[:20].replace(b"SEGM", b"SE\0M")
    refused(data + header + zlib.crc32(header).to_bytes(4, "little"), MalformedError, "type")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        CodedSegment(0, 0, 0, {}, bytes(16)).pack(),
        CodedSegment(0, 0, 2, {}, bytes(15)).pack(),
        CodedSegment(0, 0, 2, {"SYMB": b"abc"}, bytes(16)).pack()[:-1],
        CodedSegment(0, 0, 2, {"SYMB": b"abc"}, bytes(16)).pack() + b"x",
        CodedSegment(0, 0, 2, {"SYMB": b"", "SYMC": b""}, bytes(16))
        .pack()
        .replace(b"SYMC", b"SYMB"),
        CodedSegment(0, 0, 2, {"\0\0\0\0": b""}, bytes(16)).pack(),
        CodedSegment(0, 0, 2, {f"S{n:03}": b"" for n in range(65)}, bytes(16)).pack(),
        b"\0\0\x82\x00" + bytes(18),
        b"\xff" * 30,
    ],
)
def test_segment_payload_that_is_refused(payload: bytes):
    refused(Assembly().add("SEGM", payload).end(), MalformedError, "segment 0|byte")


def test_declared_length_beyond_the_limits():
    for kind, allowed in (("SEGM", 2**28), ("indx", 9 + 27 * 2**16), ("note", 2**28)):
        header = ChunkHeader(kind, 0, 1, allowed + 1).pack()
        refused(Assembly().data + header, LimitError, "payload bytes")
    refused(SIGNATURE + ChunkHeader("HEAD", 0, 0, 2**20 + 1).pack(), LimitError, "payload bytes")


def test_a_large_declared_length_in_a_small_file_allocates_nothing():
    data = Assembly().data + ChunkHeader("SEGM", 0, 1, 2**28).pack() + bytes(500)
    tracemalloc.start()
    refused(data, TruncatedError, "declared")
    list(NvcReader(io.BytesIO(data), keep_going=True).segments())
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize(
    "limits", [Limits(segments=2), Limits(frames=5), Limits(chunks=4), Limits(segment_bytes=40)]
)
def test_limits_on_what_the_file_holds(limits: Limits):
    data = small_file(make_head(num_frames=0))
    with pytest.raises(LimitError):
        read(data, limits=limits)


def test_index_reads_only_what_it_needs():
    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            Counting.count += len(data)
            return data

    big = io.BytesIO()
    writer = NvcWriter(big, make_head(num_frames=0))
    for number in range(8):
        writer.write_segment(CodedSegment(number, number, 1, {"SYMB": bytes(100_000)}, bytes(16)))
    writer.finish()
    reader = NvcReader(Counting(big.getvalue()))
    assert reader.read_segment(5).first_frame == 5
    assert Counting.count < 102_000
    assert [info.segment for info in reader.index] == [(n, n + 1) for n in range(8)]


def test_index_of_an_unfinished_file():
    cut = FILE[:-100]
    with pytest.raises(TruncatedError):
        _ = NvcReader(io.BytesIO(cut)).index
    reader = NvcReader(io.BytesIO(cut), keep_going=True)
    assert len(reader.index) == 3
    assert reader.damage
    assert reader.read_segment(2) == SEGMENTS[2]


def test_file_inside_a_file():
    file = io.BytesIO(b"prefix" + FILE)
    file.seek(6)
    reader = NvcReader(file)
    assert reader.read_segment(1) == SEGMENTS[1]
    assert list(reader.segments()) == SEGMENTS


def test_interleaved_reading():
    reader = NvcReader(io.BytesIO(FILE))
    for segment in reader.segments():
        assert reader.read_segment(2) == SEGMENTS[2]
        assert segment == SEGMENTS[segment.number]


def test_keep_going_over_a_damaged_payload():
    data = bytearray(FILE)
    info = NvcReader(io.BytesIO(FILE)).index[1]
    data[info.offset + 40] ^= 1
    reader = NvcReader(io.BytesIO(bytes(data)), keep_going=True)
    assert list(reader.segments()) == [SEGMENTS[0], SEGMENTS[2]]
    assert any("payload with CRC" in text for text in reader.damage)
    assert any("segment 1: frames 2:4 are missing" in text for text in reader.damage)


def test_keep_going_over_a_damaged_header():
    info = NvcReader(io.BytesIO(FILE)).index[1]
    for bit in range(8 * 24):
        data = bytearray(FILE)
        data[info.offset + bit // 8] ^= 1 << bit % 8
        reader = NvcReader(io.BytesIO(bytes(data)), keep_going=True)
        assert list(reader.segments()) == [SEGMENTS[0], SEGMENTS[2]]
        assert reader.damage


@pytest.mark.parametrize("seekable", [True, False])
def test_keep_going_over_lost_and_added_bytes(seekable: bool):
    class Pipe(io.BytesIO):
        def seekable(self):
            return seekable

    info = NvcReader(io.BytesIO(FILE)).index[1]
    for cut in range(1, info.length):
        for added in (b"", b"SEGM" * 30):
            start = info.offset + info.length - cut
            data = FILE[:start] + added + FILE[start + min(cut, 7) :]
            reader = NvcReader(Pipe(data), keep_going=True)
            assert list(reader.segments()) == [SEGMENTS[0], SEGMENTS[2]]
            assert reader.damage


def test_map_sums_to_the_file_size_whatever_happened(tmp_path):
    path = tmp_path / "a.nvc"
    for data in (
        FILE,
        FILE[:-30],
        FILE[:-90],
        FILE[:200],
        FILE + b"trailing",
        FILE[:200] + bytes(50) + FILE[210:],
        Assembly().segment(0).segment(5).segment(2).end(),
    ):
        path.write_bytes(data)
        inspection = inspect(path)
        assert inspection.size_bytes == len(data) == sum(e.size for e in inspection.entries)
        position = 0
        for entry in inspection.entries:
            assert entry.offset == position
            position += entry.size
            if entry.parts:
                assert sum(part.size for part in entry.parts) == entry.size
        assert bool(inspection.damage) == (data != FILE)


def test_map_of_a_segment():
    entry = NvcReader(io.BytesIO(FILE)).chunk_map()[3]
    assert [part.kind for part in entry.parts] == ["framing", "MASK", "SYMB", "RAWF"]
    for part in entry.parts[1:]:
        data = FILE[part.offset : part.offset + part.size]
        assert data == sections(1)[part.kind]


def test_importing_the_reader_is_light():
    code = (
        "import sys, nvcodec.container.reader\n"
        "bad = {'torch', 'numpy', 'constriction'} & set(sys.modules)\n"
        "sys.exit(f'loaded {bad}' if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pipe_cannot_be_inspected(tmp_path):
    read_end, write_end = os.pipe()
    os.write(write_end, small_file())
    os.close(write_end)
    with (
        os.fdopen(read_end, "rb", buffering=0) as file,
        pytest.raises(VideoError, match="info needs a file"),
    ):
        inspect(f"/dev/fd/{file.fileno()}")
