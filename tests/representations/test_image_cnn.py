"""The network on noise: counts by formula, skips, one noise tensor a frame."""

import pytest
import torch

from nvcodec.representations import build, load_config
from nvcodec.representations.families.image_cnn import fixed_noise
from nvcodec.samples import VideoShape

SHAPE = VideoShape(3, 18, 26, 3)
TABLE = {"kind": "image_cnn", "channels": 6, "scales": 2, "noise_channels": 3, "skip_channels": 2}


def make(table):
    torch.manual_seed(0)
    return build(load_config(table), SHAPE)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        # Finest scale, then coarsest: encoder, decoder, skip; then the head.
        ({}, (27 * 6 + 6) + (72 * 6 + 6) + (3 * 2 + 2)
             + (54 * 6 + 6) + (72 * 6 + 6) + (6 * 2 + 2) + (6 * 3 + 3)),
        ({"skip_channels": 0}, (27 * 6 + 6) + 3 * (54 * 6 + 6) + (6 * 3 + 3)),
    ],
)  # fmt: skip
def test_counts_by_formula(changes, count):
    config = load_config({**TABLE, **changes})
    assert config.num_parameters(SHAPE) == count
    assert sum(p.numel() for p in make({**TABLE, **changes}).parameters()) == count


def test_canvas_can_be_halved_and_is_cropped():
    network = make({**TABLE, "scales": 3})
    assert network.canvas == (24, 32)
    assert network.render(torch.tensor([0])).shape == (1, 18, 26, 3)


def test_every_frame_has_its_noise():
    assert fixed_noise(0, 2, 4, 8).shape == (2, 4, 8)
    assert not torch.equal(fixed_noise(0, 2, 4, 8), fixed_noise(1, 2, 4, 8))
    assert float(fixed_noise(0, 8, 64, 64).var()) == pytest.approx(1, rel=0.05)
    with torch.no_grad():
        frames = make(TABLE).render(torch.arange(3))
        moved = build(load_config({**TABLE, "seed": 1}), SHAPE)
        moved.load_state_dict(make(TABLE).state_dict())
        assert (moved.render(torch.arange(2)) - frames[1:]).abs().max() < 1e-6
    assert (frames[0] - frames[1]).abs().max() > 1e-3


def test_multiply_adds_by_hand():
    table = {**TABLE, "scales": 1}
    canvas = 18 * 26
    encoder, decoder, skip, head = 27 * 6, 72 * 6, 3 * 2, 6 * 3
    expected = canvas // 4 * encoder + canvas * (decoder + skip + head)
    assert load_config(table).macs_per_frame(SHAPE) == expected
