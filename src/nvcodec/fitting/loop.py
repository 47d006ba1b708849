"""One loop for all stages: schedule, checks, checkpoints, evaluation.

It does not know which stage or which representation it runs, prints nothing, and yields small
records. `step` takes the steps, `evaluation` measures, `guard` keeps the state to go back to.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.coding.parameters import Parameter, Role
from nvcodec.coding.scheme import Scheme
from nvcodec.errors import DivergedError, InterruptedEncodeError
from nvcodec.fitting.batches import Batches, mixed_seed
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.config import FittingConfig, OptimizerConfig
from nvcodec.fitting.evaluation import Evaluation, EvaluationPolicy, evaluate
from nvcodec.fitting.guard import MAX_RECOVERIES, Guard
from nvcodec.fitting.optimizers import make_optimizers
from nvcodec.fitting.progress import Clock, Pace, StepPace, TimePace
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState
from nvcodec.fitting.steering import Steering
from nvcodec.fitting.step import FittingWarning, StepTaker
from nvcodec.representations.representation import Representation
from nvcodec.samples import Samples

CHECKPOINT_INTERVAL_S = 30.0
RECORD_INTERVAL_S = 1.0
CHECK_EVERY = 16
"""Steps between looks at the loss; a look waits for the device."""

STEP_FRAMES = 1.5
"""Rendered in float32, that take as long as a step of one frame in bfloat16; half of a step's in
float32, so that preparing takes less than is left for it."""

MakeOptimizers = Callable[
    [Mapping[str, Tensor], Mapping[str, Role], Sequence[Tensor], OptimizerConfig],
    list[torch.optim.Optimizer],
]
"""From parameters and their roles by name, and learned tensors beside them."""


class Fitting:
    """Fits one representation to one segment; `run` may be stopped and continued at any step."""

    def __init__(
        self,
        representation: Representation[Any],
        frames: Tensor,
        stages: Sequence[Stage[Any]],
        scheme: Scheme[Any],
        config: FittingConfig,
        samples: Samples,
        seed: int,
        *,
        depth: int = 8,
        start: Sequence[Parameter] = (),
        reference: Mapping[str, NDArray[np.float16]] | None = None,
        store: CheckpointStore | None = None,
        time_limit_s: float | None = None,
        evaluation: EvaluationPolicy | None = None,
        make_optimizers: MakeOptimizers = make_optimizers,
        steering: Steering | None = None,
    ) -> None:
        """Prepare a fitting; nothing runs yet.

        Args:
            representation: with its initial values, on the device where it is fitted.
            frames: samples (T, H, W, C) of `depth` bits, on that device.
            stages: what to do, one after the other.
            scheme: what codes the result.
            config: batches, distortion, optimizer and precision.
            samples: kind of the samples.
            seed: of batches and noise.
            depth: bits a sample.
            start: all tensors of a segment that is coded already, to go on from; see
                `FitState.begin_with`.
            reference: values of another segment; what is coded is the change from them.
            store: where the state is kept; one that is there is continued.
            time_limit_s: seconds that stages share in proportion to their steps; schedules then
                follow the clock.
            evaluation: when, and on how many frames, to measure.
            make_optimizers: what updates which parameters.
            steering: a goal to end at.

        Raises:
            ValueError: the batches do not suit the representation.
        """
        if config.patch_size is not None:
            representation.check_patch_size(config.patch_size)
        self.state = FitState(representation, scheme, frames, samples, depth, steering=steering)
        self.state.begin_with(start)
        self.state.refer_to(reference or {})
        self.stages, self.config = stages, config
        self.store, self.policy = store, evaluation or EvaluationPolicy()
        self.batches = Batches(
            frames, representation.canvas, config.patch_size, config.batch_size,
            mixed_seed(seed), depth,
        )  # fmt: skip
        self.taker = StepTaker(self.state, self.batches, config, seed)
        turns = [stage.turns(len(frames)) for stage in stages]
        steps = [
            0 if n == 0 else stage.config.epochs * self._steps_of_epoch(stage, n)
            for n, stage in zip(turns, stages, strict=True)
        ]
        least = [len(frames) if stage.is_direct else 1 for stage in stages]
        if time_limit_s is None:
            self.pace: Pace = StepPace(steps)
        else:
            prepared = [
                n and n + self._steps_to_prepare(s) for n, s in zip(steps, stages, strict=True)
            ]
            self.pace = TimePace(prepared, least, time_limit_s)
        self.evaluation = Evaluation()
        self.steps_done = 0
        self.elapsed_s = 0.0
        self._evaluation_interval_s = self.policy.interval_s
        self._make_optimizers = make_optimizers
        self._stage: Stage[Any] = stages[0]
        if config.compile:
            representation.compile(dynamic=False)

    def _steps_to_prepare(self, stage: Stage[Any]) -> int:
        """Steps that take as long as preparing a stage."""
        step_frames = STEP_FRAMES * self.batches.batch_size / self.batches.frame_patches
        return round(stage.frames_to_prepare(self.state) / step_frames)

    def _steps_of_epoch(self, stage: Stage[Any], turns: int | None) -> int:
        return len(self.state.frames) if stage.is_direct else self.batches.num_steps(turns)

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[FitRecord]:
        """Run, or continue, all stages.

        Raises:
            DivergedError: the loss is not finite, or jumps, time and again.
            FitMemoryError: there is not the memory for a single patch.
            InterruptedEncodeError: `should_stop` said so; the state is saved.
        """
        stored = self.store.load() if self.store else None
        first_stage = 0
        if stored is not None:
            first_stage = stored["stage"]
            self.elapsed_s, self.steps_done = stored["elapsed_s"], stored["steps_done"]
            self.state.restore(stored["state"])
        for number in range(first_stage, len(self.stages)):
            self._stage = self.stages[number]
            if stored is None:
                clock = Clock(self.elapsed_s)
                self._stage.prepare(self.state)
                self.elapsed_s = clock.elapsed_s
            run = _StageRun(self, number, stored)
            stored = None
            yield from self._run_stage(run, should_stop)
            self._stage.finish(self.state)
            self.elapsed_s = run.clock.elapsed_s

    def _run_stage(self, run: "_StageRun", should_stop: Callable[[], bool]) -> Iterator[FitRecord]:
        while not self._stage.is_over(self.state, run.progress):
            if should_stop():
                if self.state.is_finite():  # otherwise the state before is the one to go on from
                    self._save(run)
                raise InterruptedEncodeError("stopped on request; everything up to here is saved")
            run.take_step()
            is_last = self._stage.is_over(self.state, run.progress)
            to_save = not is_last and run.clock.is_due("checkpoint", CHECKPOINT_INTERVAL_S)
            to_evaluate = self._is_evaluation_due(run, is_last)
            if run.is_astray(is_kept=to_save or to_evaluate or is_last):
                run.go_back()
                continue
            if run.is_epoch:
                run.keep()
            if to_evaluate:
                self._evaluate(run)
            if is_last or run.clock.is_due("record", RECORD_INTERVAL_S):
                run.clock.restart("record")
                yield self._record(run)
            if to_save:
                self._save(run)
                run.clock.restart("checkpoint")

    def parameters(self) -> list[Parameter]:
        """The fitted tensors in coding order, as the scheme takes them."""
        side = self._stage.side_information(self.state)
        return self.state.parameters(self._stage.fitted(self.state), side)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """New optimizers of everything that is learned now."""
        return self._make_optimizers(
            dict(self.state.representation.named_parameters()),
            {spec.name: spec.role for spec in self.state.representation.specs},
            list(self.state.learned.values()),
            self.config.optimizer,
        )

    def _is_evaluation_due(self, run: "_StageRun", is_last: bool) -> bool:
        """At the end of a stage, and now and then.

        Under a time limit only the last stage ends with an evaluation: the budget has no time for
        the others.
        """
        is_end = isinstance(self.pace, StepPace) or run.number + 1 == len(self.stages)
        if is_last and is_end:
            return True
        return run.clock.is_due("evaluation", self._evaluation_interval_s)

    def _evaluate(self, run: "_StageRun") -> None:
        """Measure; where there is not the memory for a whole frame, go on without."""
        started_s = run.clock.elapsed_s
        try:
            self.evaluation = evaluate(self.state, self._stage, self.policy)
            took_s = run.clock.elapsed_s - started_s
            self._evaluation_interval_s = self.policy.next_interval_s(took_s)
        except torch.OutOfMemoryError:
            self._evaluation_interval_s = math.inf
            warnings.warn(
                f"stage {self._stage.config.kind}, step {run.step}: out of memory for a whole "
                "frame; going on without measuring",
                FittingWarning,
                stacklevel=2,
            )
        run.clock.restart("evaluation")

    def _record(self, run: "_StageRun") -> FitRecord:
        elapsed_s = run.clock.elapsed_s
        step_s = run.clock.run_s / (run.step - run.first_step)
        num_steps, eta_s = self.pace.outlook(self.steps_done, elapsed_s, step_s)
        measured = self.evaluation
        return FitRecord(
            self._stage.config.kind, run.number, len(self.stages), self.steps_done, num_steps,
            run.loss, elapsed_s, eta_s, measured.psnr_db, measured.size_bytes,
            dict(measured.estimated_bits), dict(measured.coded_bits),
        )  # fmt: skip

    def _save(self, run: "_StageRun") -> None:
        if self.store is not None:
            self.store.save({**run.snapshot(), **run.memory(), "elapsed_s": run.clock.elapsed_s})


class _StageRun:
    """One stage on its way: its step, its losses, and the state to go back to."""

    def __init__(self, fitting: Fitting, number: int, stored: dict[str, Any] | None) -> None:
        self.clock = Clock(fitting.elapsed_s)
        self.fitting, self.number = fitting, number
        self.taker, self.stage = fitting.taker, fitting.stages[number]
        self.optimizers = fitting.optimizers()
        self.taker.begin(number, self.stage, self.optimizers)
        self.step = self.first_step = 0
        self.taker.rate_factor = 1.0
        self.phase = 0
        if stored is not None:
            self._set(stored)
            self.first_step = self.step
        # One frame after the other is as hard as it is; only a mean over all frames can jump.
        watches_jumps = self.stage.turns(len(fitting.state.frames)) is None
        self.guard = Guard(self.snapshot(), watches_jumps)
        self.begun_s = self.clock.elapsed_s if stored is None else stored["begun_s"]
        self.loss = math.nan
        """Of the last step that was looked at."""
        self._total, self._count = torch.zeros((), device=fitting.state.frames.device), 0
        if stored is not None:
            self.guard.remember(stored["guard"])
            self._total, self._count = self._total + stored["loss_total"], stored["loss_count"]
        per_epoch = fitting.batches.steps_per_epoch
        self._look_every = -(-CHECK_EVERY // per_epoch) * per_epoch
        self._last = self._total
        self.progress = self._progress()

    @property
    def is_epoch(self) -> bool:
        """Whether a whole number of epochs is done since the mean loss was begun."""
        return self.step % self._look_every == 0

    def take_step(self) -> None:
        """One step, and what it adds to the mean loss of its phase."""
        phase = self.stage.phase(self.progress)
        if phase != self.phase:
            self.phase = phase
            self.guard.forget_mean()
            self._begin_mean()
        self._last = self.taker.take(self.step, self.progress)
        self.step += 1
        self.fitting.steps_done += 1
        self._total, self._count = self._total + self._last, self._count + 1
        self.progress = self._progress()

    def is_astray(self, is_kept: bool) -> bool:
        """Look at the loss when it is time, or when the state is to be kept."""
        is_kept = is_kept or self.is_epoch
        if not is_kept and self.step % CHECK_EVERY != 1:
            return False
        self.loss = float(self._last)
        mean = self._mean()
        if not math.isfinite(mean) or (self.is_epoch and self.guard.is_astray(mean)):
            return True
        return is_kept and not self.fitting.state.is_finite()

    def keep(self) -> None:
        """The state is good: remember it, and begin a new mean."""
        self.guard.keep(self._mean(), self.snapshot())
        self._begin_mean()

    def go_back(self) -> None:
        """Go on from the last good state at half the learning rate.

        Raises:
            DivergedError: that did not help before.
        """
        where = f"stage {self.stage.config.kind}, step {self.step}: loss is {self._mean():g}"
        if self.guard.num_recoveries == MAX_RECOVERIES:
            raise DivergedError(f"{where}, again; lower the learning rate")
        factor = self.taker.rate_factor / 2
        good = self.guard.recall()
        self.fitting.state.restore(good["state"])
        self._set(good)
        self.taker.rate_factor = factor
        self._begin_mean()
        self.progress = self._progress()
        warnings.warn(
            f"{where}; back to step {self.step} at half the learning rate",
            FittingWarning,
            stacklevel=2,
        )

    def snapshot(self) -> dict[str, Any]:
        """All that the next step begins with."""
        return {
            "stage": self.number,
            "step": self.step,
            "steps_done": self.fitting.steps_done,
            "phase": self.phase,
            "rate_factor": self.taker.rate_factor,
            "state": self.fitting.state.snapshot(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def memory(self) -> dict[str, Any]:
        """What a later run needs besides, to judge as this one would."""
        return {
            "loss_total": float(self._total),
            "loss_count": self._count,
            "begun_s": self.begun_s,
            "guard": self.guard.memory(),
        }

    def _set(self, snapshot: Mapping[str, Any]) -> None:
        """Stand where a snapshot was taken, but for the fitted state."""
        self.step, self.fitting.steps_done = snapshot["step"], snapshot["steps_done"]
        self.phase, self.taker.rate_factor = snapshot["phase"], snapshot["rate_factor"]
        for optimizer, state in zip(self.optimizers, snapshot["optimizers"], strict=True):
            optimizer.load_state_dict(state)

    def _begin_mean(self) -> None:
        self._total, self._count = torch.zeros_like(self._total), 0

    def _mean(self) -> float:
        return float(self._total) / self._count

    def _progress(self) -> float:
        elapsed_s = self.clock.elapsed_s
        return self.fitting.pace.progress(self.number, self.step, elapsed_s, self.begun_s)
