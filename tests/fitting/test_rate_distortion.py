"""Stage `rate_distortion` in the loop, and the state that it leaves to be saved."""

import copy

import pytest
import torch
from fitting_helpers import RATE_DISTORTION, make_nvrc_fitting

from nvcodec.errors import DivergedError
from nvcodec.fitting.step import FittingWarning


def test_rate_distortion_sees_what_was_pruned_as_zero():
    fitting = make_nvrc_fitting([{"kind": "prune", "epochs": 1, "ratio": 0.15}, RATE_DISTORTION])
    list(fitting.run())
    stage, state = fitting.stages[1], fitting.state
    seen = stage.view(state, 1.0, torch.Generator().manual_seed(0)).values
    assert state.masks
    straight = stage.config.relaxation == "straight_through"
    for name, mask in state.masks.items():
        dropped = seen[name][mask == 0]
        assert straight is False or not dropped.any()
    pruned = [p for p in fitting.parameters() if p.mask is not None]
    assert all((p.values[~p.mask] == 0).all() for p in pruned)


@pytest.mark.parametrize("rate_every", [1, 4])
@pytest.mark.parametrize("relaxation", ["soft_round", "straight_through", "quant_noise"])
def test_the_rate_term_makes_files_smaller(relaxation, rate_every):
    sizes = []
    for every in (0, rate_every):
        stage = {**RATE_DISTORTION, "relaxation": relaxation, "epochs": 12, "rate_every": every}
        fitting = make_nvrc_fitting([{**stage, "lmbda": 1.0}])
        sizes.append(list(fitting.run())[-1].size_bytes)
    assert sizes[1] < sizes[0]


def test_a_side_tensor_that_is_not_a_number_is_a_divergence():
    fitting = make_nvrc_fitting([RATE_DISTORTION])
    fitting.stages[0].prepare(fitting.state)
    with torch.no_grad():
        fitting.state.learned["log2_width_columns"].fill_(float("nan"))
    with (
        pytest.warns(FittingWarning),
        pytest.raises(DivergedError, match="stage rate_distortion, step 1"),
    ):
        list(fitting.run())


@pytest.mark.parametrize("relaxation", ["soft_round", "quant_noise"])
def test_distortion_and_rate_share_the_draw_of_a_view(relaxation):
    """The rate is that of the very bins that the network sees, however often it is asked."""
    fitting = make_nvrc_fitting([{**RATE_DISTORTION, "relaxation": relaxation}])
    (stage,), state = fitting.stages, fitting.state
    stage.prepare(state)
    one, same, other = (
        stage.view(state, 0.5, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert float(one.rate()) == float(one.rate()) == float(same.rate())
    assert float(one.rate()) != float(other.rate())
    assert all(torch.equal(one.values[name], same.values[name]) for name in one.values)
    assert any(not torch.equal(one.values[name], other.values[name]) for name in one.values)


def test_a_snapshot_brings_everything_back_into_the_tensors_that_are_there():
    fitting = make_nvrc_fitting([RATE_DISTORTION])
    list(fitting.run())
    state = fitting.state
    state.kept["count"] = 3
    before, leaf = copy.deepcopy(state.snapshot()), state.learned["mean_rows"]
    with torch.no_grad():
        for tensor in state.tensors():
            tensor.add_(1)
    state.kept["count"], state.masks = 4, {"x": torch.ones(1)}
    state.restore(before)
    assert state.learned["mean_rows"] is leaf  # the optimizer goes on with it
    again = state.snapshot()
    assert (again["masks"], again["kept"]) == ({}, {"count": 3})
    for part in ("parameters", "learned"):
        assert again[part].keys() == before[part].keys()
        assert all(torch.equal(again[part][name], t) for name, t in before[part].items())
