"""Networks hold just the tensors that their settings state, whatever the preset and the picture."""

import pytest
import torch

from nvcodec.coding.parameters import Role
from nvcodec.presets import load_preset, preset_names
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples, VideoShape

SIZES = [(1080, 1920), (720, 1280), (180, 320), (38, 50)]
HINERV = {"kind": "hinerv", "channels": 9, "grid_channels": 2, "local_channels": 3}
# What no preset has.
OTHERS = [
    {**HINERV, "depths": [0], "expansions": [2], "grid_levels": 1, "local_levels": 1},
    {**HINERV, "depths": [1, 0, 2], "expansions": [2, 1, 3], "min_channels": 4, "kernel_size": 5},
    {**HINERV, "depths": [2, 1], "expansions": [1, 2], "grid_halving": "thw", "grid_levels": 3},
    {**HINERV, "depths": [4, 5], "expansions": [2, 1], "tied_layers": 3},
    {"kind": "nerv", "channels": 8, "embedding": "none", "norm": "batch", "strides": [3]},
    {"kind": "nerv", "channels": 8, "norm": "instance", "upsampling": "transposed"},
    {"kind": "nerv", "channels": 8, "norm": "batch", "upsampling": "bilinear", "expansion": 3},
    {"kind": "image_cnn", "channels": 5, "skip_channels": 0, "scales": 1, "kernel_size": 5},
    {"kind": "coin_mlp", "width": 7, "layers": 1, "features": 5, "sigmas": [1, 2, 3]},
    {"kind": "weightstep", "base": {"kind": "image_cnn", "channels": 5}, "domain": "dct"},
]


@pytest.mark.parametrize("name", [*preset_names(), *range(len(OTHERS))])
def test_networks_hold_what_their_settings_state(name):
    is_preset = isinstance(name, str)
    config = load_preset(name).representation if is_preset else load_config(OTHERS[name])
    num_frames = 1 if getattr(config, "axes", None) == "yx" else 7
    for height, width in SIZES:
        for samples in Samples:
            shape = samples.shape(num_frames, height, width)
            with torch.device("meta"):
                network = build(config, shape)
            specs = config.tensors(shape)
            held = [(n, tuple(p.shape)) for n, p in network.named_parameters()]
            assert held == [(spec.name, spec.shape) for spec in specs]
            assert sum(p.numel() for p in network.parameters()) == config.num_parameters(shape)
            for spec in specs:
                assert spec.role is Role.WEIGHT or not spec.is_prunable, spec
                assert (len(spec.shape) == 1) == (spec.role in (Role.BIAS, Role.NORM)), spec


def test_a_network_that_holds_something_else_is_not_built(monkeypatch):
    config = load_config({"kind": "coin_mlp", "width": 7, "layers": 2})
    stated = type(config).tensors
    monkeypatch.setattr(type(config), "tensors", lambda self, shape: stated(self, shape)[::-1])
    with pytest.raises(AssertionError, match="another order"):
        build(config, VideoShape(1, 8, 8, 3))
