"""Sizes to scale to: as they are written, and the same from a native reader and from ffmpeg."""

from fractions import Fraction

import pytest
from video_helpers import make_info, smooth_frames

import nvcodec
from codec_helpers import TINY_NERV, write_y4m
from nvcodec.video import create_video, open_video
from nvcodec.video.scaling import parse_scale, scale_text, scaled_size

CASES = {
    "40x30": (40, 30), "48x-2": (48, 28), "-2x20": (34, 20), "1/2": (48, 28), "0.5": (48, 28),
    "1/3": (32, 18), "2/3": (64, 36), "1/50": (2, 2), "1": (96, 56),
}  # fmt: skip


@pytest.mark.parametrize(("text", "size"), CASES.items())
def test_of_96x55(text, size):
    assert scaled_size(parse_scale(text), 96, 55) == size
    assert parse_scale(scale_text(parse_scale(text))) == parse_scale(text)


@pytest.mark.parametrize(
    "text", ["", "0x2", "-2x-2", "-1x20", "1/0", "0", "0.0", "2", "50%", "axb"]
)
def test_what_is_none(text):
    with pytest.raises(ValueError, match="allowed are WxH, Wx-2 and -2xH"):
        parse_scale(text)


@pytest.mark.parametrize("text", ["48x-2", "-2x20", "1/2", "2/3"])
def test_native_and_through_ffmpeg(tmp_path, text):
    info = make_info(96, 55)
    for name in ("a.y4m", "a.mkv"):
        with create_video(tmp_path / name, info, codec="ffv1" if "mkv" in name else None) as to:
            for planes in smooth_frames(info, 2):
                to.write(planes)
        with open_video(tmp_path / name, scale=parse_scale(text)) as video:
            assert (video.info.width, video.info.height) == CASES[text]
            assert len(list(video)) == 2


def test_the_library_takes_the_commands_words(tmp_path):
    clip = write_y4m(tmp_path / "clip.y4m", 64, 48, num_frames=2)
    for scale in ("1/2", 0.5, "32x-2", Fraction(1, 2), (32, 24)):
        nvcodec.encode(clip, tmp_path / "x.nvc", TINY_NERV, epochs=2, scale=scale, overwrite=True)
        head = nvcodec.info(tmp_path / "x.nvc").head
        assert (head.width, head.height) == (32, 24)
