"""Several videos in one network: in by one command, each back by another."""

import io
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import nvcodec
from codec_helpers import (
    TINY_NERV,
    assert_same_frames,
    decoded_planes,
    moving_frames,
    video_info,
    write_y4m,
)
from nvcodec.container.chunk_payloads import pack_parts, parse_parts
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, LimitError, MalformedError, VideoError
from nvcodec.presets import load_preset
from nvcodec.segments import Part, Segment
from nvcodec.video import create_video, open_video
from nvcodec.video.info import VideoInfo

CLIPS = [
    Part("first", Segment(0, 3), Fraction(25)),
    Part("other", Segment(3, 8), Fraction(30000, 1001)),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    first = write_y4m(folder / "first.y4m", num_frames=3)
    info = VideoInfo(**{**vars(video_info()), "frame_rate": Fraction(30000, 1001)})
    with create_video(folder / "other.y4m", info) as target:
        for planes in moving_frames(info, 5, seed=2):
            target.write(planes)
    return [first, folder / "other.y4m"]


@pytest.fixture(scope="module")
def both(sources, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "all.nvc"
    report = nvcodec.encode(sources, path, preset=TINY_NERV)
    assert (report.num_frames, report.num_segments) == (8, 1)
    return path


def test_each_video_comes_back(both, sources, tmp_path, call):
    assert nvcodec.info(both).parts == CLIPS
    whole = decoded_planes(both)
    for number, clip in enumerate(CLIPS):
        for name in (clip.name, str(number)):
            path = tmp_path / f"{name}.y4m"
            done = call("decode", both, "-o", path, "--clip", name, "--json")
            assert done.code == 0, done.stderr
            with open_video(path) as video, open_video(sources[number]) as source:
                assert video.info == source.info
                assert_same_frames(list(video), whole[slice(*clip.segment)])
    part = decoded_planes(both, clip="other", frames=slice(1, 3))
    assert_same_frames(part, whole[4:6])


def test_a_video_by_index_is_as_if_it_were_alone(both):
    with nvcodec.open(both, clip="other") as video:
        assert len(video) == 5
        pixels = list(video)
        assert [np.array_equal(video[t], pixels[t]) for t in (0, 4, -1, -5)] == [True] * 4
        for outside in (5, -6):
            with pytest.raises(IndexError, match=f"frame {outside} "):
                video[outside]


def test_videos_of_one_name_go_by_number(sources, tmp_path):
    path = tmp_path / "all.nvc"
    nvcodec.encode([sources[0]] * 2, path, preset=TINY_NERV, epochs=3)
    with pytest.raises(VideoError, match="several have that name; take a number: 0, 1"):
        decoded_planes(path, clip="first")
    assert len(decoded_planes(path, clip="1")) == 3


def test_more_videos_than_the_limits_allow():
    limits = replace(DEFAULT_LIMITS, segments=1)
    with pytest.raises(LimitError, match="videos"):
        parse_parts(pack_parts(CLIPS), limits)


def test_the_command_and_what_info_says(sources, tmp_path, call):
    path = tmp_path / "all.nvc"
    words = ("-p", TINY_NERV, "--epochs", 2, "--frames", "0:2", "--segment-frames", 3)
    assert call("encode", *sources, "-o", path, *words).code == 0
    assert "clip 1" in call("info", path).stdout.decode()
    record = json.loads(call("info", path, "--json").stdout)
    assert record["clips"] == [
        {"name": "first", "frames": [0, 2], "frame_rate": "25"},
        {"name": "other", "frames": [2, 4], "frame_rate": "30000/1001"},
    ]
    assert sum(entry["size"] for entry in record["bytes"]) == path.stat().st_size
    assert [entry["kind"] for entry in record["bytes"]][-3:] == ["clip", "indx", "END "]
    against = [word for source in sources for word in ("--against", source)]
    done = call("verify", path, *against, "--frames", "0:2", "--json")
    assert done.code == 0, done.stderr
    assert done.records[-1]["frames"] == 4
    assert call("verify", path, "--against", sources[0], "--frames", "0:2").code == 8
    one = tmp_path / "one.nvc"
    assert call("encode", sources[0], "-o", one, *words).code == 0
    assert nvcodec.info(one).parts == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("third", "clip third: not in the file, which has 0 first, 1 other"), ("2", "clip 2"),
     ("-1", "clip -1"), ("²", "clip ²")],
)  # fmt: skip
def test_a_clip_that_is_not_there(both, name, message):
    with pytest.raises(VideoError, match=message):
        decoded_planes(both, clip=name)


def test_a_clip_of_one_video_or_of_a_pipe(both, encoded):
    with pytest.raises(VideoError, match="clip 0: not in the file, which has one video only"):
        decoded_planes(encoded, clip="0")
    pipe = io.BytesIO(both.read_bytes())
    pipe.seekable = lambda: False
    with pytest.raises(VideoError, match="clip 0: where it is stands at the end of a pipe"):
        decoded_planes(pipe, clip="0")


def test_videos_that_differ_are_refused(sources, tmp_path, call):
    small = write_y4m(tmp_path / "small.y4m", 24, 32, num_frames=2)
    other = write_y4m(tmp_path / "444.y4m", chroma="444", num_frames=2)
    words = ("-o", tmp_path / "x.nvc", "-p", TINY_NERV)
    done = call("encode", sources[0], small, *words)
    assert done.code == 3
    assert "small.y4m: width 24" in done.stderr
    assert "--scale SIZE" in done.stderr
    done = call("encode", sources[0], other, *words)
    assert done.code == 3
    assert "444.y4m: chroma 444" in done.stderr
    done = call("encode", sources[0], "-", *words)
    assert done.code == 3
    assert "standard input among several videos" in done.stderr
    assert call("encode", sources[0], tmp_path / "none.y4m", *words).code == 3
    assert call("encode", *sources, "-o", sources[1], "-p", TINY_NERV, "-y").code == 4
    assert {p.name for p in tmp_path.iterdir()} == {"small.y4m", "444.y4m"}


def test_stopped_and_continued_it_is_the_same_file(both, sources, tmp_path):
    target, preset = tmp_path / "x.nvc", load_preset(TINY_NERV)
    asked = iter([False] * 30)
    with pytest.raises(InterruptedEncodeError):
        encode(sources, target, preset, should_stop=lambda: next(asked, True))
    encode(sources, target, preset)
    assert target.read_bytes() == both.read_bytes()


def test_a_payload_by_hand():
    payload = pack_parts(CLIPS)
    assert payload == b"\2" + b"\3\x19\1\5first" + b"\5\xb0\xea\1\xe9\7\5other"
    assert parse_parts(payload, DEFAULT_LIMITS) == CLIPS
    assert (
        parse_parts(pack_parts([Part("a\n\udc80é", *CLIPS[0][1:])]), DEFAULT_LIMITS)[0].name
        == "a??é"
    )


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "number of videos"),
        (b"\1\0\1\1\1a", "clip 0: 0 frames"),
        (b"\1\3\0\1\1a", "at 0/1"),
        (b"\1\3\1\0\1a", "at 1/0"),
        (b"\1\3\1\1\1\n", "printable"),
        (b"\1\3\1\1\5a", "5 bytes declared, 1 left"),
        (b"\1\3\1\1\1ab", "1 bytes left over"),
    ],
)
def test_payloads_that_are_none(payload, message):
    with pytest.raises(MalformedError, match=message):
        parse_parts(payload, DEFAULT_LIMITS)


@pytest.mark.parametrize("clips", [CLIPS[:1], [*CLIPS, Part("z", Segment(8, 9), Fraction(1))]])
def test_videos_that_are_not_the_frames_of_the_file(both, tmp_path, clips):
    path = tmp_path / "x.nvc"
    with NvcReader(both) as reader, NvcWriter(path, reader.head) as writer:
        segment = reader.read_segment(0)
        writer.write_segment(segment)
        writer.add("clip", clips)
        writer.finish()
    with pytest.raises(MalformedError, match="frames in all videos, 8 in the segments"):
        decoded_planes(path)
    with pytest.raises(MalformedError, match="frames in all videos, 8 in the segments"):
        decoded_planes(path, clip="first")
