"""Files that come to the size or the quality that was asked for."""

import json

import numpy as np
import pytest

from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_NVRC,
    TINY_ROUND,
    decoded_planes,
    moving_frames,
    video_info,
    write_video,
)
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, PresetError, UnsupportedVideoError
from nvcodec.goals import Goal
from nvcodec.metrics.quality import QualityMeter
from nvcodec.presets import load_preset
from nvcodec.segment_work import GoalWarning
from nvcodec.video import open_video

NUM_FRAMES = 5
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A clip whose bytes answer to lambda."""
    info, random = video_info(48, 48), np.random.default_rng(0)
    frames = [
        tuple(
            np.clip(plane + random.normal(0, 9, plane.shape), 0, 255).astype(np.uint8)
            for plane in planes
        )
        for planes in moving_frames(info, NUM_FRAMES)
    ]
    return write_video(tmp_path_factory.mktemp("noisy") / "noisy.y4m", info, frames)


@pytest.mark.parametrize(
    ("size_bytes", "segment_frames"),
    [(3000, 5), pytest.param(1500, 5, marks=SLOW), pytest.param(3500, 3, marks=SLOW)],
)
def test_predicted_pictures_come_to_a_size(noisy, tmp_path, size_bytes, segment_frames):
    target = tmp_path / "x.nvc"
    options = EncodeOptions(goal=Goal(size_bytes=size_bytes), segment_frames=segment_frames)
    report = encode(noisy, target, load_preset(TINY_LATENTS), options)
    assert report.num_segments == -(-NUM_FRAMES // segment_frames)
    assert report.size_bytes == target.stat().st_size
    assert 0.98 * size_bytes <= report.size_bytes <= size_bytes


@pytest.mark.slow
@pytest.mark.parametrize("psnr_db", [27.0, 33.0])
def test_predicted_pictures_come_to_a_quality(noisy, tmp_path, psnr_db):
    options = EncodeOptions(goal=Goal(psnr_db=psnr_db))
    report = encode(noisy, tmp_path / "x.nvc", load_preset(TINY_LATENTS), options)
    assert report.quality is not None
    assert report.quality.psnr_rgb_db == pytest.approx(psnr_db, abs=0.2)


@pytest.mark.slow
def test_the_worst_frame_comes_to_a_quality(noisy, tmp_path):
    target = tmp_path / "x.nvc"
    options = EncodeOptions(goal=Goal(psnr_db=30, of="worst"), verify=False)
    encode(noisy, target, load_preset(TINY_LATENTS), options)
    meter = QualityMeter(video_info(48, 48))
    with open_video(noisy) as video:
        for a, b in zip(video, decoded_planes(target), strict=True):
            meter.add(a, b)
    assert min(meter.state()[0]) == pytest.approx(30, abs=0.2)


@pytest.mark.parametrize(("preset", "epochs"), [(TINY_NVRC, 40), (TINY_ROUND, 40)])
def test_networks_come_to_a_size(noisy, tmp_path, preset, epochs):
    plain = encode(noisy, tmp_path / "a.nvc", load_preset(preset, epochs=epochs), EncodeOptions())
    size_bytes = round(0.9 * plain.size_bytes)
    options = EncodeOptions(goal=Goal(size_bytes=size_bytes))
    report = encode(noisy, tmp_path / "b.nvc", load_preset(preset, epochs=epochs), options)
    assert 0.98 * size_bytes <= report.size_bytes <= size_bytes


def test_what_cannot_be_reached_is_said(noisy, tmp_path):
    options = EncodeOptions(goal=Goal(psnr_db=80))
    preset = load_preset(TINY_NVRC, epochs=8)
    with pytest.warns(GoalWarning, match=r"PSNR-RGB .* dB, 80.00 dB asked for; .* nearest"):
        encode(noisy, tmp_path / "x.nvc", preset, options)


def test_what_cannot_be_steered_or_measured_is_refused(noisy, tmp_path):
    with pytest.raises(PresetError, match="no stage that a size or a quality can steer"):
        encode(noisy, tmp_path / "x", load_preset(TINY), EncodeOptions(goal=Goal(psnr_db=30)))
    gray = write_video(tmp_path / "g.y4m", video_info(32, 32, "gray"), [
        (np.zeros((32, 32), np.uint8),)
    ])  # fmt: skip
    with pytest.raises(UnsupportedVideoError, match="VMAF of grey"):
        encode(gray, tmp_path / "x", load_preset(TINY_LATENTS), EncodeOptions(goal=Goal(vmaf=30)))


class StopAfter:
    """Asks to stop at the n-th time it is asked, and from then on."""

    def __init__(self, count):
        self.count = count

    def __call__(self):
        self.count -= 1
        return self.count < 0


@pytest.mark.parametrize(
    ("preset", "epochs"),
    [
        pytest.param(TINY_LATENTS, 2, marks=SLOW),
        pytest.param(TINY_NVRC, 12, marks=SLOW),
        (TINY_ROUND, 12),
    ],
)
def test_stopped_anywhere_it_comes_to_the_same_bytes(noisy, tmp_path, preset, epochs):
    options = EncodeOptions(goal=Goal(size_bytes=2500))
    loaded = load_preset(preset, epochs=epochs)
    encode(noisy, tmp_path / "whole.nvc", loaded, options)
    target, stops = tmp_path / "x.nvc", 0
    while not target.exists():
        should_stop = StopAfter(10 + 6 * stops)
        try:
            encode(noisy, target, loaded, options, should_stop=should_stop)
        except InterruptedEncodeError:
            stops += 1
    assert stops > 1
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()


def test_the_command(noisy, tmp_path, call):
    target = tmp_path / "x.nvc"
    words = ("encode", noisy, "-o", target, "-p", TINY_LATENTS, "--frames", "0:3", "--json")
    foreseen = call(*words, "--size", "2kB", "--dry-run")
    assert foreseen.code == 0, foreseen.stderr
    assert not target.exists()
    (seen,) = map(json.loads, foreseen.stdout.splitlines())
    assert seen["frames"] == 3
    assert seen["predicted_bytes"] == pytest.approx(2000, rel=0.05)
    assert seen["predicted_s"] > 0
    # 80 kbit/s for 3/25 of a second are 1,200 bytes.
    done = call(*words, "--bitrate", "80k")
    assert done.code == 0, done.stderr
    assert 0.98 * 1200 <= target.stat().st_size <= 1200
    again = call(*words, "--size", "2kB")
    assert again.code == 4
    assert "exists" in again.stderr
    for wrong in (
        "--size 2apples",
        "--bitrate 0k",
        "--psnr -1",
        "--of p5",
        "--size 2kB --bitrate 1k",
        "--psnr 30 --of best",
    ):
        assert call(*words, *wrong.split()).code == 2, wrong
