"""The loop: repeatable, stoppable at any step, and honest about failures.

More than 400 lines: what belongs to one loop, with the fittings that all of it shares.
"""

import copy
import math
import shutil
import warnings

import pytest
import torch

from codec_helpers import whole_batch
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import DivergedError, FitMemoryError, InterruptedEncodeError, ResumeError
from nvcodec.fitting import loop
from nvcodec.fitting.batches import Batches
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.config import FittingConfig, OptimizerConfig
from nvcodec.fitting.evaluation import EvaluationPolicy, psnr_db
from nvcodec.fitting.guard import Guard
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.optimizers import orthogonalize
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.step import FittingWarning
from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import Samples, VideoShape

SHAPE = VideoShape(4, 16, 24, 3)
TABLE = {
    "kind": "hinerv",
    "channels": 16,
    "depths": [1, 1],
    "expansions": [2, 1],
    "base_rows": 4,
    "grid_channels": 2,
    "local_channels": 2,
}
STAGES = [
    {"kind": "fit", "epochs": 3, "warmup_epochs": 1},
    {"kind": "prune", "epochs": 2, "ratio": 0.15},
    {"kind": "quant_noise", "epochs": 2},
]


def video(num_frames=4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    shape = SHAPE._replace(num_frames=num_frames)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def make_fitting(
    optimizer="muon", store=None, stages=STAGES, num_frames=4, options=None, **settings
) -> Fitting:
    """`options` are those of `Fitting`, `settings` those of its config."""
    torch.manual_seed(0)
    config = FittingConfig(optimizer=OptimizerConfig(kind=optimizer), precision="fp32", **settings)
    frames = video(num_frames)
    representation = build(load_config(TABLE), VideoShape(*frames.shape))
    return Fitting(
        representation, frames, [load_stage(s) for s in stages],
        load_scheme({"kind": "arithmetic"}), config, Samples.RGB, 3, store=store,
        **(options or {}),
    )  # fmt: skip


def packed(fitting: Fitting) -> dict[str, bytes]:
    scheme = fitting.state.scheme
    return scheme.pack(scheme.quantize(fitting.parameters()))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_same_seed_same_bytes(optimizer):
    results = []
    for _ in range(2):
        fitting = make_fitting(optimizer)
        records = list(fitting.run())
        results.append(packed(fitting))
    assert results[0] == results[1]
    assert records[-1].step == records[-1].num_steps == 28
    assert records[-1].stage == "quant_noise"


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="no C++ compiler")
def test_compiled_steps_do_the_same():
    losses, values = [], []
    for is_compiled in (False, True):
        fitting = make_fitting(stages=STAGES[:1], compile=is_compiled)
        losses.append([record.loss for record in fitting.run()][-1])
        values.append({p.spec.name: p.values for p in fitting.parameters()})
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    for name, array in values[0].items():
        assert array == pytest.approx(values[1][name], abs=2e-2), name


@pytest.mark.parametrize("stop_at", [0, 5, 12, 13, 27])
def test_stopping_and_continuing_changes_nothing(tmp_path, stop_at):
    whole = make_fitting()
    list(whole.run())
    asked = iter(range(1000))
    store = CheckpointStore(tmp_path, "segment-0", "digest")
    with pytest.raises(InterruptedEncodeError):
        list(make_fitting(store=store).run(lambda: next(asked) >= stop_at))
    continued = make_fitting(store=store)
    list(continued.run())
    assert packed(continued) == packed(whole)


def test_a_checkpoint_of_another_job_is_refused(tmp_path):
    with pytest.raises(InterruptedEncodeError):
        list(make_fitting(store=CheckpointStore(tmp_path, "s", "one")).run(lambda: True))
    with pytest.raises(ResumeError, match="other settings"):
        list(make_fitting(store=CheckpointStore(tmp_path, "s", "two")).run())


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path, "s", "d")
    monkeypatch.setattr("nvcodec.fitting.checkpoints.FORMAT", 1)
    store.save({"step": 1})
    monkeypatch.undo()
    with pytest.raises(ResumeError, match="another version"):
        store.load()


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    store = CheckpointStore(tmp_path, "s", "d")
    store.save({"step": 1})
    store.save({"step": 2})
    assert store.load()["step"] == 2
    store.path.write_bytes(store.path.read_bytes()[:100])
    assert store.load()["step"] == 1
    store.previous.write_bytes(b"")
    with pytest.raises(ResumeError, match="no checkpoint can be read"):
        store.load()
    store.clear()
    assert not store.exists
    assert store.load() is None


def test_divergence_that_stays_is_an_error_that_says_where():
    fitting = make_fitting()
    with torch.no_grad():
        fitting.state.representation.get_parameter("base.stem.weight").fill_(float("nan"))
    with (
        pytest.warns(FittingWarning, match="loss is nan; back to step 0 at half the learning rate"),
        pytest.raises(DivergedError, match="stage fit, step 1: loss is nan, again"),
    ):
        list(fitting.run())


@pytest.mark.parametrize(("bad", "seen_at"), [(float("nan"), 145), (1e6, 160)])
def test_a_fitting_that_goes_astray_is_set_back_once(bad, seen_at):
    stages = [{"kind": "fit", "epochs": 50}]
    calm, shaken = make_fitting(stages=stages), make_fitting(stages=stages)
    list(calm.run())
    stage, losses = shaken.stages[0], []
    original = stage.loss

    def loss(*args):
        losses.append(original(*args))
        return losses[-1] * bad if len(losses) == 145 else losses[-1]  # a first step of a look

    stage.loss = loss
    with pytest.warns(
        FittingWarning, match=f"step {seen_at}: .*; back to step 144 at half"
    ) as seen:
        records = list(shaken.run())
    assert len(seen) == 1
    assert len(losses) == 200 + seen_at - 144
    assert records[-1].step == records[-1].num_steps == 200
    assert all(p.isfinite().all() for p in shaken.state.representation.parameters())
    assert records[-1].psnr_db == pytest.approx(calm.evaluation.psnr_db, abs=1.5)


def test_what_went_astray_before_a_stop_is_set_back_after_it(tmp_path):
    store = CheckpointStore(tmp_path, "s", "d")

    def make() -> Fitting:
        fitting = make_fitting(stages=[{"kind": "fit", "epochs": 50}], store=store)
        fitting.frames[:] = 128
        return fitting

    shaken, asked = make(), iter(range(1000))

    def should_stop() -> bool:
        step = next(asked)
        if step == 150:
            with torch.no_grad():
                for parameter in shaken.state.representation.parameters():
                    parameter.fill_(1.0)
        return step == 152

    with pytest.raises(InterruptedEncodeError):
        list(shaken.run(should_stop))
    with pytest.warns(FittingWarning, match="step 160: .*; back to step 144 at half"):
        list(make().run())


def test_frames_of_unlike_difficulty_are_no_jump():
    """Black frames cost nothing, the others much; nothing has gone astray."""
    fitting = make_fitting(stages=[{"kind": "fit", "epochs": 60}])
    fitting.frames[:3] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(fitting.run())


def test_losses_are_judged_by_whole_epochs_across_a_stop(tmp_path, monkeypatch):
    kept, original = [], Guard.keep

    def keep(self, mean, state):
        kept.append((state["step"], mean))
        original(self, mean, state)

    monkeypatch.setattr(Guard, "keep", keep)
    several = {"stages": [{"kind": "fit", "epochs": 8}], "num_frames": 12}
    list(make_fitting(**several).run())
    whole = kept.copy()
    assert [step for step, _ in whole] == [24, 48, 72, 96]
    kept.clear()
    store, asked = CheckpointStore(tmp_path, "s", "d"), iter(range(1000))
    with pytest.raises(InterruptedEncodeError):
        list(make_fitting(store=store, **several).run(lambda: next(asked) >= 35))
    list(make_fitting(store=store, **several).run())
    assert kept == whole


def test_pruned_weights_stay_zero_to_the_end():
    fitting = make_fitting()
    list(fitting.run())
    parameters = {p.spec.name: p for p in fitting.parameters()}
    pruned = [p for p in parameters.values() if p.mask is not None]
    count = sum(int((~p.mask).sum()) for p in pruned)
    total = sum(p.spec.num_values for p in parameters.values())
    assert count == round(0.15 * total)
    assert all((p.values[~p.mask] == 0).all() for p in pruned)


def test_patches_cover_every_pixel_once_an_epoch_and_padding_costs_nothing():
    frames = video()
    batches = Batches(frames, (20, 24), (10, 12), batch_size=4, seed=0)
    assert batches.steps_per_epoch == 4
    seen = torch.zeros(4, 20, 24)
    for step in range(4):
        patches, target = whole_batch(batches, 0, step)
        for i, t in enumerate(patches.t.tolist()):
            y, x = int(patches.y[i]), int(patches.x[i])
            seen[t, y : y + 10, x : x + 12] += 1
            inside = min(16, y + 10) - y
            expected = frames[t, y : y + inside, x : x + 12].float() / 255
            assert torch.equal(target[i, :inside], expected)
        output = batches.ignore_padding(torch.full_like(target, 0.5), target, patches)
        rows = patches.y[:, None] + torch.arange(10)
        assert torch.equal(output[rows >= 16], target[rows >= 16])
    assert (seen == 1).all()
    one, other = (whole_batch(batches, 0, step)[0] for step in (0, 4))
    assert not torch.equal(one.t, other.t) or not torch.equal(one.y, other.y)


def test_whole_frames_are_cropped_to_the_video():
    batches = Batches(video(), (20, 24), None, batch_size=2, seed=0)
    patches, target = whole_batch(batches, 0, 0)
    assert isinstance(patches, Patches)
    assert target.shape == (2, 16, 24, 3)
    assert batches.ignore_padding(torch.zeros(2, 20, 24, 3), target, patches).shape == target.shape


def test_orthogonalised_matrices_keep_their_directions():
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (2, 40, 16)):
        matrices = torch.randn(shape)
        u, _, v = torch.linalg.svd(matrices, full_matrices=False)
        result = orthogonalize(matrices)
        values = torch.linalg.svdvals(result)
        assert 0.6 < values.min() <= values.max() < 1.3
        assert (
            torch.nn.functional.cosine_similarity(result.flatten(1), (u @ v).flatten(1)).min()
            > 0.97
        )


NVRC = {**TABLE, "grid_halving": "thw"}
RATE_DISTORTION = {"kind": "rate_distortion", "lmbda": 100.0, "epochs": 2, "rate_every": 1}


def make_nvrc_fitting(stages) -> Fitting:
    torch.manual_seed(0)
    scheme = load_scheme({"kind": "hierarchical", "context_kernels": [3, 1]})
    return Fitting(
        build(load_config(NVRC), SHAPE), video(), [load_stage(s) for s in stages], scheme,
        FittingConfig(precision="fp32"), Samples.RGB, 3,
    )  # fmt: skip


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


@pytest.mark.parametrize(("limit", "seen"), [(3, [6, 3]), (1, [6, 3, 2, 1])])
def test_out_of_memory_halves_what_is_computed_at_a_time(limit, seen):
    settings = {"patch_size": (8, 8), "batch_size": 6, "optimizer": "adam"}
    whole, short = make_fitting(**settings), make_fitting(**settings)
    list(whole.run())
    sizes = []
    original = short.stages[0].loss

    def loss(output, *args):
        if len(output) not in sizes:
            sizes.append(len(output))
        if len(output) > limit:
            raise torch.OutOfMemoryError("fake")
        return original(output, *args)

    short.stages[0].loss = loss
    with pytest.warns(FittingWarning, match="step 0: out of memory for 6 patches; going on with 3"):
        records = list(short.run())
    assert sizes == seen
    assert records[-1].step == records[-1].num_steps == whole.steps_done
    for ours, theirs in zip(short.parameters(), whole.parameters(), strict=True):
        assert abs(ours.values - theirs.values).max() < 1e-3


def test_out_of_memory_for_one_patch_is_an_error_that_says_what_to_do():
    fitting = make_fitting()

    def loss(*args):
        raise torch.OutOfMemoryError("fake")

    fitting.stages[0].loss = loss
    with pytest.raises(
        FitMemoryError,
        match=r"for one 24x16 patch \(fake\); take a smaller preset, or smaller patches",
    ):
        list(fitting.run())


def test_optimizers_may_come_from_outside():
    given = []

    def plain_descent(parameters, roles, learned, config):
        assert parameters.keys() == roles.keys()
        given.append((len(parameters), config.kind))
        groups = [{"params": [*parameters.values(), *learned], "lr": 1e-3, "initial_lr": 1e-3}]
        return [torch.optim.SGD(groups)]

    fitting = make_fitting(options={"make_optimizers": plain_descent})
    list(fitting.run())
    assert given == [(len(fitting.state.representation.specs), "muon")] * len(STAGES)


def test_a_policy_says_how_often_a_fitting_is_measured(monkeypatch):
    counts, original = [], loop.evaluate

    def counted(*args):
        counts.append(args[-1])
        return original(*args)

    monkeypatch.setattr(loop, "evaluate", counted)
    for policy in (EvaluationPolicy(math.inf), EvaluationPolicy(0.0, math.inf, num_frames=2)):
        list(make_fitting(options={"evaluation": policy}).run())
    assert counts == [8] * len(STAGES) + [2] * 28  # at the end of every stage; after every step
    assert EvaluationPolicy(10, share=0.05).next_interval_s(took_s=2) == 40


def test_psnr_is_of_rounded_samples_and_of_the_values_given():
    fitting = make_fitting()
    network, frames = fitting.state.representation, fitting.frames
    shown = (network.render(torch.arange(4)).detach() * 255).round()
    of_frames = 10 * torch.log10(255**2 / (shown - frames).square().mean(dim=(1, 2, 3)))
    whole, ends = (float(of_frames[chosen].mean()) for chosen in (slice(None), [0, 3]))
    assert psnr_db(network, frames, Samples.RGB) == pytest.approx(whole, abs=0.01)
    assert psnr_db(network, frames, Samples.RGB, num_frames=2) == pytest.approx(ends, abs=0.01)
    zeros = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    grey = 10 * torch.log10(255**2 / (frames - 128.0).square().mean(dim=(1, 2, 3)))
    seen = psnr_db(network, frames, Samples.RGB, values=zeros)
    assert seen == pytest.approx(float(grey.mean()), abs=0.01)


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
