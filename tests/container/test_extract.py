"""Segments copied into files of their own: the same bytes, and all around them made to fit."""

import io
from fractions import Fraction

import pytest
from nvc_samples import digest, make_head, sample, sections, small_file

from codec_helpers import assert_same_frames, decoded_planes, nvc
from nvcodec.container import kinds
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.chunks import pack_chunk
from nvcodec.container.extract import Choice, extract
from nvcodec.container.kinds import KINDS, Kind, Place
from nvcodec.container.reader import NvcReader, inspect
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import ChecksumError, OutputError, TruncatedError, VideoError
from nvcodec.segments import Part, Segment


@pytest.fixture
def source(tmp_path):
    """Three segments of two frames."""
    path = tmp_path / "in.nvc"
    path.write_bytes(small_file())
    return path


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (Choice(frames=slice(2, 6)), [1, 2]),
        (Choice(frames=slice(0, 2)), [0]),
        (Choice(frames=slice(4, 99)), [2]),
        (Choice(frames=slice(None, None)), [0, 1, 2]),
        (Choice(segments=slice(1, 2)), [1]),
        (Choice(segments=slice(1, None)), [1, 2]),
    ],
)
def test_whole_segments_keep_their_bytes(source, tmp_path, choice, numbers):
    done = extract(source, tmp_path / "out.nvc", choice)
    assert done.segments == (numbers[0], numbers[-1] + 1)
    assert done.frames == (2 * numbers[0], 2 * numbers[-1] + 2)
    assert (done.num_frames, done.is_unfinished, done.dropped) == (6, False, ())
    with NvcReader(tmp_path / "out.nvc") as reader:
        for position, segment in enumerate(reader.segments()):
            original = sample(numbers[position])
            assert segment == original._replace(number=position, first_frame=2 * position)
        assert reader.head == make_head(num_frames=2 * len(numbers))
    assert done.size_bytes == (tmp_path / "out.nvc").stat().st_size
    assert {path.name for path in tmp_path.iterdir()} == {"in.nvc", "out.nvc"}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            Choice(frames=slice(1, 4)),
            r"frames 1:4: frame 1 is inside segment 0, frames 0:2; .* 0:4",
        ),
        (Choice(frames=slice(2, 5)), r"frame 5 is inside segment 2, frames 4:6; .* 2:6 has all"),
        (Choice(frames=slice(3, 4)), r"frame 3 is inside segment 1, frames 2:4; .* 2:4 has all"),
        (Choice(frames=slice(6, 8)), r"frames 6:8: not in the file, which has 6"),
        (Choice(segments=slice(3, 4)), r"segments 3:4: not in the file, which has 3"),
        (Choice(clip="x"), r"clip x: not in the file, which has one video only"),
        (Choice(), r"the file is finished; frames, segments or clip chooses a part"),
    ],
)
def test_what_cannot_be_copied_is_said(source, tmp_path, choice, said):
    with pytest.raises(VideoError, match=said):
        extract(source, tmp_path / "out.nvc", choice)
    assert [path.name for path in tmp_path.iterdir()] == ["in.nvc"]


@pytest.mark.parametrize("num_frames", [6, 0])
def test_an_unfinished_file_gets_an_end(source, tmp_path, num_frames):
    data = small_file(make_head(num_frames=num_frames))
    source.write_bytes(data)
    torn = data[: inspect(source).segments[2].offset + 30]
    part = tmp_path / "x.nvc.part"
    part.write_bytes(torn)
    done = extract(part, tmp_path / "out.nvc", Choice())
    assert (done.frames, done.num_frames, done.is_unfinished) == ((0, 4), num_frames or None, True)
    assert inspect(tmp_path / "out.nvc").damage == []
    assert inspect(tmp_path / "out.nvc").num_frames == 4
    assert part.read_bytes() == torn
    part.write_bytes(data[: inspect(source).segments[0].offset + 30])
    with pytest.raises(TruncatedError, match="no segment is finished yet"):
        extract(part, tmp_path / "two.nvc", Choice())
    with pytest.raises(OutputError, match=r"x.nvc.part: an unfinished file is there"):
        extract(source, tmp_path / "x.nvc", Choice(segments=slice(1)), overwrite=True)


def test_damage_is_not_copied(source, tmp_path):
    data = bytearray(source.read_bytes())
    data[inspect(source).segments[1].offset + 40] ^= 1
    source.write_bytes(data)
    with pytest.raises(ChecksumError):
        extract(source, tmp_path / "out.nvc", Choice(segments=slice(1)))
    assert [path.name for path in tmp_path.iterdir()] == ["in.nvc"]


def write_file(path, *, kind=None, parts=None, references=(), tail=b""):
    with NvcWriter(path, make_head(num_frames=0)) as writer:
        if kind:
            writer.add(kind, b"12")
        for number in range(3):
            refs = references[number] if references else ()
            writer.write_segment(
                CodedSegment(number, 2 * number, 2, sections(number), digest(number), refs)
            )
        if parts:
            writer.add("clip", parts)
        if tail:
            writer.sink.append(pack_chunk("zzzz", writer._sequence, tail), "unknown")
            writer._sequence += 1
        writer.finish()


def test_videos_are_cut_with_the_frames(tmp_path):
    parts = [
        Part("first", Segment(0, 2), Fraction(25)),
        Part("second", Segment(2, 5), Fraction(30)),
        Part("third", Segment(5, 6), Fraction(24)),
    ]
    source = tmp_path / "in.nvc"
    write_file(source, parts=parts)
    extract(source, tmp_path / "a.nvc", Choice(frames=slice(2, 6)))
    seen = inspect(tmp_path / "a.nvc")
    assert seen.parts == [
        Part("second", Segment(0, 3), Fraction(30)),
        Part("third", Segment(3, 4), Fraction(24)),
    ]
    assert seen.head.frame_rate == (30, 1)
    extract(source, tmp_path / "b.nvc", Choice(clip="first"))
    assert inspect(tmp_path / "b.nvc").parts == [parts[0]]
    with pytest.raises(VideoError, match=r"clip third: frame 5 is inside segment 2, frames 4:6"):
        extract(source, tmp_path / "c.nvc", Choice(clip="third"))


def test_segments_come_with_those_they_need(tmp_path):
    source = tmp_path / "in.nvc"
    write_file(source, references=[(), (0,), (1,)])
    with pytest.raises(VideoError, match=r"segment 1: is decoded with segment 0, .* at frame 0"):
        extract(source, tmp_path / "out.nvc", Choice(frames=slice(2, 6)))
    write_file(tmp_path / "other.nvc", references=[(), (), (1,)])
    extract(tmp_path / "other.nvc", tmp_path / "out.nvc", Choice(frames=slice(2, 6)))
    with NvcReader(tmp_path / "out.nvc") as reader:
        assert [segment.references for segment in reader.segments()] == [(), (0,)]


def test_what_cannot_be_cut_is_told(tmp_path, monkeypatch):
    plain = Kind(Place.FRONT, "plain", lambda data, limits: data, lambda value: value)
    monkeypatch.setitem(KINDS, "abcd", plain)
    source = tmp_path / "in.nvc"
    write_file(source, kind="abcd", tail=b"?")
    done = extract(source, tmp_path / "a.nvc", Choice(segments=slice(0, 1)))
    assert done.dropped == ("abcd", "zzzz")
    done = extract(source, tmp_path / "b.nvc", Choice(segments=slice(0, 3)))
    assert done.dropped == ("zzzz",)
    assert inspect(tmp_path / "b.nvc").ancillary == {"abcd": b"12"}
    monkeypatch.setitem(
        kinds.KINDS, "abcd", Kind(plain.place, "", plain.parse, plain.pack, cut=lambda v, f: v[:1])
    )
    extract(source, tmp_path / "c.nvc", Choice(segments=slice(0, 1)))
    assert inspect(tmp_path / "c.nvc").ancillary == {"abcd": b"1"}


def test_a_stream_takes_it(source):
    out = io.BytesIO()
    extract(source, out, Choice(segments=slice(2, 3)))
    with NvcReader(io.BytesIO(out.getvalue())) as reader:
        assert [segment.digest for segment in reader.segments()] == [digest(2)]


def test_the_command(call, encoded, tmp_path):
    out = tmp_path / "out.nvc"
    done = nvc("extract", encoded, "-o", out, "--frames", "2:8")
    assert (done.code, done.stdout) == (0, b"")
    size = out.stat().st_size
    assert done.stderr == f"{out}: segments 1:3, frames 2:8 of 8, {size:,} bytes\n"
    assert_same_frames(decoded_planes(out), decoded_planes(encoded)[2:])
    part = tmp_path / "clip.nvc.part"
    part.write_bytes(encoded.read_bytes()[: inspect(encoded).segments[2].offset])
    done = call("extract", part, "-o", out, "-y", "--json")
    assert done.records[0]["frames"] == [0, 5]
    assert done.records[0]["is_unfinished"]
    assert call("verify", out).code == 0
    piped = call("extract", encoded, "-o", tmp_path / "one.nvc", "--segment", "1", "-q")
    assert (piped.code, piped.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--frames", "1:5"], 3, "0:5 has all"),
        (["--frames", "0:2", "--clip", "a"], 2, "--frames, --segment and --clip: one of them"),
        (["--segment", "x"], 2, "--segment 'x': expected"),
        ([], 3, "the file is finished; --frames A:B, --segment N or --clip NAME chooses a part"),
    ],
)
def test_the_command_says_what_is_wrong(call, encoded, tmp_path, words, code, said):
    done = call("extract", encoded, "-o", tmp_path / "out.nvc", *words)
    assert done.code == code
    assert said in done.stderr
    assert not list(tmp_path.iterdir())
