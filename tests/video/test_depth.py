"""More than 8 bits a sample, and HDR metadata: in and out of every kind of file."""

import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from video_helpers import assert_same, make_frames, make_info, smooth_frames

from nvcodec.errors import UnsupportedVideoError
from nvcodec.processes import ffmpeg_path, run
from nvcodec.samples import Chroma, ContentLight, MasteringDisplay, Siting
from nvcodec.video import ColorTags, VideoWarning, create_video, open_video
from nvcodec.video.color import planes_to_rgb

PQ = ColorTags("limited", 9, 16, 9)
DISPLAY = MasteringDisplay(34000, 16000, 13248, 34499, 7501, 3002, 15634, 16451, 10000001, 53)
"""P3 with its last digits changed: four decimals would not tell them."""
LIGHT = ContentLight(1000, 400)
HDR = {"color": PQ, "mastering_display": DISPLAY, "content_light": LIGHT, "depth": 10}
YUV = [Chroma.GRAY, Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]


def write(path, info, frames, **options):
    with create_video(path, info, **options) as video:
        for planes in frames:
            video.write(planes)
    return path


@pytest.mark.parametrize("depth", [9, 10, 11, 12, 14, 16])
@pytest.mark.parametrize("chroma", YUV)
def test_native_files_keep_every_bit(tmp_path, chroma, depth):
    siting = Siting.TOPLEFT if chroma in (Chroma.YUV420, Chroma.YUV422) else None
    info = make_info(17, 23, chroma, depth=depth, color=PQ, siting=siting)
    frames = make_frames(info, 2)
    with open_video(write(tmp_path / "a.y4m", info, frames)) as video:
        assert video.info == replace(info, num_frames=2)
        assert_same(frames, video)
    raw = tmp_path / f"a_17x23_25fps_{chroma}_{depth}bit.yuv"
    if depth != 11:  # no name says so
        write(raw, info, frames)
        with pytest.warns(VideoWarning, match=f"{depth} bits"):
            video = open_video(raw)
        with video:
            assert video.info.depth == depth
            assert_same(frames, video)


@pytest.mark.parametrize("depth", [9, 10, 12, 16])
@pytest.mark.parametrize("chroma", [*YUV, Chroma.RGB])
def test_ffv1_keeps_every_bit(tmp_path, chroma, depth):
    matrix = 0 if chroma is Chroma.RGB else 2 if chroma is Chroma.GRAY else 9
    color = (
        ColorTags("full", matrix=0) if chroma is Chroma.RGB else ColorTags("full", 9, 18, matrix)
    )
    info = make_info(17, 23, chroma, depth=depth, color=color)
    frames = make_frames(info, 2)
    with open_video(write(tmp_path / "a.mkv", info, frames, codec="ffv1")) as video:
        assert video.info == info
        assert_same(frames, video)


@pytest.mark.parametrize("depth", [10, 16])
@pytest.mark.parametrize("chroma", [Chroma.RGB, Chroma.GRAY])
def test_pictures_have_16_bits(tmp_path, chroma, depth):
    color = ColorTags("full", matrix=0 if chroma is Chroma.RGB else 2)
    info = make_info(17, 23, chroma, color=color, depth=depth, frame_rate=Fraction(25))
    frames = make_frames(info, 2)
    with open_video(write(tmp_path / "f", info, frames), frame_rate=Fraction(25)) as video:
        assert video.info == replace(info, depth=16, num_frames=2)
        for planes, pictures in zip(frames, video, strict=True):
            for plane, picture in zip(planes, pictures, strict=True):
                exact = plane * (65535 / info.max_sample)
                assert np.abs(picture - exact).max() <= 0.5


def test_pictures_of_deep_yuv_are_our_rgb(tmp_path):
    info = make_info(16, 8, color=PQ, depth=16)
    frames = make_frames(info, 1)
    with open_video(write(tmp_path / "f", info, frames)) as video:
        rgb = np.stack(next(iter(video)), axis=-1)
    np.testing.assert_array_equal(planes_to_rgb(frames[0], info), rgb)


MOVIES = [
    ("a.mp4", None, Chroma.YUV420, 10),
    ("a.mkv", "x265", Chroma.YUV422, 12),
    ("a.mp4", "x264", Chroma.YUV444, 10),
    ("a.mp4", "svt-av1", Chroma.YUV420, 10),
    ("a.mp4", "vvenc", Chroma.YUV420, 10),
    ("a.webm", None, Chroma.YUV420, 12),
    ("a.mkv", "ffv1", Chroma.YUV422, 14),
]


@pytest.mark.parametrize(("name", "codec", "chroma", "depth"), MOVIES)
def test_movies_keep_depth_and_hdr(tmp_path, name, codec, chroma, depth):
    siting = Siting.LEFT if chroma is Chroma.YUV420 else None
    info = make_info(64, 64, chroma, **{**HDR, "depth": depth}, siting=siting)
    frames = smooth_frames(info, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", VideoWarning)
        path = write(tmp_path / name, info, frames, codec=codec)
        with open_video(path) as video:
            seen, same = video.info, list(video)
    assert (seen.depth, seen.chroma, seen.color) == (depth, chroma, PQ)
    assert seen.content_light == LIGHT
    if codec != "vvenc":  # ffmpeg writes none into VVC
        assert chroma is not Chroma.YUV420 or seen.siting is Siting.LEFT
    assert len(same) == 2
    # AV1 has luminances and chromaticities in binary fractions.
    nearest = np.abs(np.subtract(seen.mastering_display, DISPLAY)).max()
    assert nearest <= (1 if codec == "svt-av1" else 0)
    for planes, other in zip(frames, same, strict=True):
        for a, b in zip(planes, other, strict=True):
            assert np.abs(a.astype(int) - b).mean() < 1.5 * 2 ** (depth - 8)


@pytest.mark.parametrize(("codec", "chroma", "depth"), [
    ("x264", Chroma.YUV420, 12), (None, Chroma.YUV444, 16), ("svt-av1", Chroma.YUV420, 12),
    ("vp9", Chroma.YUV420, 14), ("ffv1", Chroma.YUV420, 11),
])  # fmt: skip
def test_a_depth_that_a_codec_has_not_is_refused(tmp_path, codec, chroma, depth):
    info = make_info(64, 64, chroma, depth=depth)
    with pytest.raises(UnsupportedVideoError, match=rf"cannot store {depth} bits.*ffv1"):
        create_video(tmp_path / "a.mkv", info, codec=codec)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.y4m", "a.avi", "pictures"])
def test_what_has_no_place_for_hdr_says_so(tmp_path, name):
    info = make_info(16, 16, **HDR)
    with pytest.warns(VideoWarning, match="without the mastering display and light level"):
        write(tmp_path / name, info, make_frames(info, 1))


def test_half_a_light_level_is_not_written_and_said(tmp_path):
    info = make_info(16, 16, **{**HDR, "content_light": ContentLight(1000, 0)})
    with pytest.warns(VideoWarning, match="without the light level, of which one number"):
        path = write(tmp_path / "a.mkv", info, make_frames(info, 1), codec="ffv1")
    with open_video(path) as video:
        assert (video.info.mastering_display, video.info.content_light) == (DISPLAY, None)


def test_scaling_keeps_the_depth(tmp_path):
    info = make_info(32, 32, depth=10)
    flat = tuple(np.full_like(plane, 513) for plane in make_frames(info, 1)[0])
    path = write(tmp_path / "a.y4m", info, [flat])
    with open_video(path, scale=(16, 20)) as video:
        assert video.info.depth == 10
        assert {int(value) for plane in next(iter(video)) for value in np.unique(plane)} == {513}


def make_pq(path):
    """Frames as a camera's or a mastering tool's: x265, PQ, a mastering display."""
    master = "G(13248,34499)B(7501,3002)R(34000,16000)WP(15634,16451)L(10000001,53)"
    params = f"log-level=error:pools=1:master-display={master}:max-cll=1000,400"
    tags = "setparams=range=tv:color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    run([
        ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.12:r=25",
        "-vf", f"format=yuv420p10le,{tags}", "-c:v", "libx265", "-preset", "ultrafast",
        "-x265-params", params, str(path),
    ])  # fmt: skip
    return path


def test_a_film_of_others_is_read_to_the_last_digit(tmp_path):
    path = make_pq(tmp_path / "pq.mp4")
    with open_video(path) as video:
        assert video.info == make_info(64, 48, frame_rate=Fraction(25), siting=Siting.LEFT, **HDR)
        assert max(int(planes[0].max()) for planes in video) > 255
    with path.open("rb") as stream, open_video(stream) as video:
        assert np.abs(np.subtract(video.info.mastering_display, DISPLAY)).max() <= 2
    with open_video(path, depth=8) as video:
        assert video.info.depth == 8
        assert next(iter(video))[0].dtype == np.uint8
