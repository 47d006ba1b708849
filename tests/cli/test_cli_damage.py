"""Damaged, cut and hostile files: one line on stderr, the right exit code, never a traceback."""

import pytest

from codec_helpers import assert_same_frames, decoded_planes, write_y4m
from nvcodec import segment_values
from nvcodec.container.chunks import SIGNATURE, pack_chunk
from nvcodec.container.reader import inspect
from nvcodec.video import open_video


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


def segment_offsets(path):
    return [info.offset for info in inspect(path).segments]


@pytest.fixture
def damaged(encoded, tmp_path):
    """Writes a changed copy of the encoded file."""

    def write(change):
        path = tmp_path / "damaged.nvc"
        path.write_bytes(change(encoded.read_bytes()))
        return path

    return write


def from_the_future(data: bytes) -> bytes:
    """HEAD that asks for a reader of version 999, with right checksums."""
    length = int.from_bytes(data[20:28], "little")
    payload = bytearray(data[32 : 32 + length])
    payload[2:4] = (999).to_bytes(2, "little")
    head = pack_chunk("HEAD", 0, bytes(payload))
    return SIGNATURE + head + data[8 + len(head) :]


CASES = {
    "empty": (lambda data: b"", 5, "not a .nvc file"),
    "text": (lambda data: b"# not a video\n" * 20, 5, "not a .nvc file"),
    "y4m": (lambda data: b"YUV4MPEG2 W32 H32 F25:1\nFRAME\n", 5, "not a .nvc file"),
    "signature only": (lambda data: data[:8], 6, "ends before its HEAD"),
    "half a signature": (lambda data: data[:5], 6, "8 needed"),
    "half a head": (lambda data: data[:60], 6, "chunk HEAD"),
    "half a segment": (lambda data: data[: len(data) // 2], 6, "bytes declared"),
    "no end": (lambda data: data[:-68], 6, "END"),
    "last byte": (lambda data: data[:-1], 6, "END"),
    "text mode": (lambda data: data.replace(b"\r\n", b"\n"), 5, "text-mode"),
    "flip in head": (lambda data: flip(data, 60), 5, "CRC"),
    "flip in a header": (lambda data: flip(data, 14), 5, ""),
    "flip in a segment": (lambda data: flip(data, 700), 5, "CRC"),
    "flip in the end": (lambda data: flip(data, len(data) - 20), 5, "CRC"),
    "more at the end": (lambda data: data + b"more", 5, "after the END"),
    "future": (from_the_future, 9, "needs a reader of format version 999"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("command", ["decode", "verify"])
def test_damage(call, damaged, tmp_path, name, command):
    change, code, said = CASES[name]
    path, target = damaged(change), tmp_path / "out.y4m"
    words = ["-o", target] if command == "decode" else []
    done = call(command, path, *words, "-q")
    assert done.code == code, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("nvc: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == b""
    assert {p.name for p in tmp_path.iterdir()} == {"damaged.nvc"}  # nothing half-written stays


def test_keep_going_gives_the_intact_segments(call, encoded, damaged, tmp_path):
    whole = decoded_planes(encoded)
    second = segment_offsets(encoded)[1]
    path = damaged(lambda data: flip(data, second + 100))
    done = call("decode", path, "-o", tmp_path / "out.y4m", "--keep-going", "-q")
    assert done.code == 0
    assert "CRC" in done.stderr
    assert "segment 1: frames 2:5 are missing" in done.stderr
    with open_video(tmp_path / "out.y4m") as video:
        assert_same_frames(list(video), whole[:2] + whole[5:])


def test_what_is_left_of_a_damaged_file_is_told(call, encoded, damaged, tmp_path):
    second = segment_offsets(encoded)[1]
    path = damaged(lambda data: flip(data, second + 100))
    done = call("decode", path, "-o", tmp_path / "out.y4m")
    assert done.code == 5
    assert done.stderr.endswith("; --keep-going decodes what is whole: 5 frames\n")
    first = segment_offsets(encoded)[0]
    path.write_bytes(encoded.read_bytes()[: first + 100])
    assert "keep-going" not in call("decode", path, "-o", tmp_path / "out.y4m").stderr


def test_keep_going_with_an_unfinished_file(call, encoded, damaged, tmp_path):
    third = segment_offsets(encoded)[2]
    path = damaged(lambda data: data[: third + 200])
    assert call("decode", path, "-o", tmp_path / "out.y4m").code == 6
    done = call("decode", path, "-o", tmp_path / "out.y4m", "--keep-going", "--json")
    assert done.code == 0
    assert done.records[-1]["frames"] == 5
    assert done.records[-1]["damage"]


def test_keep_going_with_nothing_intact(call, encoded, damaged, tmp_path):
    first = segment_offsets(encoded)[0]
    path = damaged(lambda data: data[: first + 100])
    done = call("decode", path, "-o", tmp_path / "out.y4m", "--keep-going")
    assert done.code == 5
    assert "no frame is intact" in done.stderr
    assert not (tmp_path / "out.y4m").exists()


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("dimension=31", "width 32, allowed up to 31"),
        ("pixels=1000", "pixels a frame 1,024, allowed up to 1,000"),
        ("frames=7", "frames 8, allowed up to 7"),
        ("segments=2", "segments 3, allowed up to 2"),
        ("parameters=1k", "parameters 1,741, allowed up to 1,000"),
        ("segment_bytes=500", "payload bytes"),
        ("memory_bytes=10k", "bytes of memory"),
        ("macs_per_frame=9", "multiply-adds a frame"),
        ("head_bytes=100", "allowed up to 100"),
        ("chunks=2", "chunks"),
    ],
)
def test_limits(call, encoded, tmp_path, limit, said):
    done = call("decode", encoded, "-o", tmp_path / "x.y4m", "--limit", limit)
    assert done.code == 10
    assert said in done.stderr
    assert not (tmp_path / "x.y4m").exists()


def test_verify_with_its_source(call, encoding, clip, tmp_path):
    encoded, records = encoding
    done = call("verify", encoded, "--against", clip, "--json")
    assert done.code == 0
    report = done.records[-1]
    assert (report["segments"], report["frames"]) == (3, 8)
    assert report["psnr_rgb_db"] == pytest.approx(records[-1]["psnr_rgb_db"], abs=1e-3)
    assert report["psnr_planes_db"] == pytest.approx(records[-1]["psnr_planes_db"], abs=1e-3)
    said = call("verify", encoded, "--against", clip).stdout.decode()
    assert "3 segments, 8 frames, every hash matches" in said
    assert "PSNR-YUV" in said


def test_verify_with_its_source_unpacks_every_segment_once(call, encoded, clip, monkeypatch):
    numbers, unpack = [], segment_values.unpack_segment

    def counted(head, segment, *rest):
        numbers.append(segment.number)
        return unpack(head, segment, *rest)

    monkeypatch.setattr(segment_values, "unpack_segment", counted)
    assert call("verify", encoded, "--against", clip, "-q").code == 0
    assert numbers == [0, 1, 2]


def test_verify_with_its_source_finds_damage(call, encoded, damaged, clip):
    path = damaged(lambda data: flip(data, segment_offsets(encoded)[1] + 100))
    done = call("verify", path, "--against", clip, "-q")
    assert done.code == 5
    assert done.stderr.startswith(f"nvc: {path}: ")
    assert "CRC" in done.stderr


@pytest.mark.parametrize(
    ("size", "chroma", "num_frames", "said"),
    [
        ((32, 32), "420", 7, "7 frames, the file has 8"),
        ((32, 32), "420", 9, "9 frames, the file has 8"),
        ((30, 32), "420", 8, "30x32 420, the file has 32x32 420"),
        ((32, 32), "444", 8, "32x32 444, the file has"),
    ],
)
def test_verify_against_another_video(call, encoded, tmp_path, size, chroma, num_frames, said):
    other = write_y4m(tmp_path / "other.y4m", *size, chroma, num_frames)
    done = call("verify", encoded, "--against", other, "-q")
    assert done.code == 8
    assert said in done.stderr
