"""Frames as pictures: one, numbered, or one that moves."""

import subprocess

import numpy as np
import pytest
from video_helpers import make_frames, make_info, smooth_frames

from nvcodec.errors import UnsupportedVideoError
from nvcodec.metrics.quality import mean_squared_error, psnr_db
from nvcodec.processes import ffmpeg_path
from nvcodec.video import Chroma, VideoWarning, create_video
from nvcodec.video.color import picture_planes


def write(path, info, frames, **settings):
    with create_video(path, info, **settings) as video:
        for planes in frames:
            video.write(planes)


def pixels_of(path, info):
    """All frames of a file as RGB, by ffmpeg's own reader."""
    command = [
        ffmpeg_path(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(path),
        "-fps_mode",
        "passthrough",
    ]
    done = subprocess.run(
        [*command, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], capture_output=True, check=True
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, info.height, info.width, 3)


def rgb_of(planes, info):
    pictures = picture_planes(planes, info)
    return np.stack(pictures * (3 if len(pictures) == 1 else 1), axis=-1)


@pytest.mark.parametrize("chroma", [Chroma.YUV420, Chroma.RGB, Chroma.GRAY])
@pytest.mark.parametrize(
    ("name", "lowest_db"),
    [("a.png", 100), ("a.webp", 100), ("a.bmp", 100), ("a.tif", 100), ("a.jpg", 36)],
)
def test_one_frame_is_one_picture(tmp_path, name, lowest_db, chroma):
    info = make_info(31, 23, chroma, num_frames=1)
    frame = (make_frames if lowest_db == 100 else smooth_frames)(info, 1)[0]
    write(tmp_path / name, info, [frame])
    (seen,) = pixels_of(tmp_path / name, info)
    assert psnr_db(mean_squared_error(seen, rgb_of(frame, info))) >= lowest_db


@pytest.mark.parametrize("chroma", [Chroma.YUV420, Chroma.GRAY])
@pytest.mark.parametrize(("name", "lowest_db"), [("a.gif", 28), ("a.apng", 100), ("a.webp", None)])
def test_pictures_that_move(tmp_path, name, lowest_db, chroma):
    info = make_info(32, 24, chroma, num_frames=3)
    frames = (smooth_frames if lowest_db else make_frames)(info, 3)
    write(tmp_path / name, info, frames)
    if lowest_db is None:  # older versions of ffmpeg cannot read these
        assert (tmp_path / name).read_bytes().count(b"ANMF") == 3
        return
    seen = pixels_of(tmp_path / name, info)
    assert len(seen) == 3
    for picture, planes in zip(seen, frames, strict=True):
        assert psnr_db(mean_squared_error(picture, rgb_of(planes, info))) >= lowest_db


@pytest.mark.parametrize("chroma", [Chroma.YUV420, Chroma.GRAY])
@pytest.mark.parametrize(("name", "bits"), [("a.png", 16), ("a.tif", 16), ("a.bmp", 8)])
@pytest.mark.filterwarnings("ignore:.*written as 8")
def test_more_than_8_bits(tmp_path, name, bits, chroma):
    info = make_info(32, 24, chroma, num_frames=1, depth=10)
    frame = make_frames(info, 1)[0]
    write(tmp_path / name, info, [frame])
    command = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", str(tmp_path / name)]
    form, kind, peak = ("rgb48le", "<u2", 65535) if bits == 16 else ("rgb24", "u1", 255)
    options = ["-pix_fmt", form, "-f", "rawvideo", "-"]
    done = subprocess.run([*command, *options], capture_output=True, check=True)
    seen = np.frombuffer(done.stdout, kind).reshape(24, 32, 3) / peak
    assert abs(seen - rgb_of(frame, info) / 65535).max() <= 0.51 / peak


def test_numbered_pictures_of_any_kind(tmp_path):
    info = make_info(16, 16)
    write(tmp_path / "f%02d.jpg", info, smooth_frames(info, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f01.jpg", "f02.jpg"]


@pytest.mark.parametrize("count", [2, None])
def test_one_picture_holds_one_frame(tmp_path, count):
    info = make_info(16, 16, num_frames=count)
    said = r"a.jpg: holds one frame, there are .*; .*a/ or .*a%03d.jpg holds them all; at chooses"
    with pytest.raises(UnsupportedVideoError, match=said):
        write(tmp_path / "a.jpg", info, smooth_frames(info, 2))
    assert not list(tmp_path.iterdir())


def test_a_gif_of_many_frames_a_second_is_told(tmp_path):
    info = make_info(16, 16, frame_rate=120, num_frames=4)
    with pytest.warns(VideoWarning, match=r"a.gif: 120 frames/s, .gif keeps up to 50"):
        write(tmp_path / "a.gif", info, smooth_frames(info, 4))
    assert (tmp_path / "a.gif").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("a.gif", {"crf": 20}, "a.gif: crf is for movies only"),
        ("f%d.png", {"speed": "slow"}, "speed is for movies only"),
        ("-", {"codec": "x264"}, "standard output: codec is for movies only"),
        ("a.mkv", {"codec": "ffv1", "crf": 3}, "crf 3: ffv1 is lossless"),
        ("a.mkv", {"codec": "ffv1", "speed": "slow"}, "speed 'slow': ffv1 has none"),
        ("a.mp4", {"crf": 52}, "crf 52: x264 has 0, the best, to 51"),
        ("a.webm", {"crf": -1}, "crf -1: vp9 has 0, the best, to 63"),
        ("a.mp4", {"speed": "6"}, "speed '6': x264 has ultrafast, superfast"),
    ],
)
def test_settings_of_movies_where_they_do_not_belong(tmp_path, name, settings, said):
    target = name if name == "-" else tmp_path / name
    with pytest.raises(UnsupportedVideoError, match=said):
        create_video(target, make_info(16, 16), **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "codec", "speed"),
    [("a.mov", None, "veryfast"), ("a.webm", None, "5"), ("a.mp4", "vvenc", "faster")],
)
def test_a_movie_is_as_small_as_asked_for(tmp_path, name, codec, speed):
    info = make_info(64, 64)
    sizes = []
    for crf in (5, 45):
        path = tmp_path / f"{crf}{name}"
        write(path, info, smooth_frames(info, 3), codec=codec, crf=crf, speed=speed)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0]
