"""Weight steps: exact sums, the cosine domain, counts, random access."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nvcodec.coding.parameters import Role
from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import VideoShape

SHAPE = VideoShape(5, 10, 14, 3)
BASE = {"kind": "coin_mlp", "axes": "yx", "width": 12, "layers": 2}
TABLE = {"kind": "weightstep", "base": BASE}


def make(seed=0, **changes):
    torch.manual_seed(seed)
    network = build(load_config({**TABLE, **changes}), SHAPE)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(torch.randn(p.shape) * 0.01).copy_(p.half().float())
    return network


def test_every_frame_counts_as_many_parameters_as_the_anchor():
    config = load_config(TABLE)
    anchor = (2 * 12 + 12) + (12 * 12 + 12) + (12 * 3 + 3)
    assert config.num_parameters(SHAPE) == 5 * anchor
    assert config.num_parameters(SHAPE._replace(num_frames=1)) == anchor
    roles = {spec.name: spec.role for spec in make().specs}
    assert [r for n, r in roles.items() if n.startswith("step.")] == [Role.DELTA] * 6
    assert roles["anchor.layer.0.weight"] is Role.WEIGHT
    assert "t weight steps" in config.random_access


def test_weights_are_exact_sums_whatever_their_order():
    network = make()
    with torch.no_grad():
        for (name, anchor), steps in zip(
            network.anchor.named_parameters(), network.step, strict=True
        ):
            grid = 2**24
            integers = (steps.double() * grid).round().to(torch.int64)
            total = (anchor.double() * grid).round().to(torch.int64) + integers.flip(0).sum(0)
            exact = (total.double() / grid).float()
            assert torch.equal(network.weights(4)[name], exact)
            assert torch.equal(network.weights(0)[name], anchor)


@pytest.mark.parametrize("domain", ["weight", "dct"])
def test_a_frame_depends_on_its_own_and_earlier_steps_alone(domain):
    network = make(domain=domain)
    with torch.no_grad():
        before = network.render(torch.arange(5))
        for steps in network.step:
            steps[2].add_(0.05)
        after = network.render(torch.arange(5))
    assert torch.equal(before[:3], after[:3])
    assert ((before[3:] - after[3:]).abs().amax(dim=(1, 2, 3)) > 0).all()


def test_one_cosine_moves_a_whole_layer():
    network = make(domain="dct")
    with torch.no_grad():
        for steps in network.step:
            steps.zero_()
        network.step[2][0, 0, 0] = 0.25
        moved = network.weights(1)["layer.1.weight"] - network.anchor.layer[1].weight
    np.testing.assert_allclose(moved.numpy(), np.full((12, 12), 0.25 / 12), rtol=1e-3)


def test_patches_of_several_frames():
    network = make()
    with torch.no_grad():
        frames = network.render(torch.arange(5))
        t, y, x = (
            torch.tensor([4, 0, 4, 2]),
            torch.tensor([9, 0, 3, 5]),
            torch.tensor([0, 3, 3, 13]),
        )
        pixels = network(Patches(t, y, x, (1, 1)))[:, 0, 0]
    assert (pixels - frames[t, y, x]).abs().max() < 1e-5


def test_the_base_must_be_for_one_frame():
    with pytest.raises(ValidationError, match="axes tyx: allowed is yx"):
        load_config({"kind": "weightstep", "base": {**BASE, "axes": "tyx"}})
    with pytest.raises(ValidationError, match="hinerv"):
        load_config({"kind": "weightstep", "base": {"kind": "hinerv"}})
