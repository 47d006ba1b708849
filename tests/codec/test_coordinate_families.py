"""Coordinate MLPs, networks on noise and weight steps through the real command line."""

import json

import numpy as np
import pytest

import nvcodec
from codec_helpers import ROOT, TESTS, decoded_elsewhere, nvc
from nvcodec.container.reader import NvcReader
from nvcodec.errors import BitstreamError
from nvcodec.presets import preset_names

CLIP = ROOT / "benchmarks" / "clips" / "bbb_320x180_48f.mp4"
SMALL = ("--frames", "0:3", "--scale", "48x28")
FAMILIES = ("coin-", "image-cnn", "weightstep-")
TINY = [str(TESTS / "presets" / f"{name}.toml") for name in ("tiny-coin", "tiny-steps-cnn")]
TINY_STEPS = str(TESTS / "presets" / "tiny-steps.toml")


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Four frames of the embedded clip as two segments of weight steps."""
    path = tmp_path_factory.mktemp("steps") / "steps.nvc"
    words = ("--frames", "0:4", "--scale", "48x28", "--segment-frames", 3)
    done = nvc("encode", CLIP, "-o", path, "-p", TINY_STEPS, *words, "-q")
    assert done.code == 0, done.stderr
    return path


@pytest.mark.parametrize(
    "preset", [name for name in preset_names() if name.startswith(FAMILIES)] + TINY
)
def test_every_preset_makes_the_round_trip(tmp_path, call, preset):
    path, decoded = tmp_path / "a.nvc", tmp_path / "a.y4m"
    done = call("encode", CLIP, "-o", path, "-p", preset, "--epochs", 12, *SMALL, "--json")
    assert done.code == 0, done.stderr
    report = done.records[-1]
    assert report["size_bytes"] == path.stat().st_size
    assert report["psnr_rgb_db"] > 8
    done = call("verify", path, "--against", CLIP, *SMALL, "--json")
    assert done.code == 0, done.stderr
    assert done.records[-1]["psnr_rgb_db"] == pytest.approx(report["psnr_rgb_db"], abs=0.01)
    assert call("decode", path, "-o", decoded, "-q").code == 0
    assert decoded.stat().st_size > 3 * 48 * 28


def test_info_says_what_a_frame_needs(steps, encoded, call):
    lines = call("info", steps).stdout.decode().splitlines()
    assert any(
        line.startswith("random access") and "anchor and t weight steps" in line for line in lines
    )
    record = json.loads(call("info", encoded, "--json").stdout)
    per_pixel = record["macs_per_frame"] / record["head"]["width"] / record["head"]["height"]
    shown = call("info", encoded).stdout.decode()
    assert f"decoding        {per_pixel:,.0f} MAC a pixel" in shown
    assert record["random_access"] == "any frame of a segment alone"


def test_a_new_segment_begins_with_a_new_anchor(steps):
    with nvcodec.open(steps) as video:
        frames = [video[t] for t in (3, 0, 2, 1)]
    in_order = list(nvcodec.decode(steps))
    for t, frame in zip((3, 0, 2, 1), frames, strict=True):
        np.testing.assert_array_equal(frame, in_order[t])


@pytest.mark.parametrize("preset", [pytest.param("sines", marks=pytest.mark.slow), "steps"])
def test_other_arithmetic_gives_the_same_integers_and_pixels_within_a_step(
    steps, tmp_path, call, preset
):
    """Sines amplify: one thread or two, with oneDNN or without."""
    path = steps
    if preset == "sines":
        path = tmp_path / "a.nvc"
        words = ("-p", "coin-mlp-siren", "--epochs", 30, *SMALL, "-q")
        assert call("encode", CLIP, "-o", path, *words).code == 0
    one, two = (decoded_elsewhere(path, n, has_onednn=n == 2) for n in (1, 2))
    assert one[0] == two[0]
    with NvcReader(path) as reader:
        assert one[0] == [segment.digest.hex() for segment in reader.segments()]
    difference = np.abs(one[1] - two[1])
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


def test_damaged_files_are_refused(steps, tmp_path):
    """Any byte changed, any prefix: an error of ours, and nothing else."""
    data = steps.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(data), 60, replace=False):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.nvc").write_bytes(damaged)
        with pytest.raises(BitstreamError):
            list(nvcodec.decode(tmp_path / "damaged.nvc"))
    for end in rng.choice(len(data), 20, replace=False):
        (tmp_path / "damaged.nvc").write_bytes(data[:end])
        with pytest.raises(BitstreamError):
            list(nvcodec.decode(tmp_path / "damaged.nvc"))


def test_a_network_for_one_frame_says_how_to_use_it(tmp_path, call):
    words = ("-p", TINY[0], "--set", "representation.axes=yx")
    words += ("--set", "representation.sigmas=[2.0, 2.0]", *SMALL, "-q")
    done = call("encode", CLIP, "-o", tmp_path / "a.nvc", *words)
    assert done.code != 0
    assert "--segment-frames N makes segments shorter" in done.stderr
    done = call("encode", CLIP, "-o", tmp_path / "a.nvc", *words, "--segment-frames", 1)
    assert done.code == 0, done.stderr
    assert len(nvcodec.info(tmp_path / "a.nvc").segments) == 3
