"""Curvature by small changes and by slopes: one quantity, and what pruning does with it."""

import pytest
import torch
from torch.func import functional_call

from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.sensitivity import (
    entry_sensitivities,
    fitted_error,
    spread_bands,
    tensor_sensitivities,
)
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.state import FitState
from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import Samples, VideoShape

NERV = {
    "kind": "nerv", "embedding_length": 8, "stem_width": 16, "channels": 8, "min_channels": 8,
    "num_blocks": 2, "base_rows": 8,
}  # fmt: skip
SHAPE = VideoShape(8, 32, 48, 3)
FRAMES = torch.zeros(4, 32, 48, 3, dtype=torch.uint8)
SIREN = {"kind": "coin_mlp", "axes": "yx", "width": 16, "layers": 2}


def network(table, num_frames=1, height=32, width=48):
    torch.manual_seed(0)
    return build(load_config(table), VideoShape(num_frames, height, width, 3))


def test_slopes_and_small_changes_agree():
    siren = network(SIREN)
    values = dict(siren.named_parameters())
    by_tensor = tensor_sensitivities(siren, values, Samples.RGB)
    by_entry = entry_sensitivities(siren, values, list(values))
    ratios = [
        float(by_entry[name].mean()) / by_tensor[name]
        for name in ("layer.0.weight", "layer.1.weight", "layer.2.weight")
    ]
    assert max(ratios) < 2 * min(ratios)


def test_one_entry_by_hand():
    """The last bias of three: its channel's slopes alone."""
    siren = network(SIREN)
    values = {name: p.detach().requires_grad_() for name, p in siren.named_parameters()}
    patches = spread_bands(siren, 0)
    before = functional_call(siren, values, (patches,)).detach()
    expected = float((before * (1 - before)).square().mean()) / 3
    seen = tensor_sensitivities(siren, values, Samples.RGB)["layer.2.bias"]
    assert seen == pytest.approx(expected, rel=1e-3)


def test_frames_from_all_over_a_segment_count():
    """One that begins in black, where nothing that its weights do can be seen."""

    class Fade(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gain, self.shape, self.canvas = torch.nn.Parameter(torch.ones(1)), SHAPE, (32, 48)

        def patch_sizes(self):
            return [1], [48]

        def forward(self, patches):
            light = self.gain * patches.t / SHAPE.num_frames
            return light[:, None, None, None].expand(-1, 1, 48, 3)

    fade = Fade()
    seen = tensor_sensitivities(fade, dict(fade.named_parameters()), Samples.RGB)
    assert seen["gain"] == pytest.approx((0 + 1 + 4 + 9) / 16 / 4, rel=1e-3)


def test_error_of_a_network_as_it_stands():
    """Bands are all of frames that are as low; padding beyond them does not count."""
    siren = network(SIREN, height=20)
    frames = torch.randint(0, 256, (1, 20, 48, 3), dtype=torch.uint8)
    state = FitState(siren, load_scheme({"kind": "arithmetic"}), frames, Samples.RGB)
    output = siren(Patches.frames(torch.tensor([0])))[:, :20].detach()
    expected = float((output - frames / 255).square().mean())
    assert fitted_error(state) == pytest.approx(expected, rel=1e-5)


def test_measuring_changes_nothing():
    nerv = network({**NERV, "norm": "batch"}, num_frames=4)
    before = {name: tensor.clone() for name, tensor in nerv.state_dict().items()}
    state = FitState(nerv, load_scheme({"kind": "arithmetic"}), FRAMES, Samples.RGB)
    tensor_sensitivities(nerv, state.masked(), Samples.RGB)
    fitted_error(state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in nerv.state_dict().items())
    assert nerv.training


@pytest.mark.parametrize("height", [385, 450, 1000])
def test_bands_lie_inside_and_all_over_the_frame(height):
    bands = spread_bands(network(SIREN, height=height), 0)
    assert bands.size == (1, 48)
    assert len(bands.y) == len(set(bands.y.tolist())) <= 2 * 64
    assert int(bands.y.max()) < height
    assert int(bands.y.max()) >= height - 1 - height // 64


def test_whole_frames_where_they_are_small_or_there_are_no_bands():
    for height in (5, 384):
        assert spread_bands(network(SIREN, height=height), 0).size is None
    cnn = network({"kind": "image_cnn", "channels": 4}, height=400)
    assert spread_bands(cnn, 0).size is None


def test_pruning_by_sensitivity_changes_the_picture_less():
    changes = {}
    for score in ("magnitude", "sensitivity"):
        nerv = network(NERV, num_frames=4)
        patches = Patches.frames(torch.arange(4))
        before = nerv(patches).detach()
        state = FitState(nerv, load_scheme({"kind": "huffman"}), FRAMES, Samples.RGB)
        table = {"kind": "prune", "epochs": 1, "ratio": 0.4, "ratio_of": "prunable", "score": score}
        load_stage(table).prepare(state)
        names = [spec.name for spec in nerv.specs if spec.is_prunable]
        kept = sum(float(state.masks[name].sum()) for name in names)
        assert kept == pytest.approx(0.6 * sum(state.masks[n].numel() for n in names), abs=1)
        after = functional_call(nerv, state.masked(), (patches,)).detach()
        changes[score] = float((after - before).square().mean())
    assert changes["sensitivity"] < 0.5 * changes["magnitude"]
