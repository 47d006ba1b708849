"""Weight steps: closed loop, turns, stopping at any step, and what the gates are for."""

import math

import numpy as np
import pytest
import torch

from codec_helpers import whole_batch
from nvcodec.coding.parameters import Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import InterruptedEncodeError, PresetError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.config import FittingConfig, LossConfig, OptimizerConfig
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.sensitivity import tensor_sensitivities
from nvcodec.fitting.stages import load_stage
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples, VideoShape

SHAPE = VideoShape(4, 16, 20, 3)
BASE = {"kind": "coin_mlp", "axes": "yx", "width": 16, "layers": 2}
ANCHOR = [
    {"kind": "fit", "frames": "first", "epochs": 60},
    {"kind": "quant_noise", "frames": "first", "epochs": 5},
]
STEPS = {"kind": "weight_steps", "lmbda": 3000.0, "epochs": 30, "warmup_epochs": 1}


def video(num_frames=4) -> torch.Tensor:
    t, y, x = torch.meshgrid(*(torch.arange(n) for n in (num_frames, 16, 20)), indexing="ij")
    wave = 128 + 80 * torch.sin(0.4 * x + 0.3 * t) * torch.cos(0.3 * y - 0.2 * t)
    return torch.stack([wave, 255 - wave, 0.5 * wave], dim=-1).to(torch.uint8)


def make(
    stages, domain="weight", num_frames=4, store=None, scheme=None, time_limit_s=None, **settings
) -> Fitting:
    torch.manual_seed(0)
    config = FittingConfig(
        optimizer=OptimizerConfig(learning_rate=5e-3, side_learning_rate=0.2),
        loss=LossConfig(l1=0, l2=1, ms_ssim=0), precision="fp32", **settings,
    )  # fmt: skip
    table = {"kind": "weightstep", "base": BASE, "domain": domain}
    network = build(load_config(table), SHAPE._replace(num_frames=num_frames))
    scheme = load_scheme(scheme or {"kind": "arithmetic", "bits": 8})
    loaded = [load_stage(stage) for stage in stages]
    return Fitting(
        network, video(num_frames), loaded, scheme, config, Samples.RGB, 3,
        store=store, time_limit_s=time_limit_s,
    )  # fmt: skip


def decoded(fitting):
    """Sections, and the network as a decoder has it."""
    coded = fitting.state.scheme.quantize(fitting.parameters())
    specs = fitting.state.representation.specs
    sections = fitting.state.scheme.pack(coded)
    again = fitting.state.scheme.unpack(sections, specs)
    assert again.digest() == coded.digest()
    network = build(fitting.state.representation.config, fitting.state.representation.shape)
    network.load_values(again.dequantize())
    return sections, again, network.requires_grad_(False)


@pytest.mark.parametrize("domain", ["weight", "dct"])
@pytest.mark.parametrize("mode", ["two_stage", "single_stage"])
def test_what_was_fitted_is_what_is_decoded(mode, domain):
    """A closed loop: after fitting, the file's network equals the fitted one to the bit."""
    stages = [*ANCHOR, {**STEPS, "mode": mode}]
    fitting = make(stages, domain)
    last = list(fitting.run())[-1]
    assert last.step == last.num_steps
    sections, coded, network = decoded(fitting)
    assert last.size_bytes == sum(map(len, sections.values()))
    fitted = fitting.state.representation
    for t in range(4):
        ours, theirs = fitted.weights(t), network.weights(t)
        for name in ours:
            if mode == "two_stage" and ours[name].ndim > 1:
                assert torch.equal(ours[name], theirs[name])
            else:  # single stage: the anchor is rounded by the scheme alone
                assert (ours[name] - theirs[name]).abs().max() < 0.02
    deltas = [t for t in coded.tensors if t.spec.role is Role.DELTA]
    share = np.mean([np.count_nonzero(t.symbols) / t.symbols.size for t in deltas])
    assert 0 < share < 0.9
    images = network.render(torch.arange(4))
    still = network.render(torch.zeros(4, dtype=torch.int64))
    target = video().float() / 255
    assert ((images - target) ** 2)[1:].mean() < 0.9 * ((still - target) ** 2)[1:].mean()


def test_frames_have_their_turns():
    fitting = make([*ANCHOR, STEPS])
    assert fitting.pace.outlook(0, 0, 1).num_steps == 60 + 5 + 90
    seen = []
    parts = fitting.batches.parts
    fitting.batches.parts = lambda stage, step, frame, size: (
        seen.append((stage, frame)) or parts(stage, step, frame, size)
    )
    list(fitting.run())
    assert seen == [(0, 0)] * 60 + [(1, 0)] * 5 + [(2, t) for t in (1, 2, 3) for _ in range(30)]


def test_turns_of_sampled_pixels():
    fitting = make([*ANCHOR, STEPS], patch_size=(1, 1), batch_size=100)
    assert fitting.pace.outlook(0, 0, 1).num_steps == 60 * 3 + 5 * 3 + 30 * 3 * 3
    patches, target = whole_batch(fitting.batches, 0, 0, 2)
    assert (patches.t == 2).all()
    assert torch.equal(target[:, 0, 0], video()[2, patches.y, patches.x].float() / 255)
    list(fitting.run())


def test_a_finished_frame_does_not_change_any_more():
    fitting = make([*ANCHOR, STEPS])
    steps = fitting.state.representation.step[2]
    held = []
    begin = fitting.stages[2].begin_step

    def note(state, progress):
        turn = begin(state, progress)
        held.append(steps.detach().clone())
        return turn

    fitting.stages[2].begin_step = note
    list(fitting.run())
    assert not held[0].any()
    assert held[30][0].any()
    for later in held[30:]:
        assert torch.equal(later[0], held[30][0])
    assert torch.equal(steps[:2], held[-1][:2])
    assert steps[2].any()


@pytest.mark.parametrize("mode", ["two_stage", "single_stage"])
@pytest.mark.parametrize("stop_at", [63, 66, 95, 110])
def test_stopping_and_continuing_changes_nothing(tmp_path, stop_at, mode):
    stages = [*ANCHOR, {**STEPS, "mode": mode}]
    whole = make(stages)
    list(whole.run())
    asked = iter(range(1000))
    store = CheckpointStore(tmp_path, "segment-0", "digest")
    with pytest.raises(InterruptedEncodeError):
        list(make(stages, store=store).run(lambda: next(asked) >= stop_at))
    continued = make(stages, store=store)
    list(continued.run())
    assert decoded(continued)[0] == decoded(whole)[0]


@pytest.mark.parametrize("num_frames", [1, 4])
def test_under_a_time_limit_frames_share_the_time(num_frames):
    fitting = make([*ANCHOR, STEPS], num_frames=num_frames, time_limit_s=2.0)
    list(fitting.run())
    assert decoded(fitting)[2].render(torch.tensor([num_frames - 1])).shape == (1, 16, 20, 3)
    if num_frames > 1:
        assert fitting.state.kept["frame_in_turn"] == 3


def test_less_weight_on_the_distortion_means_fewer_changes():
    sizes = []
    for lmbda in (30.0, 30_000.0):
        fitting = make([*ANCHOR, {**STEPS, "lmbda": lmbda, "epochs": 40}])
        sizes.append(list(fitting.run())[-1].size_bytes)
    assert sizes[0] < 0.9 * sizes[1]


@pytest.mark.parametrize("mode", ["two_stage", "single_stage"])
def test_a_segment_of_one_frame_is_its_anchor(mode):
    fitting = make([*ANCHOR, {**STEPS, "mode": mode}], num_frames=1)
    list(fitting.run())
    _, coded, network = decoded(fitting)
    assert all(t.symbols.size == 0 for t in coded.tensors if t.spec.role is Role.DELTA)
    assert network.render(torch.tensor([0])).shape == (1, 16, 20, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("scheme={kind='raw_fp16'}", "with the scheme raw_fp16; it needs arithmetic"),
        (
            "representation={kind='image_cnn', channels=4}",
            "with the representation image_cnn; it needs weightstep",
        ),
    ],
)
def test_it_needs_its_representation_and_its_scheme(change, said):
    with pytest.raises(PresetError, match=said):
        load_preset("weightstep-mlp-two-stage", [change])


def test_sensitivity_of_the_last_layer_is_that_of_the_hand():
    """Samples are sigmoid(w a + b): a bias that moves by e moves them by e s (1 - s)."""
    network = make([STEPS]).state.representation
    samples = network.anchor.render(torch.tensor([0]))
    slopes = samples * (1 - samples)
    values = dict(network.anchor.named_parameters())
    # Of three biases each moves its own channel: of the mean over channels a third.
    expected = float(slopes.detach().square().mean()) / 3
    seen = tensor_sensitivities(network.anchor, values, Samples.RGB)["layer.2.bias"]
    assert seen == pytest.approx(expected, rel=1e-3)  # 16 rows: all of them


def test_bins_are_as_narrow_as_a_layer_is_sensitive():
    widths = {}
    for lmbda in (1e6, 4e6):
        fitting = make([{**STEPS, "lmbda": lmbda, "mode": "single_stage"}])
        fitting.stages[0].prepare(fitting.state)
        kept = fitting.state.kept
        widths[lmbda] = [float(kept[f"width.{i}"]) for i in range(6)]
    network = fitting.state.representation
    values = dict(network.anchor.named_parameters())
    sensitivities = tensor_sensitivities(network.anchor, values, Samples.RGB)
    for name, wide, half in zip(values, widths[1e6], widths[4e6], strict=True):
        # Where the slopes of distortion and rate meet, three times as wide.
        pays = 1e6 * sensitivities[name] * (wide / 3) ** 2 / 6
        costs = 1 / (math.log(2) * 16 * 20)
        assert pays == pytest.approx(costs, rel=0.15)  # widths are rounded up
        assert half == pytest.approx(wide / 2, rel=0.07)


def test_a_single_stage_ends_with_bins_for_the_anchor_it_fitted():
    fitting = make([{**STEPS, "mode": "single_stage", "lmbda": 1e6, "epochs": 60}])
    list(fitting.run())
    widths = [float(fitting.state.kept[f"width.{i}"]) for i in range(6)]
    again = make([{**STEPS, "mode": "single_stage", "lmbda": 1e6}])
    again.state.representation.load_state_dict(fitting.state.representation.state_dict())
    again.stages[0].prepare(again.state)
    for i, width in enumerate(widths):
        assert width == pytest.approx(float(again.state.kept[f"width.{i}"]), rel=0.15)


def test_steps_of_a_segment_before_do_not_remain():
    fitting = make([*ANCHOR, STEPS], time_limit_s=1e-3)
    with torch.no_grad():
        for steps in fitting.state.representation.step:
            steps.fill_(0.25)
    list(fitting.run())
    assert not any(steps[1:].any() for steps in fitting.state.representation.step)


def test_the_cosine_domain_has_a_widest_layer():
    table = {"kind": "weightstep", "base": {**BASE, "width": 600}, "domain": "dct"}
    with pytest.raises(ValueError, match="a layer of 600 channels, allowed: up to 512"):
        load_config(table)
