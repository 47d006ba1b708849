"""Stage `round`: widths by sensitivity, and weights seen as they will be decoded."""

import numpy as np
import pytest
import torch
from fitting_helpers import SHAPE, TABLE, make_fitting, video

from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.evaluation import psnr_db
from nvcodec.fitting.sensitivity import fitted_error, tensor_sensitivities
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.state import FitState
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples

ROUND = {"kind": "round", "epochs": 2, "learning_rate_scale": 0.1}


def prepared(error_ratio=0.5, bits=8, silent=()):
    """A network with random weights, some of them zero, and the stage before its first step."""
    torch.manual_seed(0)
    network = build(load_config(TABLE), SHAPE)
    with torch.no_grad():
        for name in silent:
            network.get_parameter(name).zero_()
    scheme = load_scheme({"kind": "arithmetic", "bits": bits})
    state = FitState(network, scheme, video(), Samples.RGB)
    stage = load_stage({**ROUND, "error_ratio": error_ratio})
    stage.prepare(state)
    return stage, state


def coded(stage, state):
    return state.scheme.quantize(
        state.parameters(stage.fitted(state), stage.side_information(state))
    )


def test_every_weight_adds_the_same_error():
    """Half of the network's own in all, as far as sensitivities tell; one width a tensor."""
    stage, state = prepared(error_ratio=1e-4, bits=12)
    sensitivities = tensor_sensitivities(state.representation, state.masked(), Samples.RGB)
    added = {}
    for name, side in stage.side_information(state).items():
        (width,) = side["quant_scale"].unique()
        peak = float(state.masked()[name].detach().abs().max())
        if width < 2 * peak:  # where it is seen at all
            added[name] = sensitivities[name] * float(width) ** 2 / 12
    specs = [spec for spec in state.representation.specs if len(spec.shape) > 1]
    share = 1e-4 * fitted_error(state) / sum(spec.num_values for spec in specs)
    assert len(added) > len(specs) / 2
    assert list(added.values()) == pytest.approx([share] * len(added), rel=2.2 / 16)
    assert min(added.values()) >= share * (1 - 1e-6)  # widths are rounded up, to 4 bits of mantissa


def test_four_times_the_error_doubles_widths():
    fine, coarse = (prepared(error_ratio, bits=12)[1].kept for error_ratio in (1e-4, 4e-4))
    ratios = [float(coarse[name] / fine[name]) for name in fine]
    assert np.median(ratios) == 2
    assert min(ratios) >= 1  # of those that nobody sees


@pytest.mark.parametrize(("error_ratio", "bits"), [(1e3, 8), (0.5, 8), (1e-9, 8), (0.5, 3)])
def test_the_network_sees_what_a_decoder_will_have(error_ratio, bits):
    stage, state = prepared(error_ratio, bits)
    seen = stage.view(state, 0.5, torch.Generator()).values
    tensors = coded(stage, state)
    assert state.scheme.unpack(state.scheme.pack(tensors), state.representation.specs)
    for name, values in tensors.dequantize().items():
        # half floats have 11 bits, symbols times widths up to 12
        np.testing.assert_allclose(seen[name].detach(), values, rtol=2**-11, err_msg=name)


def test_gradients_pass_through_the_rounding():
    stage, state = prepared()
    values = stage.view(state, 0.5, torch.Generator()).values
    for name, p in state.representation.named_parameters():
        (slope,) = torch.autograd.grad(values[name].sum(), p)
        assert (slope == 1).all()


def test_what_nobody_sees_takes_no_bits():
    """A head of zeros hides all that lies before it."""
    names = [n for n, _ in build(load_config(TABLE), SHAPE).named_parameters() if "head" in n]
    stage, state = prepared(silent=names)
    tensors = coded(stage, state).tensors
    assert all(not t.symbols.any() for t in tensors if len(t.spec.shape) > 1)


def test_error_ratio_turns_one_fitted_network():
    fitted = make_fitting(stages=[{"kind": "fit", "epochs": 6}])
    list(fitted.run())
    points = []
    for error_ratio in (4.0, 0.5, 0.05):
        fitting = make_fitting(stages=[{**ROUND, "epochs": 1, "error_ratio": error_ratio}])
        fitting.state.representation.load_state_dict(fitted.state.representation.state_dict())
        list(fitting.run())
        tensors = fitting.state.scheme.quantize(fitting.parameters())
        values = {n: torch.from_numpy(v).float() for n, v in tensors.dequantize().items()}
        network = fitting.state.representation
        quality = psnr_db(network, fitting.state.frames, Samples.RGB, values=values)
        points.append((sum(map(len, fitting.state.scheme.pack(tensors).values())), quality))
    assert points == sorted(points)
    assert len(set(points)) == 3
