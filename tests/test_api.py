"""The library as it is typed: what is meant is taken, what is not is said in one line."""

import io
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from codec_helpers import TINY
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
        (lambda p: nvcodec.decode(p, frames=(0, 4)), r"frames: \(0, 4\); allowed is slice"),
        (lambda p: nvcodec.decode(p, frames="0:4"), "frames: '0:4'"),
        (lambda p: nvcodec.decode(p, framse=None), "framse"),
        (lambda p: nvcodec.encode(np.zeros((2, 16, 16, 3)), "x.nvc"), "source: ndarray"),
        (lambda p: nvcodec.encode(3, "x.nvc"), "source: int"),
        (lambda p: nvcodec.encode(p, "x.nvc", scale=[88, 72]), r"scale: \[88, 72\]"),
        (lambda p: nvcodec.encode(p, "x.nvc", scale=2), "scale: 2; allowed are"),
    ],
)
def test_what_is_not_taken_is_said(encoded, call, said):
    with pytest.raises(TypeError, match=said):
        call(encoded)


def test_a_preset_may_be_a_path(clip, tmp_path):
    report = nvcodec.encode(clip, tmp_path / "x.nvc", Path(TINY), epochs=4)
    assert report.num_frames == 8


def test_pictures_are_compared_with_what_was_made_of_them(call, encoded, tmp_path):
    assert call("decode", encoded, "-o", tmp_path / "pictures").code == 0
    done = call("verify", encoded, "--against", tmp_path / "pictures", "--json")
    assert done.code == 0, done.stderr
    assert done.records[-1]["psnr_rgb_db"] > 60
