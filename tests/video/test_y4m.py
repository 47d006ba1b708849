import io
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from video_helpers import assert_same, make_frames, make_info

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.video import Chroma, ColorTags, VideoWarning, create_video, open_video
from nvcodec.video.y4m import header_bytes, is_y4m

YUV = [Chroma.GRAY, Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]


def y4m_bytes(header, frames=(), frame_line=b"FRAME\n"):
    return header + b"".join(frame_line + b"".join(p.tobytes() for p in f) for f in frames)


def read(data, **options):
    with open_video(io.BytesIO(data), **options) as video:
        return video.info, list(video)


@pytest.mark.parametrize("chroma", YUV)
@pytest.mark.parametrize("size", [(17, 23), (1, 1), (32, 16)])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_round_trip(tmp_path, chroma, size, span):
    info = make_info(
        *size, chroma, sample_aspect_ratio=Fraction(128, 117), color=ColorTags(span, 1, 13, 9)
    )
    frames = make_frames(info)
    with create_video(tmp_path / "a.y4m", info) as video:
        for planes in frames:
            video.write(planes)
    with open_video(tmp_path / "a.y4m") as video:
        assert video.info.num_frames == 3
        assert video.info.color == info.color
        assert video.info.sample_aspect_ratio == Fraction(128, 117)
        assert video.info.frame_rate == Fraction(30000, 1001)
        assert_same(frames, video)


def test_stream_round_trip_and_frames():
    info = make_info()
    frames, out = make_frames(info, 6), io.BytesIO()
    with create_video(out, info) as video:
        for planes in frames:
            video.write(planes)
    assert not out.closed
    seen, same = read(out.getvalue())
    assert seen.num_frames is None
    assert_same(frames, same)
    assert_same(frames[2:4], read(out.getvalue(), frames=slice(2, 4))[1])
    assert_same(frames[4:], read(out.getvalue(), frames=slice(4, 100))[1])


def test_file_range_is_counted(tmp_path):
    info, path = make_info(), tmp_path / "named.mp4"  # by content, never by name
    frames = make_frames(info, 6)
    path.write_bytes(y4m_bytes(header_bytes(info), frames, b"FRAME Ip XODD=1\n"))
    with open_video(path, frames=slice(1, 3)) as video:
        assert video.info.num_frames == 2
        assert_same(frames[1:3], video)
    with open_video(path, frames=slice(4, 99)) as video:
        assert video.info.num_frames == 2
    with pytest.raises(VideoError, match="it has 6"):
        open_video(path, frames=slice(6, 9))


@pytest.mark.parametrize(
    ("word", "chroma"),
    [
        ("420", Chroma.YUV420),
        ("420jpeg", Chroma.YUV420),
        ("420paldv", Chroma.YUV420),
        ("420mpeg2", Chroma.YUV420),
        ("mono", Chroma.GRAY),
        ("422", Chroma.YUV422),
        ("444", Chroma.YUV444),
    ],
)
def test_chroma_words(word, chroma):
    info = make_info(6, 4, chroma)
    frames = make_frames(info, 1)
    header = f"YUV4MPEG2 W6 H4 F25:1 C{word} Xanything XYSCSS=FOO\n".encode()
    seen, same = read(y4m_bytes(header, frames))
    assert seen.chroma is chroma
    assert_same(frames, same)


def test_defaults_are_420_progressive_limited_and_a_guessed_rate():
    frames = make_frames(make_info(4, 4), 1)
    with pytest.warns(VideoWarning, match="no frame rate"):
        seen, _ = read(y4m_bytes(b"YUV4MPEG2 H4 W4\n", frames))
    assert seen == make_info(4, 4, frame_rate=Fraction(25))


def test_deep_samples_are_kept_and_rounded_on_request():
    values = np.array([[0, 1, 2, 5, 6, 1021, 1022, 1023]], "<u2")
    header = b"YUV4MPEG2 W8 H1 F25:1 Ip Cmono10\nFRAME\n"
    full = header.replace(b"mono10", b"mono10 XCOLORRANGE=FULL")
    for line, expected in (
        (header, [0, 0, 1, 1, 2, 255, 255, 255]),
        (full, [0, 0, 0, 1, 1, 255, 255, 255]),
    ):
        _, frames = read(line + values.tobytes())
        np.testing.assert_array_equal(frames[0][0], values)
        with open_video(io.BytesIO(line + values.tobytes()), depth=8) as video:
            assert [planes[0].tolist() for planes in video] == [[expected]]


@pytest.mark.parametrize(
    ("header", "kind", "match"),
    [
        (b"YUV4MPEG2 W4 H4 F25:1 It C420\n", UnsupportedVideoError, "interlaced"),
        (b"YUV4MPEG2 W4 H4 F25:1 Ib\n", UnsupportedVideoError, "interlaced"),
        (b"YUV4MPEG2 W4 H4 F25:1 Im\n", UnsupportedVideoError, "interlaced"),
        (b"YUV4MPEG2 W4 H4 C411\n", UnsupportedVideoError, "C411"),
        (b"YUV4MPEG2 W4 H4 C444alpha\n", UnsupportedVideoError, "C444alpha"),
        (b"YUV4MPEG2 W4 H4 C420p17\n", UnsupportedVideoError, "C420p17"),
        (b"YUV4MPEG2 W0 H4\n", UnsupportedVideoError, "0x4"),
        (b"YUV4MPEG2 W99999999 H99999999\n", UnsupportedVideoError, "99999999x99999999"),
        (b"YUV4MPEG2 W30000 H30000\n", UnsupportedVideoError, "30000x30000"),
        (b"YUV4MPEG2 W-4 H4\n", VideoError, "width"),
        (b"YUV4MPEG2 H4\n", VideoError, "no width"),
        (b"YUV4MPEG2 W4\n", VideoError, "no height"),
        (b"YUV4MPEG2 W4 H4 F25\n", VideoError, "ratio"),
        (b"YUV4MPEG2 W4 H4 F25:x\n", VideoError, "number"),
        (b"YUV4MPEG2 W4 H4 " + b"X" * 5000 + b"\n", VideoError, "1024 bytes"),
        (b"YUV4MPEG2 W4 H4", VideoError, "inside a line"),
    ],
)
def test_bad_headers(header, kind, match):
    with pytest.raises(kind, match=match):
        read(header)


def test_cut_off_frame_is_named(tmp_path):
    info = make_info(4, 4)
    data = y4m_bytes(header_bytes(info), make_frames(info, 3))[:-5]
    with pytest.raises(VideoError, match="frame 2 is cut off: 19 bytes of 24"):
        read(data)
    (tmp_path / "a.y4m").write_bytes(data)
    with pytest.raises(VideoError, match="frame 2 is cut off: 19 bytes of 24"):
        open_video(tmp_path / "a.y4m")
    with open_video(tmp_path / "a.y4m", frames=slice(0, 2)) as video:  # what is whole can be read
        assert len(list(video)) == 2


def test_garbage_between_frames_is_named():
    info = make_info(4, 4)
    data = y4m_bytes(header_bytes(info), make_frames(info, 1)) + b"FRUME\n" + bytes(24)
    with pytest.raises(VideoError, match="frame 1: begins with b'FRUME'"):
        read(data)


def test_header_only_has_no_frames(tmp_path):
    header = header_bytes(make_info(4, 4))
    with pytest.raises(VideoError, match="no frames"):
        read(header)
    (tmp_path / "a.y4m").write_bytes(header)
    with pytest.raises(VideoError, match="it has 0"):
        open_video(tmp_path / "a.y4m")


def test_huge_claim_takes_no_memory():
    data = b"YUV4MPEG2 W16384 H8192 F25:1 C444p16\nFRAME\n" + bytes(1000)
    with pytest.raises(VideoError, match="1000 bytes of"):
        read(data)


def test_signature():
    assert is_y4m(b"YUV4MPEG2 W1")
    assert not is_y4m(b"YUV4MPEG")
    assert not is_y4m(b"YUV4MPEG2X")


def test_our_headers_stay_short_enough_for_ffmpeg():
    info = make_info(
        1920, 1080, sample_aspect_ratio=Fraction(128, 117), color=ColorTags("full", 9, 16, 9)
    )
    assert len(header_bytes(info)) < 96


FIELDS = st.lists(
    st.sampled_from([b"W4", b"H4", b"W0", b"H", b"F25:1", b"F0:0", b"F1:", b"Ip", b"It", b"A1:1"])
    | st.sampled_from([b"C420", b"C444p10", b"Cmono", b"C9", b"XCOLORRANGE=FULL", b"XCICP=1-1-1"])
    | st.binary(max_size=6)
).map(b" ".join)


@settings(max_examples=200, deadline=None)
@given(FIELDS, st.binary(max_size=80), st.booleans())
@example(b"W4 H4", b"\n", True)
def test_any_bytes_give_frames_or_a_video_error(fields, tail, with_frame):
    frame = b"FRAME\n" + bytes(24) if with_frame else b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        try:
            info, frames = read(b"YUV4MPEG2 " + fields + b"\n" + frame + tail)
        except VideoError:
            return
    for planes in frames:
        shapes = [plane.shape for plane in planes]
        assert shapes == info.chroma.plane_shapes(info.height, info.width)
