"""Two videos frame by frame: what they are compared as, and what comes out."""

from dataclasses import replace

import numpy as np
import pytest

from codec_helpers import moving_frames, video_info
from nvcodec.metrics.comparison import Side, common_info, compare
from nvcodec.metrics.quality import QualityMeter, mean_squared_error, psnr_db
from nvcodec.metrics.vmaf import has_vmaf
from nvcodec.video import ColorTags
from nvcodec.video.color import picture_info, picture_planes, planes_to_rgb

INFO = video_info()


def noisy(frames, amount):
    """The same frames with noise that grows from frame to frame."""
    rng = np.random.default_rng(0)
    return [
        tuple(
            np.clip(p + rng.integers(-amount * t, amount * t + 1, p.shape), 0, 255).astype(np.uint8)
            for p in planes
        )
        for t, planes in enumerate(frames)
    ]


def test_frames_are_those_of_the_whole():
    frames = moving_frames(INFO, 4)
    others = noisy(frames, 5)
    found = compare(Side(INFO, frames), Side(INFO, others), first=10)
    meter = QualityMeter(INFO)
    for a, b in zip(frames, others, strict=True):
        meter.add(a, b)
    assert found.quality == meter.quality()
    assert [frame.frame for frame in found.frames] == [10, 11, 12, 13]
    assert found.frames[0].psnr_rgb_db == 100
    for frame, a, b in zip(found.frames, frames, others, strict=True):
        expected = [psnr_db(mean_squared_error(x, y)) for x, y in zip(a, b, strict=True)]
        assert frame.psnr_planes_db == tuple(expected)
        rgb = mean_squared_error(planes_to_rgb(a, INFO), planes_to_rgb(b, INFO))
        assert frame.psnr_rgb_db == psnr_db(rgb)
    assert [frame.frame for frame in found.worst(2)] == [13, 12]
    assert (found.info, found.plane_names, found.longer, found.vmaf) == (INFO, "YUV", None, {})


def test_the_shorter_one_ends_it():
    frames = moving_frames(INFO, 4)
    for ours, theirs, longer in ((frames, frames[:3], "reference"), (frames[:3], frames, "other")):
        found = compare(Side(INFO, iter(ours)), Side(INFO, iter(theirs)))
        assert (len(found.frames), found.longer) == (3, longer)


def test_pictures_and_planes_are_compared_as_rgb():
    frames = moving_frames(INFO, 2)
    pictures = [picture_planes(planes, INFO) for planes in frames]
    for sides in (
        (Side(INFO, frames), Side(picture_info(INFO), pictures)),
        (Side(picture_info(INFO), pictures), Side(INFO, frames)),
    ):
        found = compare(*sides)
        assert found.plane_names == "RGB"
        assert found.quality.psnr_rgb_db == 100


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "420"),
        ({"color": ColorTags("limited", 1, 1, 1)}, "420"),
        ({"color": ColorTags("full")}, "rgb"),
        ({"chroma": "444"}, "rgb"),
        ({"chroma": "gray"}, None),
        ({"width": 16}, None),
        ({"depth": 10}, "rgb"),
    ],
)
def test_what_two_videos_are_compared_as(changes, expected):
    if "chroma" in changes:
        changes = {"chroma": video_info(chroma=changes["chroma"]).chroma}
    info = common_info(INFO, replace(INFO, **changes))
    assert (None if info is None else info.chroma.value) == expected


@pytest.mark.parametrize("chroma", ["420", "gray", "rgb"])
def test_two_depths_are_compared_as_pictures(chroma):
    info = video_info(chroma=chroma)
    deep = replace(info, depth=10)
    frames = moving_frames(info, 2)
    deeper = [tuple(plane.astype(np.uint16) << 2 for plane in planes) for planes in frames]
    pictures = [picture_planes(planes, deep) for planes in deeper]
    for ours, theirs, depth, lowest_db in (
        (Side(info, frames), Side(deep, deeper), 8, 45),
        (Side(deep, deeper), Side(info, frames), 8, 45),
        (Side(deep, deeper), Side(picture_info(deep), pictures), 16, 100),
        (Side(deep, deeper), Side(deep, deeper), 10, 100),
    ):
        found = compare(ours, theirs)
        assert found.info.depth == depth
        assert found.quality.psnr_rgb_db >= lowest_db


@pytest.mark.skipif(not has_vmaf(), reason="needs an ffmpeg with libvmaf")
def test_vmaf_is_measured_on_request():
    info = video_info(96, 96)
    frames = moving_frames(info, 3)
    found = compare(Side(info, frames), Side(info, noisy(frames, 10)), with_vmaf=True)
    assert 0 < found.vmaf["vmaf"] < 100
