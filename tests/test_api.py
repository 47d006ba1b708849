"""The library as it is typed: what is meant is taken, what is not is said in one line."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from codec_helpers import TINY, TINY_RAW, moving_frames, video_info
from nvcodec.errors import NvcError


def test_slices_and_numbers_of_numpy(encoded):
    with nvcodec.open(encoded) as video:
        frames = list(video)
        assert len(video[0:3]) == 3
        assert all(np.array_equal(a, b) for a, b in zip(video[2:8:2], frames[2:8:2], strict=True))
        assert np.array_equal(video[np.int64(1)], frames[1])
        assert np.array_equal(video[-1], frames[7])


def test_a_file_is_opened_at_the_call(tmp_path, encoded):
    with pytest.raises(NvcError):
        nvcodec.decode(tmp_path / "nowhere.nvc")
    assert len(list(nvcodec.decode(io.BytesIO(encoded.read_bytes())))) == 8


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: nvcodec.decode(p.read_bytes()), "path: bytes"),
        (lambda p: nvcodec.decode(3), "path: int; allowed are a path"),
        (lambda p: nvcodec.decode(p, frames=(0, 4)), r"\(0, 4\); allowed are slice\(0, 4\) and"),
        (lambda p: nvcodec.decode(p, frames="0:4"), r"frames: '0:4'; allowed are slice\(0, 4\)"),
        (lambda p: nvcodec.decode(p, framse=None), "framse"),
        (lambda p: nvcodec.encode(np.zeros((2, 16, 16, 3)), "x.nvc"), "frames: float64; allowed"),
        (lambda p: nvcodec.encode([3, 4], "x.nvc"), "frames: int; allowed are uint8"),
        (lambda p: nvcodec.encode(b"bytes", "x.nvc"), "source: bytes"),
        (lambda p: nvcodec.encode(3, "x.nvc"), "source: int"),
        (lambda p: nvcodec.encode(p, "x.nvc", scale=[88, 72]), r"scale: \[88, 72\]"),
        (lambda p: nvcodec.encode(p, "x.nvc", scale=2), "scale: 2; allowed are"),
    ],
)
def test_what_is_not_taken_is_said(encoded, call, said):
    with pytest.raises(TypeError, match=said):
        call(encoded)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: nvcodec.decode(p, frames=slice(-3, None)), r"slice\(-3, None, None\); allowed"),
        (lambda p: nvcodec.decode(p, frames=range(0, 4, 2)), "step 1"),
        (lambda p: nvcodec.encode(np.zeros((9, 9), np.uint8), "x.nvc"), r"shape \(9, 9\)"),
        (lambda p: nvcodec.encode(np.zeros((2, 9, 9, 4), np.uint8), "x.nvc"), r"is \(9, 9, 4\)"),
        (lambda p: nvcodec.encode([], "x.nvc", preset=TINY), "no source given"),
        (lambda p: nvcodec.encode(iter([]), "x.nvc"), "frames: none"),
        (lambda p: nvcodec.encode(p, "x.nvc", max_time="soon"), "max_time: 'soon'; expected a"),
        (lambda p: nvcodec.encode(p, "x.nvc", frame_rate=-1), "frame_rate: -1; expected a rate"),
    ],
)
def test_values_that_make_no_sense_are_said(encoded, call, said):
    with pytest.raises((ValueError, NvcError), match=said):
        call(encoded)


def test_a_video_is_like_an_array(encoded):
    with nvcodec.open(encoded) as video:
        assert (len(video), video.fps, video.shape) == (8, 25.0, (8, 32, 32, 3))
        assert repr(video) == "<Decoder: 8 frames, 32x32 4:2:0, 25 frames/s>"
        pixels = np.asarray(video)
        assert (pixels.dtype, pixels.shape) == (np.uint8, (8, 32, 32, 3))
        assert all(np.array_equal(a, b) for a, b in zip(pixels, video, strict=True))
        assert np.asarray(video, dtype=np.float32).dtype == np.float32
        assert [video.frame_at(s) for s in (0, 0.04, 0.119, Fraction(7, 25))] == [0, 1, 2, 7]
        for outside in (-0.01, 0.32):
            with pytest.raises(NvcError, match=r"not in the video, which lasts 0\.32"):
                video.frame_at(outside)
        with pytest.raises(IndexError, match="frame 8 is not in the video, which has 8"):
            video[8]
    with nvcodec.open(io.BytesIO(encoded.read_bytes()), frames=range(2, 4)) as video:
        assert len(list(video)) == 2


@pytest.mark.parametrize(
    ("frames", "shape"),
    [
        (lambda f: f, (4, 32, 32, 3)),
        (lambda f: iter(f), (4, 32, 32, 3)),
        (lambda f: list(f[..., 0]), (4, 32, 32, 1)),
        (lambda f: f[..., :1], (4, 32, 32, 1)),
    ],
)
def test_arrays_are_encoded(tmp_path, frames, shape):
    info = video_info(chroma="rgb")
    pixels = np.stack([np.stack(planes, axis=-1) for planes in moving_frames(info, 4)])
    out = tmp_path / "x.nvc"
    nvcodec.encode(frames(pixels), out, preset=TINY_RAW, frame_rate=29.97, epochs=2)
    with nvcodec.open(out) as video:
        assert video.shape == shape
        assert video.info.frame_rate == Fraction(30000, 1001)


def test_frames_that_change_part_way_are_refused(tmp_path):
    frames = [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 30, 3), np.uint8)]
    with pytest.raises(NvcError, match=r"frame 1 is uint8 \(32, 30, 3\), the first is uint8"):
        nvcodec.encode(frames, tmp_path / "x.nvc", preset=TINY_RAW, epochs=1, frame_rate=25)


def test_a_preset_may_be_a_path(clip, tmp_path):
    report = nvcodec.encode(clip, tmp_path / "x.nvc", Path(TINY), epochs=4, frames=range(8))
    assert report.num_frames == 8


def test_pictures_are_compared_with_what_was_made_of_them(call, encoded, tmp_path):
    assert call("decode", encoded, "-o", tmp_path / "pictures").code == 0
    done = call("verify", encoded, "--against", tmp_path / "pictures", "--json")
    assert done.code == 0, done.stderr
    assert done.records[-1]["psnr_rgb_db"] > 60
