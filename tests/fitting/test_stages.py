"""Stages against hand-computed cases and the integer quantizer."""

import numpy as np
import pytest
import torch

from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.coding.quantizer import quantize, symmetric_quant_scale
from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.relaxations import symmetric_dequantized
from nvcodec.fitting.schedules import cosine
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.state import FitState
from nvcodec.samples import Samples

FRAMES = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)


class TwoLayers(torch.nn.Module):
    """Stands in for a representation: a wide layer, a narrow one, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = torch.nn.Parameter(torch.linspace(0.1, 1.6, 16).view(4, 4))
        self.narrow = torch.nn.Parameter(torch.tensor([[0.1, -0.2], [0.3, -0.4]]))
        self.bias = torch.nn.Parameter(torch.zeros(4))

        self.specs = [
            ParameterSpec("wide", (4, 4), Role.WEIGHT, is_prunable=True),
            ParameterSpec("narrow", (2, 2), Role.WEIGHT, is_prunable=True),
            ParameterSpec("bias", (4,), Role.BIAS),
        ]


def test_prune_takes_the_smallest_scores_over_all_tensors():
    """|w| / P^0.5: scores of `wide` are 0.1/4, 0.2/4, ..., those of `narrow` 0.1/2, 0.2/2, ...

    24 parameters, a quarter of them is 6: 0.025, 0.05, 0.05, 0.075, 0.1, 0.1 go.
    """
    state = FitState(TwoLayers(), load_scheme({"kind": "arithmetic"}), FRAMES, Samples.RGB)
    stage = load_stage({"kind": "prune", "epochs": 0, "ratio": 0.25})
    stage.prepare(state)
    assert state.masks["wide"].flatten().tolist() == [0] * 4 + [1] * 12
    assert state.masks["narrow"].flatten().tolist() == [0, 0, 1, 1]
    stage.finish(state)
    assert state.representation.narrow.flatten().tolist() == pytest.approx([0, 0, 0.3, -0.4])


def test_prune_without_size_exponent_is_plain_magnitude():
    state = FitState(TwoLayers(), load_scheme({"kind": "arithmetic"}), FRAMES, Samples.RGB)
    load_stage({"kind": "prune", "epochs": 0, "ratio": 0.25, "size_exponent": 0}).prepare(state)
    assert int((1 - state.masks["wide"]).sum()) == 3
    assert int((1 - state.masks["narrow"]).sum()) == 3


def test_prune_may_count_what_it_may_take():
    """NeRV, Eq. 3: two fifths of the 20 weights, not of the 24 parameters, by magnitude."""
    state = FitState(TwoLayers(), load_scheme({"kind": "huffman"}), FRAMES, Samples.RGB)
    table = {"kind": "prune", "epochs": 0, "ratio": 0.4, "size_exponent": 0}
    load_stage({**table, "ratio_of": "prunable"}).prepare(state)
    assert state.masks["wide"].flatten().tolist() == [0] * 4 + [1] * 12  # 0.1 to 0.4
    assert state.masks["narrow"].flatten().tolist() == [0, 0, 0, 0]
    load_stage(table).prepare(state)
    assert sum(int((1 - mask).sum()) for mask in state.masks.values()) == 10


@pytest.mark.parametrize("shape", [(64, 256), (64, 1, 3, 3), (3, 17), (1200, 2)])
@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("size", [1, 1e-2, 1e-4])
def test_noise_shows_what_the_scheme_will_store(shape, bits, size):
    torch.manual_seed(0)
    values = size * torch.randn(shape) * torch.rand(shape[0], *[1] * (len(shape) - 1))
    scale = symmetric_quant_scale(values.numpy(), bits, 4)
    stored = quantize(values.numpy(), scale, bits).astype(np.float32) * scale.astype(np.float32)
    seen = symmetric_dequantized(values, bits, 4).numpy()
    assert np.array_equal(seen, stored)


def test_quant_noise_replaces_its_share_and_has_no_straight_through_gradient():
    state = FitState(
        TwoLayers(), load_scheme({"kind": "arithmetic", "bits": 3}), FRAMES, Samples.RGB
    )
    stage = load_stage({"kind": "quant_noise", "epochs": 1, "noise_ratio": 0.5})
    values = stage.view(state, 0.0, torch.Generator().manual_seed(0)).values
    wide = state.representation.wide
    noisy = (values["wide"] != wide).detach()
    assert 4 <= int(noisy.sum()) <= 14
    assert values["bias"] is state.representation.bias
    values["wide"].sum().backward()
    largest = torch.zeros_like(noisy)
    largest[-1, -1] = True  # bin widths follow the largest weight
    assert (wide.grad[noisy & ~largest] == 0).all()
    assert (wide.grad[~noisy & ~largest] == 1).all()


def test_schedule_is_a_cosine_whose_warm_up_is_not_a_prefix():
    """HiNeRV: at epoch 30 of 300, when the warm-up ends, the rate is at 0.976 of its peak."""
    assert cosine(0, 0.1, 0.01, 0.01) == pytest.approx(0.01)
    assert cosine(29 / 300, 0.1, 0.01, 0.01) == pytest.approx(0.01 + 0.99 * 29 / 30)
    assert cosine(0.1, 0.1, 0.01, 0.01) == pytest.approx(0.976, abs=5e-4)
    assert cosine(1, 0.1, 0.01, 0.01) == pytest.approx(0.01)


def test_a_warm_up_may_be_a_prefix():
    """NeRV: 240 of 1200 epochs from a tenth; the cosine begins at its top and ends at zero."""
    assert cosine(0, 0.2, 0.1, 0.0, True) == pytest.approx(0.1)
    assert cosine(0.1, 0.2, 0.1, 0.0, True) == pytest.approx(0.55)
    assert cosine(0.2, 0.2, 0.1, 0.0, True) == 1
    assert cosine(0.6, 0.2, 0.1, 0.0, True) == pytest.approx(0.5)
    assert cosine(1, 0.2, 0.1, 0.0, True) == pytest.approx(0)
