"""Curvature by small changes and by slopes: one quantity, and what pruning does with it."""

import pytest
import torch
from torch.func import functional_call

from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.sensitivity import entry_sensitivities, spread_bands, tensor_sensitivities
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.state import FitState
from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import Samples, VideoShape

NERV = {
    "kind": "nerv", "embedding_length": 8, "stem_width": 16, "channels": 8, "min_channels": 8,
    "num_blocks": 2, "base_rows": 8,
}  # fmt: skip
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


@pytest.mark.parametrize("height", [5, 32, 200])
def test_bands_lie_inside_and_all_over_the_frame(height):
    bands = spread_bands(network(SIREN, height=height), 0)
    assert bands.size == (1, 48)
    assert len(bands.y) == len(set(bands.y.tolist())) <= 2 * 64
    assert int(bands.y.max()) < height
    assert int(bands.y.max()) >= height - 1 - height // 64


def test_whole_frames_where_there_are_no_bands():
    assert spread_bands(network({"kind": "image_cnn", "channels": 4}), 0).size is None


def test_pruning_by_sensitivity_changes_the_picture_less():
    changes = {}
    for score in ("magnitude", "sensitivity"):
        nerv = network(NERV, num_frames=4)
        patches = Patches.frames(torch.arange(4))
        before = nerv(patches).detach()
        state = FitState(nerv, load_scheme({"kind": "huffman"}), 1, Samples.RGB)
        table = {"kind": "prune", "epochs": 1, "ratio": 0.4, "ratio_of": "prunable", "score": score}
        load_stage(table).prepare(state)
        names = [spec.name for spec in nerv.specs if spec.is_prunable]
        kept = sum(float(state.masks[name].sum()) for name in names)
        assert kept == pytest.approx(0.6 * sum(state.masks[n].numel() for n in names), abs=1)
        after = functional_call(nerv, state.masked(), (patches,)).detach()
        changes[score] = float((after - before).square().mean())
    assert changes["sensitivity"] < 0.5 * changes["magnitude"]
