"""Real files of many makers; skipped where the clips are not."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from nvcodec.video import Chroma, ColorTags, VideoWarning, open_video

LIMITED = ColorTags()
HD = ColorTags("limited", 1, 1, 1)

CLIPS = [
    ("bt709_full_range_720p.mp4", 1280, 720, "420", 30, 30, ColorTags("full", 1, 1, 1)),
    ("cockatoo_yuv444p.mp4", 1280, 720, "444", 20, 280, LIMITED),
    ("h264_10bit_200.mp4", 200, 200, "420", 30, 30, LIMITED),
    ("lights-hlg.mov", 3840, 2160, "420", 60, None, ColorTags("limited", 9, 18, 9)),
    ("livephoto_hevc_rot90.mov", 720, 1280, "420", Fraction(359, 12), 35, HD),
    ("mjpeg422_vga.avi", 640, 480, "422", Fraction(1000000, 33333), 78, ColorTags("full", 2, 2, 5)),
    ("nasa_multistream.mp4", 480, 270, "420", Fraction(30000, 1001), 390, HD),
    ("park_joy_480x270_10f.y4m", 480, 270, "420", 50, 10, LIMITED),
    ("racehorses_832x480_2f.yuv", 832, 480, "420", 25, 2, LIMITED),
    ("rot90_phone_720p.mp4", 720, 1280, "420", 30, 39, LIMITED),
    ("sparks_480x270_420p10le.yuv", 480, 270, "420", 25, 5, LIMITED),
    ("vfr_rot180_fire.mp4", 1280, 720, "420", Fraction(750000, 71393), 25, LIMITED),
]
MOST_FRAMES = 40
"""Longer clips are read up to here: this is about formats."""


@pytest.mark.parametrize(
    ("name", "width", "height", "chroma", "rate", "count", "color"), CLIPS, ids=lambda v: str(v)
)
@pytest.mark.filterwarnings("ignore::nvcodec.video.VideoWarning")
def test_formats(clips, name, width, height, chroma, rate, count, color):
    stop = 2 if count is None else MOST_FRAMES
    with open_video(clips / "formats" / name, frames=slice(0, stop)) as video:
        info, num_frames = video.info, sum(1 for _ in video)
    assert (info.width, info.height, info.chroma) == (width, height, Chroma(chroma))
    assert info.frame_rate == rate
    assert info.color == color
    assert num_frames == min(count or stop, stop)


NOT_KEPT = "not in the file: 1 video stream"
NO_RATE = "no frame rate given, taken as 25"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nasa_multistream.mp4", [NOT_KEPT]),
        ("h264_10bit_200.mp4", []),
        ("racehorses_832x480_2f.yuv", ["by its name 832x480, 4:2:0, 8 bits", NO_RATE]),
        ("vfr_rot180_fire.mp4", []),
        ("bt709_full_range_720p.mp4", []),
        ("park_joy_480x270_10f.y4m", []),
    ],
)
def test_what_is_said(clips, name, said):
    path = clips / "formats" / name
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", VideoWarning)
        with open_video(path, frames=slice(0, MOST_FRAMES)) as video:
            list(video)
    texts = [str(w.message) for w in seen]
    assert [text.removeprefix(f"{path}: ").removeprefix(f"{name}: ") for text in texts] == said


def test_sample_aspect_ratio(clips):
    with open_video(clips / "carphone_pristine.mp4", frames=slice(0, 1)) as video:
        assert video.info.sample_aspect_ratio == Fraction(128, 117)


@pytest.mark.filterwarnings("ignore::nvcodec.video.VideoWarning")
def test_a_range_is_the_same_frames(clips):
    path = clips / "ship" / "bbb_320x180_48f.mp4"
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 48
    with open_video(path, frames=slice(10, 13)) as video:
        for planes, same in zip(frames[10:13], video, strict=True):
            for a, b in zip(planes, same, strict=True):
                np.testing.assert_array_equal(a, b)
