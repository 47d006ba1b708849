"""Qualities of a decoded file, against other implementations and by hand."""

import numpy as np
import pytest

from codec_helpers import moving_frames, video_info, write_video
from nvcodec.bench.baselines.x265 import X265
from nvcodec.bench.datasets import SequenceOptions, VideoSequence, survey
from nvcodec.bench.measuring import measure, write_y4m
from nvcodec.bench.points import Source
from nvcodec.errors import VerificationError
from nvcodec.metrics.vmaf import has_vmaf
from nvcodec.processes import run
from nvcodec.video import open_video


def source_of(path, tmp_path):
    clip = VideoSequence("clip", path, SequenceOptions())
    source = Source(clip, survey(clip), tmp_path / "source.y4m")
    write_y4m(source)
    return source


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Frames and their noisy twins, large enough for every metric."""
    folder = tmp_path_factory.mktemp("pair")
    info, noise = video_info(192, 176), np.random.default_rng(0)
    frames = moving_frames(info, 2)
    others = [
        tuple((p + noise.integers(-6, 7, p.shape)).astype(np.uint8) for p in planes)
        for planes in frames
    ]
    write_video(folder / "clip.y4m", info, frames)
    write_video(folder / "decoded.y4m", info, others)
    return source_of(folder / "clip.y4m", folder), folder / "decoded.y4m", frames, others


def test_every_metric(pair, tmp_path):
    import torch
    from pytorch_msssim import ms_ssim

    source, decoded, frames, others = pair
    picture = tmp_path / "picture.png"
    measured = measure(source, decoded, tmp_path, picture)
    quality = measured.quality
    luma = [
        [torch.from_numpy(f[0].copy())[None, None].float() for f in v] for v in (frames, others)
    ]
    expected = np.mean([float(ms_ssim(a, b, data_range=255)) for a, b in zip(*luma, strict=True)])
    assert quality["ms_ssim_y"] == pytest.approx(expected)
    assert 0.8 < quality["ms_ssim_rgb"] < 1
    y_errors = [
        np.mean((a[0].astype(float) - b[0]) ** 2) for a, b in zip(frames, others, strict=True)
    ]
    psnr_y = 10 * np.log10(255**2 / np.mean(y_errors))
    assert quality["psnr_planes_db"][0] == pytest.approx(psnr_y)
    assert quality["psnr_rgb_ffmpeg_db"] == pytest.approx(quality["psnr_rgb_db"], abs=0.5)
    if has_vmaf():
        assert 0 < quality["vmaf_neg"] <= quality["vmaf"] <= 100
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_equal_files(pair, tmp_path):
    source = pair[0]
    measured = measure(source, source.y4m, tmp_path)
    assert measured.quality["psnr_rgb_db"] == measured.quality["psnr_rgb_ffmpeg_db"] == 100
    assert measured.quality["ms_ssim_y"] == pytest.approx(1)


def test_other_frames_are_refused(tmp_path):
    info = video_info(32, 32)
    frames = moving_frames(info, 3)
    source = source_of(write_video(tmp_path / "clip.y4m", info, frames), tmp_path)
    few = write_video(tmp_path / "few.y4m", info, frames[:2])
    many = write_video(tmp_path / "many.y4m", info, [*frames, frames[0]])
    wide = video_info(34, 32)
    other = write_video(tmp_path / "wide.y4m", wide, moving_frames(wide, 3))
    for path, said in (
        (few, "2 frames, the source has 3"),
        (many, "at least 4 frames, the source has 3"),
        (other, "34x32 420 of 8 bits, the source is 32x32 420 of 8 bits"),
    ):
        with pytest.raises(VerificationError, match=said):
            measure(source, path, tmp_path)


def test_a_deep_source_and_a_baseline_at_its_depth(tmp_path):
    info = video_info(64, 64, depth=10)
    frames = moving_frames(info, 2)
    source = source_of(write_video(tmp_path / "clip.y4m", info, frames), tmp_path)
    coded, decoded = tmp_path / "coded.hevc", tmp_path / "decoded.y4m"
    run(X265().encode_command(source.y4m, coded, 10, "ultrafast"))
    run(X265().decode_command(coded, decoded))
    quality = measure(source, decoded, tmp_path).quality
    with open_video(decoded) as video:
        assert video.info.depth == 10
        pairs = zip(frames, video, strict=True)
        errors = [np.mean((a[0].astype(float) - b[0]) ** 2) for a, b in pairs]
    psnr_y = 10 * np.log10(1023**2 / np.mean(errors))
    assert quality["psnr_planes_db"][0] == pytest.approx(psnr_y)
    assert quality["psnr_rgb_ffmpeg_db"] is None  # which is of 8 bits
    shallow = video_info(64, 64)
    other = write_video(tmp_path / "8.y4m", shallow, moving_frames(shallow, 2))
    with pytest.raises(VerificationError, match="420 of 8 bits, the source is 64x64 420 of 10"):
        measure(source, other, tmp_path)


def test_an_rgb_source_coded_as_yuv(tmp_path):
    info = video_info(32, 32, "rgb")
    source = source_of(
        write_video(tmp_path / "clip", info, moving_frames(info, 2)).absolute(), tmp_path
    )
    quality = measure(source, source.y4m, tmp_path).quality  # what 4:2:0 alone costs
    assert 25 < quality["psnr_rgb_db"] < 60
    assert quality["psnr_yuv_db"] is quality["psnr_rgb_ffmpeg_db"] is None
