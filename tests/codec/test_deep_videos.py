"""More than 8 bits a sample from end to end: every family, the command line, clips of others."""

import json
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from codec_helpers import (
    TESTS,
    TINY,
    TINY_RAW,
    assert_same_frames,
    decoded_planes,
    moving_frames,
    video_info,
    write_video,
)
from nvcodec.metrics.quality import QualityMeter
from nvcodec.samples import ContentLight, MasteringDisplay, Siting
from nvcodec.video import ColorTags, VideoWarning, open_video
from nvcodec.video.planar import rounded_to_8_bits

QUICK = ("tiny", "tiny-nerv", "tiny-raw")
EVERY_FAMILY = [
    pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow)
    for path in sorted((TESTS / "presets").glob("tiny*.toml"))
]
DISPLAY = MasteringDisplay(34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10000000, 1)
LIGHT = ContentLight(1000, 400)
FEW = 4


def deep_info(depth=10):
    return replace(
        video_info(depth=depth),
        color=ColorTags("limited", 9, 16, 9),
        siting=Siting.TOPLEFT,
        mastering_display=DISPLAY,
        content_light=LIGHT,
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two frames of 10 bits with all that can be said of light."""
    info = deep_info()
    target = tmp_path_factory.mktemp("film") / "film.mkv"
    from nvcodec.video import create_video

    with create_video(target, info, codec="ffv1") as video:
        for planes in moving_frames(info, 2):
            video.write(planes)
    return target


@pytest.mark.parametrize("preset", EVERY_FAMILY)
def test_every_family_at_10_bits(tmp_path, film, preset):
    target = tmp_path / "a.nvc"
    report = nvcodec.encode(film, target, preset=preset, epochs=FEW)
    frames = decoded_planes(target)
    assert all(plane.dtype == np.uint16 for planes in frames for plane in planes)
    assert max(int(planes[0].max()) for planes in frames) > 255
    meter = QualityMeter(deep_info())
    with open_video(film) as video:
        for planes, other in zip(video, frames, strict=True):
            meter.add(planes, other)
    assert meter.quality() == report.quality
    pairs = zip(moving_frames(deep_info(), 2), frames, strict=True)
    errors = [np.mean((a[0] - 1.0 * b[0]) ** 2) for a, b in pairs]
    luma_db = 10 * np.log10(1023**2 / np.mean(errors))
    assert report.quality.psnr_planes_db[0] == pytest.approx(luma_db)
    with nvcodec.open(target) as video:
        assert video[0].shape == (32, 32, 3)
        assert video[0].dtype == np.uint16
        assert video.info == replace(deep_info(), num_frames=2)


@pytest.mark.parametrize("depth", [9, 12, 16])
@pytest.mark.parametrize(
    ("chroma", "samples"),
    [("420", "yuv420"), ("422", "yuv"), ("444", "rgb"), ("gray", None)],
)
def test_depths_and_samples(tmp_path, depth, chroma, samples):
    info = video_info(17, 23, chroma, depth)
    source = write_video(tmp_path / "a.y4m", info, moving_frames(info, 2))
    target = tmp_path / "a.nvc"
    report = nvcodec.encode(source, target, preset=TINY, samples=samples, epochs=FEW)
    assert report.quality.psnr_rgb_db > 5
    assert nvcodec.info(target).head.bit_depth == depth
    assert decoded_planes(target)[0][0].max() > 1 << depth - 2


def test_the_command_line_keeps_or_rounds(tmp_path, film, call):
    target, movie = tmp_path / "a.nvc", tmp_path / "a.mkv"
    words = ("-p", TINY_RAW, "--epochs", FEW)
    done = call("encode", film, "-o", target, *words)
    assert (done.code, "read as 8" in done.stderr) == (0, False), done.stderr
    assert call("decode", target, "-o", movie, "--codec", "ffv1").code == 0
    with open_video(movie) as video:
        assert video.info == deep_info()
        assert_same_frames(list(video), decoded_planes(target))
    shown = call("info", target).stdout.decode()
    assert "420, 10 bits, limited range, CICP 9/16/9" in shown
    assert "mastered on     R 0.68,0.32 G 0.265,0.69 B 0.15,0.06 W 0.3127,0.329, " in shown
    assert "0.0001 to 1000 cd/m2" in shown
    assert "content light   at most 1000 cd/m2, a frame's mean 400" in shown
    assert "siting          topleft" in shown
    assert call("verify", target, "--against", film).code == 0
    # 8 bits are the same as a source that was rounded before.
    shallow, rounded = tmp_path / "b.nvc", tmp_path / "b.y4m"
    done = call("encode", film, "-o", shallow, *words, "--depth", 8)
    assert (done.code, "bits" in done.stderr) == (0, False), done.stderr
    assert call("verify", shallow, "--against", film).code == 0
    info = replace(deep_info(8), mastering_display=None, content_light=None)
    eight = [
        tuple(rounded_to_8_bits(plane, 10, is_full=False) for plane in planes)
        for planes in moving_frames(deep_info(), 2)
    ]
    nvcodec.encode(
        write_video(rounded, info, eight), tmp_path / "c.nvc", preset=TINY_RAW, epochs=FEW
    )
    assert_same_frames(decoded_planes(shallow), decoded_planes(tmp_path / "c.nvc"))
    refused = call("encode", film, "-o", tmp_path / "d.nvc", *words, "--depth", 10)
    assert refused.code == 2
    assert "--depth 10: expected 8" in refused.stderr
    deep = call("verify", target, "--against", rounded)
    assert (deep.code, "8 bits a sample, the file has 10" in deep.stderr) == (8, True)


def test_a_depth_without_a_codec_says_what_has_one(tmp_path, call):
    info = video_info(depth=16)
    source = write_video(tmp_path / "a.y4m", info, moving_frames(info, 1))
    target = tmp_path / "a.nvc"
    nvcodec.encode(source, target, preset=TINY_RAW, epochs=1)
    done = call("decode", target, "-o", tmp_path / "a.mp4")
    assert done.code == 3
    said = "x265 cannot store 16 bits a sample; it takes 8, 10, 12; --codec ffv1"
    assert said in done.stderr
    assert call("decode", target, "-o", tmp_path / "a.mkv", "--codec", "ffv1").code == 0


def test_pictures_of_16_bits_go_in_and_out(tmp_path):
    info = replace(video_info(chroma="rgb", depth=16), color=ColorTags("full", matrix=0))
    write_video(tmp_path / "in", info, moving_frames(info, 2))
    nvcodec.encode(tmp_path / "in", tmp_path / "a.nvc", preset=TINY_RAW, epochs=FEW)
    frames = decoded_planes(tmp_path / "a.nvc")
    write_video(tmp_path / "out", info, frames)
    with open_video(tmp_path / "out") as video:
        assert video.info.depth == 16
        assert_same_frames(list(video), frames)


CLIPS = {
    "h264_10bit_200.mp4": ("yuv420p10le", "tv", 2, 2, 2, "left"),
    "lights-hlg.mov": ("yuv420p10le", "tv", "bt2020", "arib-std-b67", "bt2020nc", "left"),
    "sparks_480x270_420p10le.yuv": ("yuv420p10le", "tv", 2, 2, 2, None),
    "cockatoo_yuv444p.mp4": ("yuv444p", "tv", 2, 2, 2, None),
    "bt709_full_range_720p.mp4": ("yuv420p", "pc", "bt709", "bt709", "bt709", "left"),
    "mjpeg422_vga.avi": ("yuv422p", "pc", 2, 2, "bt470bg", "center"),
    "park_joy_480x270_10f.y4m": ("yuv420p", "tv", 2, 2, 2, "center"),
    "racehorses_832x480_2f.yuv": ("yuv420p", "tv", 2, 2, 2, None),
}
"""Pixel format, range, primaries, transfer, matrix and siting, as ffprobe says them."""
FIELDS = ("pix_fmt", "color_range", "color_primaries", "color_transfer", "color_space")
SHOWN = "stream=" + ",".join((*FIELDS, "chroma_location"))


def probed(path):
    """What ffprobe says of a file's video."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", SHOWN]
    command += ["-show_entries", "stream_side_data", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"][0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe")
@pytest.mark.parametrize("name", CLIPS)
def test_clips_of_others_come_back_as_ffprobe_sees_them(clips, tmp_path, call, name):
    source, target, movie = clips / "formats" / name, tmp_path / "a.nvc", tmp_path / "a.mkv"
    words = ("-p", TINY, "--epochs", FEW, "--frames", "0:2", "--scale", "64x48", "-q")
    done = call("encode", source, "-o", target, *words)
    assert done.code == 0, done.stderr
    assert call("decode", target, "-o", movie, "--codec", "ffv1").code == 0
    seen = probed(movie)
    wanted = ["unknown" if field == 2 else field for field in CLIPS[name]]
    assert [seen.get(field, "unknown") for field in FIELDS] == wanted[:5]
    siting = None if seen.get("chroma_location") == "unspecified" else seen.get("chroma_location")
    assert siting == (wanted[5] if "444" not in wanted[0] else None)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe")
@pytest.mark.parametrize("codec", ["ffv1", "x265", "svt-av1", "x264", "vvenc"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_ffprobe_sees_the_mastering_display(tmp_path, codec, suffix):
    if (codec, suffix) in (("ffv1", ".mp4"), ("vvenc", ".mkv")):
        pytest.skip("not of that kind")
    from nvcodec.video import create_video

    info = replace(deep_info(), width=64, height=64, siting=Siting.LEFT)
    path: Path = tmp_path / f"a{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error", VideoWarning)
        with create_video(path, info, codec=codec) as video:
            for planes in moving_frames(info, 2):
                video.write(planes)
    data = {d["side_data_type"]: d for d in probed(path)["side_data_list"]}
    display = data["Mastering display metadata"]
    names = ("red", "green", "blue", "white_point")
    fields = [f"{color}_{axis}" for color in names for axis in "xy"]
    fields += ["max_luminance", "min_luminance"]
    units = 8 * (50_000,) + 2 * (10_000,)
    exact = [eval(display[f]) * unit for f, unit in zip(fields, units, strict=True)]
    assert exact == pytest.approx(DISPLAY)
    light = data["Content light level metadata"]
    assert (light["max_content"], light["max_average"]) == LIGHT
