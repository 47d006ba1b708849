"""Coordinate MLPs: counts by formula, initial values, coordinates, patches down to one pixel."""

import math

import pytest
import torch
from pydantic import ValidationError

from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import VideoShape

SHAPE = VideoShape(3, 10, 14, 3)
SIREN = {"kind": "coin_mlp", "width": 24, "layers": 3}
RFF = {**SIREN, "activation": "relu", "features": 16, "sigmas": [0, 4, 8]}


def make(table, shape=SHAPE):
    torch.manual_seed(0)
    return build(load_config(table), shape)


@pytest.mark.parametrize(
    ("table", "count"),
    [
        (SIREN, (3 * 24 + 24) + 2 * (24 * 24 + 24) + (24 * 3 + 3)),
        (RFF, (32 * 24 + 24) + 2 * (24 * 24 + 24) + (24 * 3 + 3)),
        # SIREN's video script: 3 hidden layers of 1024 behind the first.
        ({**SIREN, "width": 1024, "layers": 4}, 4096 + 3 * (1024 * 1024 + 1024) + 3075),
        # Tancik et al. 2020: 256 features, 4 layers of 256.
        (
            {**RFF, "width": 256, "layers": 4, "features": 256},
            (512 * 256 + 256) + 3 * (256 * 256 + 256) + (256 * 3 + 3),
        ),
    ],
)
def test_counts_by_formula(table, count):
    assert load_config(table).num_parameters(SHAPE) == count
    with torch.device("meta"):
        assert sum(p.numel() for p in make(table).parameters()) == count


def test_siren_starts_with_its_bounds():
    network = make(SIREN)
    first, *hidden = (layer.weight for layer in network.layer)
    assert 0.9 / 3 < first.abs().max() <= 1 / 3
    bound = math.sqrt(6 / 24) / 30
    for weight in hidden:
        assert 0.85 * bound < weight.abs().max() <= bound


def test_a_sine_layer_by_hand():
    network = make({**SIREN, "axes": "yx", "width": 1, "layers": 1}, VideoShape(1, 2, 2, 1))
    with torch.no_grad():
        network.layer[0].weight.copy_(torch.tensor([[0.02, 0.01]]))  # of y and x
        network.layer[0].bias.fill_(0.005)
        network.layer[1].weight.fill_(2.0)
        network.layer[1].bias.fill_(0.1)
        pixels = network.render(torch.tensor([0]))[0, :, :, 0]
    # Centres are at -1/2 and 1/2: the pixel below on the left is at y = 1/2, x = -1/2.
    phase = 30 * (0.02 * 0.5 - 0.01 * 0.5 + 0.005)
    assert float(pixels[1, 0]) == pytest.approx(1 / (1 + math.exp(-2 * math.sin(phase) - 0.1)))


def test_features_have_their_spread_along_each_axis():
    network = make({**RFF, "features": 4000})
    t, y, x = network.frequencies
    assert not t.any()
    assert y.std() == pytest.approx(4, rel=0.05)
    assert x.std() == pytest.approx(8, rel=0.05)
    inputs = network._inputs(Patches.frames(torch.tensor([1])))
    assert inputs.shape == (1, 10, 14, 8000)
    squares = inputs[..., :4000].square() + inputs[..., 4000:].square()
    assert (squares - 1).abs().max() < 1e-5


@pytest.mark.parametrize("table", [SIREN, RFF])
def test_single_pixels_are_those_of_the_frame(table):
    network = make(table)
    with torch.no_grad():
        frames = network.render(torch.arange(3))
        t, y, x = torch.tensor([2, 0, 1]), torch.tensor([9, 4, 0]), torch.tensor([13, 0, 7])
        pixels = network(Patches(t, y, x, (1, 1)))
        assert (pixels[:, 0, 0] - frames[t, y, x]).abs().max() < 1e-5
        bands = network.render(torch.arange(3), band_height=4)
    assert (bands - frames).abs().max() < 1e-5


def test_arithmetic_is_float32_whatever_is_asked_for():
    """Half precision would leave a sine's phase two digits."""
    network = make(SIREN)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert network.render(torch.tensor([0])).dtype == torch.float32


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="axes yx: 3 frames a segment, allowed: 1"):
        make({**SIREN, "axes": "yx"})
    for change, message in (
        ({"sigmas": [1, 1]}, "for each of the axes tyx"),
        ({"sigmas": [1, 1, 1e9]}, "0 to 1024"),
        ({"features": 0}, "features is 0"),
    ):
        with pytest.raises(ValidationError, match=message):
            load_config({**RFF, **change})
