"""The loop: repeatable, stoppable at any step, and honest about failures."""

import shutil
import time
import warnings

import pytest
import torch
from fitting_helpers import STAGES, make_fitting

from nvcodec.errors import DivergedError, FitMemoryError, InterruptedEncodeError, ResumeError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.guard import Guard
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.step import FittingWarning


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


def test_what_a_stage_prepares_is_part_of_the_time():
    fitting = make_fitting(stages=STAGES[:1], options={"time_limit_s": 0.1})
    fitting.stages[0].prepare = lambda state: time.sleep(0.15)
    list(fitting.run())
    assert fitting.elapsed_s >= 0.15
    assert fitting.steps_done == 1


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
        fitting.state.frames[:] = 128
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
    fitting.state.frames[:3] = 0
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
