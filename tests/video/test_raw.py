import io
from fractions import Fraction

import numpy as np
import pytest
from video_helpers import assert_same, make_frames, make_info

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.video import Chroma, RawGeometry, VideoWarning, create_video, open_video


@pytest.mark.parametrize(
    ("name", "width", "height", "rate", "chroma", "depth"),
    [
        ("Beauty_1920x1080_120fps_420_8bit_YUV.yuv", 1920, 1080, 120, "420", 8),
        ("Beauty_1920x1080_120fps_420_10bit_YUV.yuv", 1920, 1080, 120, "420", 10),
        ("sparks_480x270_420p10le.yuv", 480, 270, None, "420", 10),
        ("racehorses_832x480_2f.yuv", 832, 480, None, "420", 8),
        ("BasketballDrive_1920x1080_50.yuv", 1920, 1080, None, "420", 8),
        ("videoSRC01_1920x1080_30.yuv", 1920, 1080, None, "420", 8),
        ("foo-176X144-29.97Hz-yuv444p.yuv", 176, 144, Fraction(30000, 1001), "444", 8),
        ("a_64x48_12.5fps_gray.yuv", 64, 48, Fraction(25, 2), "gray", 8),
        ("a_64x48_400_8b.yuv", 64, 48, None, "gray", 8),
        ("4k420_64x48_yuv422p12le_23.976fps.yuv", 64, 48, Fraction(24000, 1001), "422", 12),
    ],
)
def test_names(name, width, height, rate, chroma, depth):
    geometry = RawGeometry.from_name(name)
    assert geometry == RawGeometry(width, height, rate, Chroma(chroma), depth)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("video.yuv", VideoError),
        ("a_0x48.yuv", UnsupportedVideoError),
        ("a_64x48_420p10be.yuv", UnsupportedVideoError),
    ],
)
def test_names_that_are_refused(name, kind):
    with pytest.raises(kind):
        RawGeometry.from_name(name)


def test_parse():
    assert RawGeometry.parse("64x48") == RawGeometry(64, 48)
    assert RawGeometry.parse("64x48:50") == RawGeometry(64, 48, Fraction(50))
    deep = RawGeometry(64, 48, Fraction(30000, 1001), Chroma.YUV422, 10)
    assert RawGeometry.parse("64x48:30000/1001:yuv422p10le") == deep
    assert RawGeometry.parse("64x48::gray").chroma is Chroma.GRAY
    for text in ("", "64", "64x48:fast", "64x48:25:rgb24", "64x48:1/0", "64x48:25:420p10be"):
        with pytest.raises(VideoError):
            RawGeometry.parse(text)


@pytest.mark.parametrize("chroma", [Chroma.GRAY, Chroma.YUV420, Chroma.YUV422, Chroma.YUV444])
def test_round_trip(tmp_path, chroma):
    info = make_info(17, 23, chroma)
    frames, path = make_frames(info, 5), tmp_path / f"a_17x23_29.97fps_{chroma}.yuv"
    with create_video(path, info) as video:
        for planes in frames:
            video.write(planes)
    with open_video(path) as video:
        assert video.info.num_frames == 5
        assert video.info.frame_rate == Fraction(30000, 1001)
        assert_same(frames, video)
    with open_video(path, frames=slice(3, None)) as video:
        assert video.info.num_frames == 2
        assert_same(frames[3:], video)


def test_ten_bits_are_read_as_they_are_or_rounded_on_request(tmp_path):
    """Bits above the depth are nobody's: what is larger than the largest sample is the largest."""
    path = tmp_path / "a_5x1_25fps_gray10.yuv"
    path.write_bytes(np.array([3, 5, 6, 1023, 1024], "<u2").tobytes())
    for depth, expected in ((None, [3, 5, 6, 1023, 1023]), (8, [1, 1, 2, 255, 255])):
        with pytest.warns(VideoWarning, match="10 bits"):
            video = open_video(path, depth=depth)
        with video:
            assert video.info.depth == (depth or 10)
            assert next(iter(video))[0].tolist() == [expected]
    with pytest.raises(ValueError, match="depth 10; allowed are 8"):
        open_video(path, depth=10)


def test_geometry_given_and_streams(tmp_path):
    info = make_info(6, 4)
    frames, path = make_frames(info, 2), tmp_path / "noname.bin"
    data = b"".join(plane.tobytes() for planes in frames for plane in planes)
    path.write_bytes(data)
    for source in (path, io.BytesIO(data)):
        with pytest.warns(VideoWarning, match="taken as 25"):
            video = open_video(source, raw=RawGeometry(6, 4))
        with video:
            assert_same(frames, video)
    with open_video(path, raw=RawGeometry(6, 4), frame_rate=Fraction(50)) as video:
        assert video.info.frame_rate == 50


def test_cut_off_file_is_named(tmp_path):
    path = tmp_path / "a_6x4_25fps.yuv"
    path.write_bytes(bytes(36 * 2 + 7))
    with pytest.raises(VideoError, match="frame 2 is cut off: 7 bytes of 36"):
        open_video(path)
    with open_video(path, frames=slice(0, 2)) as video:
        assert video.info.num_frames == 2
