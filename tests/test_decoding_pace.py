"""Frames/s that decoding is expected to come to."""

import pytest

from nvcodec import decoding_pace
from nvcodec.decoding_pace import MACS_A_VALUE, expected_fps, macs_per_s
from nvcodec.presets import load_preset
from nvcodec.samples import Samples

SMALL, LARGE = (Samples("yuv420").shape(48, 90 * n, 160 * n) for n in (2, 4))


@pytest.fixture
def pace(monkeypatch):
    monkeypatch.setattr(decoding_pace, "macs_per_s", lambda: 1e9)


def test_products_and_values_take_their_time(pace):
    config = load_preset("hinerv-mini").representation
    work = config.macs_per_frame(SMALL) + MACS_A_VALUE * config.activations_per_frame(SMALL)
    assert expected_fps(config, SMALL) == pytest.approx(1e9 / work)


@pytest.mark.parametrize("name", ["hinerv-mini", "nerv-mini", "coin-mlp", "latents"])
def test_four_times_the_pixels_take_four_times_as_long(pace, name):
    config = load_preset(name).representation
    ratio = expected_fps(config, SMALL) / expected_fps(config, LARGE)
    assert ratio == pytest.approx(4, rel=0.25)


def test_this_machine_multiplies():
    assert 1e7 < macs_per_s() < 1e15
