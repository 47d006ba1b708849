"""Videos through ffmpeg, in and out. Somewhat over 400 lines: real files, each made in its test."""

import io
import subprocess
import sys
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_helpers import assert_same, make_frames, make_info, smooth_frames

from nvcodec.errors import (
    FfmpegError,
    OutputError,
    ToolMissingError,
    UnsupportedVideoError,
    VideoError,
)
from nvcodec.processes import ffmpeg_path
from nvcodec.video import Chroma, ColorTags, VideoWarning, create_video, open_video, writer
from nvcodec.video.color import BT601, planes_to_rgb, yuv_info_of_rgb, yuv_planes_of_rgb
from nvcodec.video.ffmpeg import probe

NO_MATRIX = {Chroma.RGB: 0, Chroma.GRAY: 2}
YUV = [Chroma.GRAY, Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]


def write(path, info, frames, **options):
    with create_video(path, info, **options) as video:
        for planes in frames:
            video.write(planes)
    return path


def make_with_ffmpeg(path, *options, source="testsrc=s=64x48:r=25:d=0.2"):
    base = [ffmpeg_path(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", source]
    subprocess.run([*base, *options, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.mark.parametrize("chroma", [*YUV, Chroma.RGB])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_lossless_movie_keeps_every_sample_and_tag(tmp_path, chroma, span):
    is_rgb = chroma is Chroma.RGB
    matrix = NO_MATRIX.get(chroma, 9)
    color = ColorTags("full", matrix=0) if is_rgb else ColorTags(span, 9, 16, matrix)
    aspect = Fraction(2)  # Matroska keeps those that give whole display sizes
    info = make_info(37, 23, chroma, color=color, sample_aspect_ratio=aspect)
    frames = make_frames(info, 4)
    path = write(tmp_path / "a.mkv", info, frames, codec="ffv1")
    with open_video(path) as video:
        assert video.info == info
        assert_same(frames, video)
    with open_video(path, frames=slice(1, 3)) as video:
        assert_same(frames[1:3], video)


@pytest.mark.parametrize(
    ("name", "codec", "chroma", "size"),
    [
        ("a.mp4", None, Chroma.YUV420, (64, 48)),
        ("a.mkv", None, Chroma.YUV422, (64, 48)),
        ("a.mov", None, Chroma.YUV444, (87, 59)),
        ("a.mp4", "x265", Chroma.GRAY, (64, 64)),
        ("a.avi", None, Chroma.YUV420, (64, 48)),
        ("a.webm", None, Chroma.YUV420, (65, 47)),
        ("a.mp4", "x265", Chroma.YUV420, (64, 64)),
        ("a.mp4", "svt-av1", Chroma.YUV420, (64, 64)),
        ("a.mp4", "vvenc", Chroma.YUV420, (64, 64)),
    ],
)
@pytest.mark.filterwarnings("ignore::nvcodec.video.VideoWarning")
def test_movies_are_near(tmp_path, name, codec, chroma, size):
    color = ColorTags("limited", 1, 1, 1)
    info = make_info(*size, chroma, color=color, sample_aspect_ratio=Fraction(2))
    frames = smooth_frames(info, 4)
    path = write(tmp_path / name, info, frames, codec=codec)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with open_video(path, depth=8) as video:  # vvenc stores 10
        seen, same = video.info, list(video)
    assert (seen.width, seen.height, seen.chroma) == (*size, chroma)
    assert seen.frame_rate == Fraction(30000, 1001)
    assert len(same) == 4
    if name not in ("a.avi",):  # whose header has no place for it
        assert seen.sample_aspect_ratio == 2
    if chroma is not Chroma.GRAY:
        assert seen.color == color
    for planes, other in zip(frames, same, strict=True):
        for a, b in zip(planes, other, strict=True):
            assert np.abs(a.astype(int) - b).mean() < 1.5


def test_full_range_stays_full_through_x264(tmp_path):
    info = make_info(64, 48, color=ColorTags("full", 1, 1, 1))
    frames = [tuple(np.full(p.shape, v, np.uint8) for p, v in zip(f, (250, 10, 245), strict=True))
              for f in smooth_frames(info)]  # fmt: skip
    with open_video(write(tmp_path / "a.mp4", info, frames)) as video:
        assert video.info.color == info.color
        for planes in video:
            for plane, value in zip(planes, (250, 10, 245), strict=True):
                assert np.abs(plane.astype(int) - value).max() <= 1


def test_gray_through_x264_comes_back_with_neutral_chroma(tmp_path):
    """It is stored as 4:0:0, which ffmpeg decodes as 4:2:0."""
    info = make_info(64, 48, Chroma.GRAY)
    with open_video(write(tmp_path / "a.mp4", info, smooth_frames(info, 1))) as video:
        _, *chroma = next(iter(video))
    assert all((plane == 128).all() for plane in chroma)


@pytest.mark.parametrize("size", [(17, 23), (107, 59)])
def test_odd_sizes_become_444_and_it_is_said(tmp_path, size):
    info = make_info(*size)
    with pytest.warns(VideoWarning, match="written as 4:4:4"):
        path = write(tmp_path / "a.mp4", info, smooth_frames(info, 1))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == size
        assert video.info.chroma is Chroma.YUV444
        assert len(list(video)) == 1


def test_rgb_becomes_what_readers_take_it_for(tmp_path):
    """BT.709 where a file says so, BT.601 in Y4M, which has no word for it."""
    info = make_info(32, 16, Chroma.RGB, color=ColorTags("full", matrix=0))
    frames = smooth_frames(info)
    stored = yuv_info_of_rgb(info)
    with open_video(write(tmp_path / "a.mp4", info, frames)) as video:
        assert video.info.chroma is Chroma.YUV444
        assert video.info.color == stored.color
    plain = yuv_info_of_rgb(info, BT601)
    with open_video(write(tmp_path / "a.y4m", info, frames)) as video:
        assert video.info == replace(plain, num_frames=3)
        assert_same([yuv_planes_of_rgb(p, plain) for p in frames], video)


@pytest.mark.parametrize("target", ["folder", "folder/", "folder/f%03d.png"])
@pytest.mark.parametrize("chroma", [Chroma.RGB, Chroma.GRAY])
def test_png_pictures_are_bit_exact(tmp_path, target, chroma):
    color = ColorTags("full", matrix=0 if chroma is Chroma.RGB else 2)
    info = make_info(17, 23, chroma, color=color, frame_rate=Fraction(50))
    frames = make_frames(info, 12)
    target = f"{tmp_path}/100%/{target}"
    (tmp_path / "100%").mkdir()
    write(target, info, frames)
    assert sorted(p.name for p in (tmp_path / "100%").iterdir()) == ["folder"]
    with open_video(target, frame_rate=Fraction(50)) as video:
        assert video.info == replace(info, num_frames=12)
        assert_same(frames, video)
    with open_video(target, frames=slice(9, 99)) as video:
        assert video.info.frame_rate == 25
        assert video.info.num_frames == 3
        assert_same(frames[9:], video)


def test_png_pictures_of_yuv_are_our_rgb(tmp_path):
    info = make_info(16, 8, color=ColorTags("limited", matrix=1))
    frames = make_frames(info, 2)
    with open_video(write(tmp_path / "f", info, frames)) as video:
        for planes, rgb in zip(frames, video, strict=True):
            np.testing.assert_array_equal(planes_to_rgb(planes, info), np.stack(rgb, axis=-1))


def test_overwriting_pictures_leaves_no_old_frames(tmp_path):
    info = make_info(16, 8, Chroma.RGB)
    write(tmp_path / "f", info, make_frames(info, 5))
    (tmp_path / "f" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="exist already"):
        create_video(tmp_path / "f", info)
    write(tmp_path / "f", info, make_frames(info, 2), overwrite=True)
    names = sorted(path.name for path in (tmp_path / "f").iterdir())
    assert names == ["00001.png", "00002.png", "notes.txt"]


def test_pictures_come_in_natural_order(tmp_path):
    info = make_info(16, 8, Chroma.RGB)
    frames = make_frames(info, 11)
    write(tmp_path / "f", info, frames)
    for number in range(1, 12):
        (tmp_path / "f" / f"{number:05d}.png").rename(tmp_path / "f" / f"x{number}.png")
    for source in (tmp_path / "f", tmp_path / "f" / "x%d.png"):
        with open_video(source) as video:
            assert_same(frames, video)


def test_jpeg_folder(tmp_path):
    make_with_ffmpeg(tmp_path / "%03d.jpg", "-pix_fmt", "yuvj420p")
    with open_video(tmp_path) as video:
        assert video.info.chroma is Chroma.YUV420
        assert video.info.color.range == "full"
        assert len(list(video)) == video.info.num_frames == 5


@pytest.mark.parametrize(
    ("pixel_format", "chroma", "depth"),
    [
        ("nv12", Chroma.YUV420, 8),
        ("yuva420p", Chroma.YUV420, 8),
        ("yuv422p10le", Chroma.YUV422, 10),
        ("yuv444p12le", Chroma.YUV444, 12),
        ("gray10le", Chroma.GRAY, 10),
        ("gbrp", Chroma.RGB, 8),
        ("rgba", Chroma.RGB, 8),
        ("pal8", Chroma.RGB, 8),
        ("gbrp10le", Chroma.RGB, 10),
        ("rgb48be", Chroma.RGB, 16),
        ("yuv420p9le", Chroma.YUV420, 9),
    ],
)
def test_pixel_formats(tmp_path, pixel_format, chroma, depth):
    path = make_with_ffmpeg(tmp_path / "a.nut", "-c:v", "rawvideo", "-pix_fmt", pixel_format)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with open_video(path) as video:
            assert (video.info.chroma, video.info.depth) == (chroma, depth)
            planes = next(iter(video))
            assert max(int(plane.max()) for plane in planes) >> depth - 1 == 1
    texts = [str(w.message).partition(": ")[2] for w in said]
    has_alpha = pixel_format in ("yuva420p", "rgba", "pal8")
    assert texts == (["not in the file: alpha"] if has_alpha else [])


def test_interlaced_is_refused(tmp_path):
    path = make_with_ffmpeg(
        tmp_path / "a.mkv", "-vf", "setfield=tff", "-c:v", "ffv1", "-field_order", "tt"
    )
    with pytest.raises(UnsupportedVideoError, match="interlaced"):
        open_video(path)


def test_change_of_size_is_refused(tmp_path):
    one = make_with_ffmpeg(tmp_path / "1.png", "-frames:v", "1")
    make_with_ffmpeg(tmp_path / "2.png", "-frames:v", "1", "-s", "32x32")
    assert one.exists()
    with pytest.raises(UnsupportedVideoError, match="frame 1 is 32x32"), open_video(tmp_path) as v:
        list(v)


def test_movie_from_stdin_even_with_its_index_at_the_end(tmp_path):
    info = make_info(64, 48)
    path = write(tmp_path / "a.mp4", info, smooth_frames(info, 5))
    with open_video(path) as video:
        frames = list(video)
    with open_video(io.BytesIO(path.read_bytes())) as video:
        assert video.info.frame_rate == info.frame_rate
        assert_same(frames, video)


@pytest.mark.parametrize("chroma", [*YUV, Chroma.RGB])
def test_scale_is_the_same_natively_and_inside_ffmpeg(tmp_path, chroma):
    is_rgb = chroma is Chroma.RGB
    info = make_info(64, 48, chroma, color=ColorTags("full", matrix=NO_MATRIX.get(chroma, 1)))
    frames = smooth_frames(info, 2)
    movie = write(tmp_path / "a.mkv", info, frames, codec="ffv1")
    with open_video(movie, scale=(31, 17)) as video:
        scaled, seen = list(video), video.info
    assert (seen.width, seen.height, seen.chroma) == (31, 17, chroma)
    assert seen.color == info.color
    assert seen.sample_aspect_ratio == Fraction(64 * 17, 48 * 31)
    if not is_rgb:
        with open_video(write(tmp_path / "a.y4m", info, frames), scale=(31, 17)) as video:
            assert replace(video.info, siting=None) == replace(seen, num_frames=2, siting=None)
            assert_same(scaled, video)


def test_scale_moves_no_level(tmp_path):
    """Limited stays limited and full stays full: a flat frame keeps its values."""
    for span in ("limited", "full"):
        info = make_info(64, 48, color=ColorTags(span, matrix=1))
        values = (251, 20, 240)
        frames = [
            tuple(np.full(p.shape, v, np.uint8) for p, v in zip(f, values, strict=True))
            for f in make_frames(info, 1)
        ]
        for name in ("a.mkv", "a.y4m"):
            codec = "ffv1" if name == "a.mkv" else None
            path = write(tmp_path / name, info, frames, codec=codec, overwrite=True)
            with open_video(path, scale=(32, 32)) as video:
                assert [[int(p.min()), int(p.max())] for p in next(iter(video))] == [
                    [v, v] for v in values
                ]


def test_frame_rate_is_taken_as_said(tmp_path):
    info = make_info(16, 16)
    path = write(tmp_path / "a.mkv", info, make_frames(info, 3), codec="ffv1")
    with open_video(path, frame_rate=Fraction(10)) as video:
        assert video.info.frame_rate == 10
        assert len(list(video)) == 3


def test_probe(tmp_path):
    info = make_info(16, 16)
    path = write(tmp_path / "a:b,'c%d.mkv", info, make_frames(info, 3), codec="ffv1")
    assert probe(path) == info


def test_bad_sources(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        open_video(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="empty"):
        open_video(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
    with pytest.raises(FfmpegError, match=r"Invalid data|moov atom"):
        open_video(tmp_path / "text.mp4")
    with pytest.raises(VideoError):
        open_video(io.BytesIO(b"not a video at all\n" * 50))
    with pytest.raises(VideoError, match="nothing came in"):
        open_video(io.BytesIO())
    with pytest.raises(VideoError, match="no pictures"):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="no pictures"):
        open_video(tmp_path / "%d.png")
    sound = make_with_ffmpeg(tmp_path / "a.wav", source="sine=d=0.1")
    with pytest.raises(VideoError):
        open_video(sound)
    for bad in (slice(-1, None), slice(3, 3), slice(0, 4, 2)):
        with pytest.raises(ValueError, match="allowed"):
            open_video(tmp_path / "text.mp4", frames=bad)


def test_native_formats_need_no_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setenv("NVC_FFMPEG", "/nowhere/ffmpeg")
    info = make_info(16, 8)
    frames = make_frames(info)
    for name in ("a.y4m", "a_16x8_25fps.yuv"):
        with open_video(write(tmp_path / name, info, frames)) as video:
            assert_same(frames, video)
    with pytest.raises(ToolMissingError):
        open_video(tmp_path / "a.y4m", scale=(8, 8))
    with pytest.raises(ToolMissingError):
        create_video(tmp_path / "a.mp4", info)
    with pytest.raises(ToolMissingError):
        create_video(tmp_path / "pictures", info)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.y4m", "a_16x8_25fps.yuv"]


@pytest.mark.parametrize("name", ["a.y4m", "a.yuv", "a.mp4", "pictures"])
def test_nothing_half_written_remains(tmp_path, name):
    info = make_info(16, 16)

    def broken_frames():
        yield make_frames(info, 1)[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(tmp_path / name, info, broken_frames())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.y4m", "a.yuv", "a.mp4"])
def test_existing_files_are_kept(tmp_path, name):
    info = make_info(16, 16)
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        create_video(tmp_path / name, info)
    assert (tmp_path / name).read_text() == "mine"
    write(tmp_path / name, info, make_frames(info, 1), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_bad_targets(tmp_path):
    info = make_info(16, 16)
    with pytest.raises(OutputError, match="there is no folder"):
        create_video(tmp_path / "no" / "a.y4m", info)
    with pytest.raises(UnsupportedVideoError, match=r"no video format '\.xyz'"):
        create_video(tmp_path / "a.xyz", info)
    with pytest.raises(UnsupportedVideoError, match="codec 'h263'"):
        create_video(tmp_path / "a.mp4", info, codec="h263")
    with pytest.raises(UnsupportedVideoError, match="movies only"):
        create_video(tmp_path / "a.y4m", info, codec="x264")
    with pytest.raises(UnsupportedVideoError, match="svt-av1 cannot store 444"):
        create_video(tmp_path / "a.mp4", make_info(chroma=Chroma.YUV444), codec="svt-av1")
    with create_video(io.BytesIO(), info) as video, pytest.raises(ValueError, match="do not fit"):
        video.write(make_frames(make_info(8, 8), 1)[0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_an_output_error():
    info = make_info(640, 480)
    with pytest.raises(OutputError, match="No space left"), create_video("/dev/full", info) as v:
        v.write(make_frames(info, 1)[0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_movie_on_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    full = tmp_path / "full.mkv"
    full.symlink_to("/dev/full")
    monkeypatch.setattr(writer, "new_file", lambda target: full)
    info = make_info(64, 64)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "a.mkv", info, make_frames(info, 20), codec="ffv1")
    assert list(tmp_path.iterdir()) == []


COPY = """
from nvcodec.video import create_video, open_video
with open_video("-") as source, create_video("-", source.info) as target:
    for planes in source:
        target.write(planes)
"""


def test_standard_input_to_standard_output():
    info, out = make_info(64, 48), io.BytesIO()
    write(out, info, make_frames(info, 3))
    copy = subprocess.run([sys.executable, "-c", COPY], input=out.getvalue(), capture_output=True)
    assert (copy.returncode, copy.stderr) == (0, b"")
    assert copy.stdout == out.getvalue()
