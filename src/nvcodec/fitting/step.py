"""One step of fitting: rates of the moment, gradients of a batch in parts, clipping, update."""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from nvcodec.errors import FitMemoryError
from nvcodec.fitting.batches import Batches, mixed_seed
from nvcodec.fitting.config import FittingConfig
from nvcodec.fitting.schedules import cosine
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState


class FittingWarning(UserWarning):
    """Fitting went astray and was set back, or ran out of memory and goes on with less."""


class StepTaker:
    """Takes steps of any stage; a step is a function of the state, the seed and its number."""

    def __init__(self, state: FitState, batches: Batches, config: FittingConfig, seed: int) -> None:
        self.state, self.batches, self.config, self.seed = state, batches, config, seed
        self.device = batches.frames.device
        self.autocast_dtype = autocast_dtype(config.precision, self.device)
        self.part_size = batches.batch_size
        """Patches, or frames, computed at a time; less than a batch where memory is short."""
        self.rate_factor = 1.0
        """On all learning rates; halved each time that the fitting is set back."""
        self.optimizers: Sequence[torch.optim.Optimizer] = ()

    def begin(
        self, number: int, stage: Stage[Any], optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        """Steps are those of this stage from now on."""
        self.number, self.stage, self.optimizers = number, stage, optimizers

    def take(self, step: int, progress: float) -> Tensor:
        """Do one step at `progress` (0 to 1) of the stage; gives its loss, a scalar."""
        if self.stage.is_direct:
            return self.stage.direct_step(self.state, step, progress)
        frame, progress = self.stage.begin_step(self.state, progress)
        self._set_rates(progress)
        while True:
            try:
                loss, generator = self._gradients(step, progress, frame)
                break
            except torch.OutOfMemoryError as error:
                self._halve_parts(step, error)
        self._descend()
        every = self.stage.config.steps_between_rates
        if every > 1 and (step + 1) % every == 0:
            # A step of its own, weighed for those it stands for (NVRC, section 3.5).
            self._forget_gradients()
            view = self.stage.view(self.state, progress, generator)
            assert view.rate is not None
            rate = every * view.rate()
            rate.backward()
            self._descend()
        return loss

    def _set_rates(self, progress: float) -> None:
        """Learning rates and weight decay of the moment."""
        config = self.stage.config
        factor = self.rate_factor * config.learning_rate_scale * cosine(
            progress, config.warmup_epochs / config.epochs, config.warmup_ratio, config.final_ratio,
            config.warmup_prefix,
        )  # fmt: skip
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
                group["weight_decay"] = group.get("initial_weight_decay", 0.0) * (1 - progress)

    def _gradients(
        self, step: int, progress: float, frame: int | None
    ) -> tuple[Tensor, torch.Generator]:
        """Gradients of a step's batch, summed over its parts; its loss, and the random numbers."""
        state, stage, device, dtype = self.state, self.stage, self.device, self.autocast_dtype
        total = torch.zeros((), device=device)
        self._forget_gradients()
        for share, patches, target in self.batches.parts(self.number, step, frame, self.part_size):
            # Every part sees the same random numbers, so that the parts add up to the batch.
            generator = random_numbers(device, mixed_seed(self.seed, self.number, step))
            view = stage.view(state, progress, generator)
            with arithmetic(device, dtype):
                output = functional_call(state.representation, dict(view.values), (patches,))
            output = self.batches.ignore_padding(output.float(), target, patches)
            loss = share * stage.loss(output, target, state.samples, self.config.loss)
            if stage.config.steps_between_rates == 1 and view.rate is not None:
                loss = loss + share * view.rate()
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total, generator

    def _halve_parts(self, step: int, error: torch.OutOfMemoryError) -> None:
        """Compute batches in smaller parts from now on: the same steps in less memory.

        A loss that is not a mean over patches (YUV's product of mean squared errors) becomes the
        mean of the parts' losses, so halving changes it slightly. Nothing was changed by the step
        that failed, so it is done again.

        Raises:
            FitMemoryError: there is nothing to halve.
        """
        where = f"stage {self.stage.config.kind}, step {step}: out of memory"
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

    def _descend(self) -> None:
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.state.tensors(), self.config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()

    def _forget_gradients(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)


def random_numbers(device: torch.device, seed: int) -> torch.Generator:
    """The device's own, from a seed."""
    return torch.Generator(device).manual_seed(seed)


def arithmetic(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """In which products are computed in `dtype`; None: as their factors are."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """bfloat16 where asked for, or native to the device under `auto`; else None: float32."""
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.get_device_capability(device) >= (8, 0)
        else:
            native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if native else None
    return torch.bfloat16 if precision == "bf16" else None
