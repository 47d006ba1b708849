"""Steps on the device "meta", whose tensors hold no numbers: whatever would wait for one fails.

A step that passes here has no tensor of another device in it, and never asks its device for a
number, which on a GPU would mean to wait for it. Stages are prepared on the CPU, where they may
ask.
"""

import pytest
import torch
from fitting_helpers import TABLE, video
from torch import Tensor

from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting import step
from nvcodec.fitting.config import FittingConfig, OptimizerConfig
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.pixel_values import to_samples
from nvcodec.registry import names
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples, VideoShape

COIN = {"kind": "coin_mlp", "width": 16, "layers": 2}
CNN = {"kind": "image_cnn", "channels": 8, "scales": 2}
NERV = {"kind": "nerv", "channels": 16, "stem_width": 16, "num_blocks": 2, "base_rows": 4}
REPRESENTATIONS = {
    "coin_mlp": COIN,
    "hinerv": TABLE,
    "hinerv of NVRC": {**TABLE, "grid_halving": "thw"},
    "image_cnn": CNN,
    "nerv": NERV,
    "nerv with batch norm": {**NERV, "norm": "batch"},
    "weightstep of coin_mlp": {"kind": "weightstep", "base": {**COIN, "axes": "yx"}},
    "weightstep of image_cnn": {"kind": "weightstep", "base": CNN, "domain": "dct"},
}
ARITHMETIC = {"kind": "arithmetic"}
HIERARCHICAL = {"kind": "hierarchical", "context_kernels": [3, 1]}
RATE_DISTORTION = {"kind": "rate_distortion", "lmbda": 100.0, "epochs": 2}
STAGES = {
    "fit": ({"kind": "fit", "epochs": 2}, ARITHMETIC),
    "prune": ({"kind": "prune", "epochs": 2, "ratio": 0.2}, ARITHMETIC),
    "quant_noise": ({"kind": "quant_noise", "epochs": 2}, ARITHMETIC),
    "round": ({"kind": "round", "epochs": 2}, ARITHMETIC),
    "fit of changes": ({"kind": "fit", "epochs": 2}, ARITHMETIC),
    "round of changes": ({"kind": "round", "epochs": 2}, ARITHMETIC),
    "rate_distortion": ({**RATE_DISTORTION, "rate_every": 1}, HIERARCHICAL),
    "rate_distortion, noise": (
        {**RATE_DISTORTION, "rate_every": 2, "relaxation": "soft_round"}, HIERARCHICAL,
    ),
    "weight_steps": ({"kind": "weight_steps", "epochs": 2, "lmbda": 1e3}, ARITHMETIC),
    "weight_steps, single": (
        {"kind": "weight_steps", "mode": "single_stage", "epochs": 2, "lmbda": 1e3}, ARITHMETIC,
    ),
}  # fmt: skip
DIRECT = {"analysis"}
"""Stages that code one frame after the other, integers among them: no descent on a device."""


def suits(representation: str, stage: str) -> bool:
    is_stepped = representation.startswith("weightstep")
    if stage.startswith("weight_steps"):
        return is_stepped
    # Steps have a stage of their own; rate-distortion fitting is that of NVRC.
    return not is_stepped and (
        not stage.startswith("rate_distortion") or representation == "hinerv of NVRC"
    )


CASES = [(r, s) for r in REPRESENTATIONS for s in STAGES if suits(r, s)]


def made(representation: str, stage: str, optimizer: str) -> Fitting:
    torch.manual_seed(0)
    config = FittingConfig(
        optimizer=OptimizerConfig(kind=optimizer), precision="fp32", batch_size=2, clip_norm=1.0
    )
    frames, (settings, scheme) = video(), STAGES[stage]
    network = build(load_config(REPRESENTATIONS[representation]), VideoShape(*frames.shape))
    before = {name: p.detach().half().numpy() for name, p in network.named_parameters()}
    return Fitting(
        network, frames, [load_stage(settings)], load_scheme(scheme), config, Samples.RGB, 3,
        reference=before if stage.endswith("of changes") else None,
    )  # fmt: skip


def on_meta(tensors):
    return {n: t.to("meta") if isinstance(t, Tensor) else t for n, t in tensors.items()}


def move(fitting: Fitting) -> None:
    """Everything that is on the device of a fitting, to "meta"."""
    state, device = fitting.state, torch.device("meta")
    fitting.stages = [load_stage(stage.config) for stage in fitting.stages]
    state.representation.to(device)
    state.frames = fitting.batches.frames = state.frames.to(device)
    state.masks, state.kept = on_meta(state.masks), on_meta(state.kept)
    state.reference = on_meta(state.reference)
    learned = on_meta({name: tensor.detach() for name, tensor in state.learned.items()})
    state.learned = {name: tensor.requires_grad_() for name, tensor in learned.items()}
    fitting.taker.device = device


@pytest.fixture(autouse=True)
def generators(monkeypatch):
    """Random numbers for "meta", which has no generator of its own."""
    monkeypatch.setattr(step, "random_numbers", lambda device, seed: torch.Generator())


def test_all_are_covered():
    families = {table["kind"] for table in REPRESENTATIONS.values()}
    assert families | {"latents"} == set(names("nvcodec.representations.families"))
    kinds = {settings["kind"] for settings, _ in STAGES.values()}
    assert kinds | DIRECT == set(names("nvcodec.fitting.stages"))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize(("representation", "stage"), CASES)
def test_a_step_waits_for_nothing(representation, stage, optimizer):
    fitting = made(representation, stage, optimizer)
    fitting.stages[0].prepare(fitting.state)
    fitting.taker.begin(0, fitting.stages[0], fitting.optimizers())
    fitting.taker.take(0, 0.5)
    move(fitting)
    fitting.taker.begin(0, fitting.stages[0], fitting.optimizers())
    for number in range(2):
        assert fitting.taker.take(number, 0.5).is_meta
    assert all(tensor.is_meta for tensor in fitting.state.tensors())


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_decoding_a_batch_waits_for_nothing(representation):
    network = build(load_config(REPRESENTATIONS[representation]), VideoShape(*video().shape))
    network.to("meta").eval()
    with torch.inference_mode():
        for band_height in (None, network.patch_sizes()[0][0]):
            samples = to_samples(network.render(torch.tensor([2, 0]), band_height), 8)
            assert samples.is_meta
            assert samples.shape == (2, 16, 24, 3)
