"""One loop for all stages: optimisers, schedule, clipping, checks, checkpoints, evaluation.

It does not know which stage or which representation it runs, prints nothing, and yields small
records.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from nvcodec.coding.parameters import Parameter
from nvcodec.coding.scheme import Scheme
from nvcodec.errors import DivergedError, FitMemoryError, InterruptedEncodeError
from nvcodec.fitting.batches import Batches, mixed_seed
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.config import FittingConfig
from nvcodec.fitting.guard import MAX_RECOVERIES, Guard
from nvcodec.fitting.losses import mean_error
from nvcodec.fitting.optimizers import make_optimizers
from nvcodec.fitting.progress import Pace, StepPace, TimePace
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.schedules import cosine
from nvcodec.fitting.stage import FitState, Stage
from nvcodec.pixel_values import from_unit
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import Samples, max_sample

CHECKPOINT_INTERVAL_S = 30.0
RECORD_INTERVAL_S = 1.0
EVALUATION_INTERVAL_S = 10.0
EVALUATION_SHARE = 0.05
"""Evaluations take at most this share of the time."""
EVALUATION_FRAMES = 8
CHECK_EVERY = 16
"""Steps between looks at the loss; a look waits for the device."""


class FittingWarning(UserWarning):
    """Fitting went astray and was set back, or ran out of memory and goes on with less."""


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
        store: CheckpointStore | None = None,
        time_limit_s: float | None = None,
        depth: int = 8,
    ) -> None:
        """Prepare a fitting; nothing runs yet.

        `frames` are samples (T, H, W, C) of `depth` bits on the representation's device. With
        `time_limit_s`, stages share that time in proportion to their steps, and schedules follow
        the clock.
        """
        if config.patch_size is not None:
            representation.check_patch_size(config.patch_size)
        self.state = FitState(representation, scheme, num_pixels(frames, samples), samples)
        self.frames = frames
        self.stages = stages
        self.scheme = scheme
        self.config = config
        self.samples = samples
        self.depth = depth
        self.seed = seed
        self.store = store
        self.batches = Batches(
            frames,
            representation.canvas,
            config.patch_size,
            config.batch_size,
            mixed_seed(seed),
            depth,
        )
        self.part_size = self.batches.batch_size
        """Patches, or frames, computed at a time; less than a batch where memory is short."""
        turns = [stage.turns(len(frames)) for stage in stages]
        steps = [
            0 if n == 0 else stage.config.epochs * self.batches.num_steps(n)
            for n, stage in zip(turns, stages, strict=True)
        ]
        self.pace: Pace = StepPace(steps) if time_limit_s is None else TimePace(steps, time_limit_s)
        self.steps_done = 0
        self._rate_factor = 1.0
        self.autocast_dtype = autocast_dtype(config.precision, frames.device)
        if config.compile:
            representation.compile(dynamic=False)
        self.psnr_db: float | None = None
        self.size_bytes: int | None = None
        self.estimated_bits: dict[str, float] = {}
        self.coded_bits: dict[str, float] = {}
        self.elapsed_s = 0.0
        self._evaluation_interval = EVALUATION_INTERVAL_S
        self._stage = 0

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[FitRecord]:
        """Run, or continue, all stages.

        Raises:
            DivergedError: the loss is not finite, or jumps, time and again.
            FitMemoryError: there is not the memory for a single patch.
            InterruptedEncodeError: `should_stop` said so; the state is saved.
        """
        stored = self.store.load() if self.store else None
        first_stage = stored["stage"] if stored else 0
        if stored:
            device = self.frames.device
            self.state.masks = {n: mask.to(device) for n, mask in stored["masks"].items()}
            side = stored["side"].items()
            self.state.side = {n: tensor.to(device).requires_grad_() for n, tensor in side}
            self.state.representation.load_state_dict(stored["parameters"])
            self.elapsed_s, self.steps_done = stored["elapsed_s"], stored["steps_done"]
            self._rate_factor = stored["rate_factor"]
        for number in range(first_stage, len(self.stages)):
            yield from self._run_stage(
                number, stored if number == first_stage else None, should_stop
            )

    def _run_stage(
        self, number: int, stored: dict[str, Any] | None, should_stop: Callable[[], bool]
    ) -> Iterator[FitRecord]:
        stage, pace = self.stages[number], self.pace
        self._stage = number
        if stored is None:
            stage.prepare(self.state)
            self._rate_factor = 1.0
        optimizers = make_optimizers(
            dict(self.state.representation.named_parameters()),
            {spec.name: spec.role for spec in self.state.representation.specs},
            self._side_tensors(),
            self.config.optimizer,
        )
        first_step = 0
        if stored is not None:
            first_step = stored["step"]
            for optimizer, state in zip(optimizers, stored["optimizers"], strict=True):
                optimizer.load_state_dict(state)
        # One frame after the other is as hard as it is; only a mean over all frames can jump.
        watches_jumps = stage.turns(len(self.frames)) is None
        guard = Guard(self._fitted_state(number, first_step, optimizers), watches_jumps)
        per_epoch = self.batches.steps_per_epoch
        look_every = -(-CHECK_EVERY // per_epoch) * per_epoch
        clock = _Clock(self.elapsed_s)
        loss, step = math.nan, first_step
        total, count = torch.zeros((), device=self.frames.device), 0
        if stored is not None:
            guard.remember(stored["guard"])
            total, count = total + stored["loss_total"], stored["loss_count"]

        def save() -> None:
            if self.store is not None:
                so_far = {"loss_total": float(total), "loss_count": count, "guard": guard.memory()}
                state = self._fitted_state(number, step, optimizers)
                self.store.save(state | so_far | {"elapsed_s": clock.elapsed_s})

        progress = pace.progress(number, step, clock.elapsed_s)
        while progress < 1:
            if should_stop():
                if self._is_finite():  # otherwise the state before is the one to go on from
                    save()
                raise InterruptedEncodeError("stopped on request; everything up to here is saved")
            tensor = self._step(number, step, progress, optimizers)
            step += 1
            self.steps_done += 1
            total, count = total + tensor, count + 1
            progress = pace.progress(number, step, clock.elapsed_s)
            last = progress >= 1
            to_save = not last and clock.is_due("checkpoint", CHECKPOINT_INTERVAL_S)
            # A time that is given leaves none for an evaluation at the end of every stage.
            is_end = last and (isinstance(pace, StepPace) or number + 1 == len(self.stages))
            to_evaluate = is_end or clock.is_due("evaluation", self._evaluation_interval)
            is_epoch = step % look_every == 0
            is_kept = is_epoch or to_save or to_evaluate or last
            if step % CHECK_EVERY == 1 or is_kept:
                loss, mean = float(tensor), float(total) / count
                is_lost = not math.isfinite(mean) or (is_epoch and guard.is_astray(mean))
                if is_lost or (is_kept and not self._is_finite()):
                    step = self._go_back(guard, stage, step, mean, optimizers)
                    progress = pace.progress(number, step, clock.elapsed_s)
                    total, count = torch.zeros_like(total), 0
                    continue
            if is_epoch:
                guard.keep(mean, self._fitted_state(number, step, optimizers))
                total, count = torch.zeros_like(total), 0
            if to_evaluate:
                self._try_to_evaluate(stage, step)
                clock.restart("evaluation")
            if last or clock.is_due("record", RECORD_INTERVAL_S):
                clock.restart("record")
                step_s = clock.run_s / (step - first_step)
                num_steps, eta_s = pace.outlook(self.steps_done, clock.elapsed_s, step_s)
                yield FitRecord(
                    stage.config.kind, number, len(self.stages), self.steps_done, num_steps, loss,
                    clock.elapsed_s, eta_s, self.psnr_db, self.size_bytes,
                    self.estimated_bits, self.coded_bits,
                )  # fmt: skip
            if to_save:
                save()
                clock.restart("checkpoint")
        stage.finish(self.state)
        self.elapsed_s = clock.elapsed_s

    def _step(
        self, number: int, step: int, progress: float, optimizers: Sequence[torch.optim.Optimizer]
    ) -> Tensor:
        stage = self.stages[number]
        config = stage.config
        frame, progress = stage.begin_step(self.state, progress)
        factor = self._rate_factor * config.learning_rate_scale * cosine(
            progress, config.warmup_epochs / config.epochs, config.warmup_ratio, config.final_ratio,
            config.warmup_prefix,
        )  # fmt: skip
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
                group["weight_decay"] = group.get("initial_weight_decay", 0.0) * (1 - progress)
        while True:
            try:
                loss, generator = self._gradients(number, step, progress, frame, optimizers)
                break
            except torch.OutOfMemoryError as error:
                self._halve_parts(stage, step, error)
        self._descend(optimizers)
        if stage.rate_every > 1 and (step + 1) % stage.rate_every == 0:
            # A step of its own, weighed for those it stands for (NVRC, section 3.5).
            _forget_gradients(optimizers)
            rate = stage.rate_every * stage.rate(self.state, progress, generator)
            rate.backward()  # type: ignore[no-untyped-call]
            self._descend(optimizers)
        return loss

    def _gradients(
        self,
        number: int,
        step: int,
        progress: float,
        frame: int | None,
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> tuple[Tensor, torch.Generator]:
        """Gradients of a step's batch, summed over its parts; its loss, and the random numbers."""
        stage = self.stages[number]
        device = self.frames.device
        total = torch.zeros((), device=device)
        _forget_gradients(optimizers)
        for share, patches, target in self.batches.parts(number, step, frame, self.part_size):
            # Every part sees the same random numbers, so that the parts add up to the batch.
            generator = torch.Generator(device)
            generator.manual_seed(mixed_seed(self.seed, number, step))
            values = stage.values(self.state, progress, generator)
            with torch.autocast(
                device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None
            ):
                output = functional_call(self.state.representation, dict(values), (patches,))
            output = self.batches.ignore_padding(output.float(), target, patches)
            loss = share * stage.loss(output, target, self.samples, self.config.loss)
            if stage.rate_every == 1:
                loss = loss + share * stage.rate(self.state, progress, generator)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total, generator

    def _halve_parts(self, stage: Stage[Any], step: int, error: torch.OutOfMemoryError) -> None:
        """Compute batches in smaller parts from now on: the same steps in less memory.

        Of a loss that is no mean over patches, such as that of YUV, it is the parts' mean.

        Nothing was changed by the step that failed, so it is done again.

        Raises:
            FitMemoryError: there is nothing to halve.
        """
        where = f"stage {stage.config.kind}, step {step}: out of memory"
        if self.part_size == 1:
            rows, columns = self.config.patch_size or self.state.representation.canvas
            raise FitMemoryError(
                f"{where} for one {columns}x{rows} patch ({str(error).splitlines()[0]})",
                "take a smaller preset, or smaller patches with {patch_size}",
            ) from error
        seen, self.part_size = self.part_size, (self.part_size + 1) // 2
        warnings.warn(
            f"{where} for {seen} patches; going on with {self.part_size} at a time",
            FittingWarning,
            stacklevel=2,
        )

    def _descend(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        if self.config.clip_norm is not None:
            tensors = [*self.state.representation.parameters(), *self._side_tensors()]
            torch.nn.utils.clip_grad_norm_(tensors, self.config.clip_norm)
        for optimizer in optimizers:
            optimizer.step()

    def _is_finite(self) -> bool:
        tensors = [*self.state.representation.parameters(), *self._side_tensors()]
        return all(bool(tensor.isfinite().all()) for tensor in tensors)

    def _side_tensors(self) -> list[Tensor]:
        return list(self.state.side.values())

    def parameters(self) -> list[Parameter]:
        """The fitted tensors in coding order."""
        state, stage, fitted = self.state, self.stages[self._stage], []
        values = stage.fitted(state)
        tables = stage.side_information(state) if state.side else {}
        for spec in state.representation.specs:
            mask = state.masks[spec.name].cpu().numpy() > 0 if spec.name in state.masks else None
            side = {name: _array(tensor) for name, tensor in tables.get(spec.name, {}).items()}
            fitted.append(Parameter(spec, _array(values[spec.name]), mask, side or None))
        return fitted

    def _try_to_evaluate(self, stage: Stage[Any], step: int) -> None:
        """Evaluate; where there is not the memory for a whole frame, go on without."""
        try:
            self._evaluate()
        except torch.OutOfMemoryError:
            self.state.representation.train()
            self._evaluation_interval = math.inf
            warnings.warn(
                f"stage {stage.config.kind}, step {step}: out of memory for a whole frame; "
                "going on without measuring",
                FittingWarning,
                stacklevel=2,
            )

    def _evaluate(self) -> None:
        """Measure what a decoder would show if the fitting ended here."""
        started = time.monotonic()
        coded = self.scheme.quantize(self.parameters())
        self.size_bytes = sum(map(len, self.scheme.pack(coded).values()))
        if self.state.side:
            stage = self.stages[self._stage]
            self.estimated_bits = dict(stage.estimated_bits(self.state, coded))
            self.coded_bits = self.scheme.group_bits(coded)
        device = self.frames.device
        values = {n: torch.from_numpy(v).to(device).float() for n, v in coded.dequantize().items()}
        count = min(EVALUATION_FRAMES, len(self.frames))
        psnrs = []
        self.state.representation.eval()
        # Compiled code is for steps alone; a decoder has none.
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            for t in torch.linspace(0, len(self.frames) - 1, count).round().long().tolist():
                patches = Patches.frames(torch.tensor([t], device=device))
                output = functional_call(self.state.representation, values, (patches,))
                height, width = self.frames.shape[1:3]
                rounded = from_unit(output[0, :height, :width], self.depth)
                error = rounded - self.frames[t].float()
                mse = float(mean_error(error.square()[None], self.samples))
                psnrs.append(10 * math.log10(max_sample(self.depth) ** 2 / max(mse, 1e-9)))
        self.state.representation.train()
        self.psnr_db = sum(psnrs) / len(psnrs)
        self._evaluation_interval = max(
            EVALUATION_INTERVAL_S, (time.monotonic() - started) / EVALUATION_SHARE
        )

    def _fitted_state(
        self, number: int, step: int, optimizers: Sequence[torch.optim.Optimizer]
    ) -> dict[str, Any]:
        """All that `step` of a stage begins with."""
        return {
            "stage": number,
            "step": step,
            "steps_done": self.steps_done,
            "rate_factor": self._rate_factor,
            "masks": self.state.masks,
            "side": self.state.side,
            "parameters": self.state.representation.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        }

    def _go_back(
        self,
        guard: Guard,
        stage: Stage[Any],
        step: int,
        loss: float,
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> int:
        """Go on from the last good state at half the learning rate; the step to go on with.

        Raises:
            DivergedError: that did not help before.
        """
        where = f"stage {stage.config.kind}, step {step}: loss is {loss:g}"
        if guard.num_recoveries == MAX_RECOVERIES:
            raise DivergedError(f"{where}, again; lower the learning rate")
        good = guard.recall()
        self.state.representation.load_state_dict(good["parameters"])
        with torch.no_grad():
            for name, tensor in self.state.side.items():
                tensor.copy_(good["side"][name])
        for optimizer, state in zip(optimizers, good["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.steps_done = good["steps_done"]
        self._rate_factor /= 2
        warnings.warn(
            f"{where}; back to step {good['step']} at half the learning rate",
            FittingWarning,
            stacklevel=2,
        )
        first_step: int = good["step"]
        return first_step


def num_pixels(frames: Tensor, samples: Samples) -> int:
    """Pixels of the video that samples (T, H, W, C) stand for; packed ones for four each."""
    return math.prod(frames.shape[:3]) * samples.pixels_per_position


def _forget_gradients(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy().astype(np.float32)
    return array


class _Clock:
    """Time since the start, and since several things were last done."""

    def __init__(self, before_s: float) -> None:
        self.before_s = before_s
        self.started = time.monotonic()
        self.marks: dict[str, float] = {}

    @property
    def run_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def elapsed_s(self) -> float:
        return self.before_s + self.run_s

    def is_due(self, name: str, interval_s: float) -> bool:
        return time.monotonic() - self.marks.get(name, self.started) >= interval_s

    def restart(self, name: str) -> None:
        self.marks[name] = time.monotonic()


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """bfloat16 where asked for, or native to the device under `auto`; else None: float32."""
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.get_device_capability(device) >= (8, 0)
        else:
            native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if native else None
    return torch.bfloat16 if precision == "bf16" else None
