"""`steps`: time and memory of a step of fitting, against what the device can do at best.

Arithmetic of a step is counted as three forward passes (one forward, two backward) of the pixels
in its batch, two operations a multiply-add; margins of patches, the rate and the optimizer are not
counted.
"""

import contextlib
import functools
import gc
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from gpu_measurements.work import Point, Work, seconds_each
from nvcodec.errors import FitMemoryError, InterruptedEncodeError
from nvcodec.fitting.config import StageConfig
from nvcodec.fitting.evaluation import EvaluationPolicy
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.step import FittingWarning
from nvcodec.presets import Preset
from nvcodec.samples import VideoShape
from nvcodec.segment_encoder import start_fitting

SHAPES = {"720p": VideoShape(132, 720, 1280, 3), "1080p": VideoShape(600, 1080, 1920, 3)}
TOY_SHAPE = VideoShape(4, 180, 320, 3)
PAPER = {
    "hinerv-xxs": "paper/hinerv-bunny-xxs",
    "hinerv-xs": "paper/hinerv-bunny-xs",
    "hinerv-s": "paper/hinerv-bunny-s",
    "hinerv-m": "paper/hinerv-uvg-m",
    "hinerv-l": "paper/hinerv-uvg-l",
    "hinerv-xl": "paper/hinerv-uvg-xl",
    "hinerv-xxl": "paper/hinerv-uvg-xxl",
    "nvrc-s1": "paper/nvrc-mcl-s1",
    "nvrc-s2": "paper/nvrc-uvg-s2",
    "nvrc-s3": "paper/nvrc-uvg-s3",
    "nvrc-s4": "paper/nvrc-uvg-s4",
    "nvrc-xxl": None,
}
"""The paper's recipe for the size of each of our presets; NVRC's has no XXL."""
COMPILED = ("hinerv-xxs", "hinerv-s", "nvrc-s2")
"""Measured with `fitting.compile` too."""
PATCHES = {"720p": "fitting.patch_size=[80,80]", "1080p": "fitting.patch_size=[120,120]"}
"""Of HiNeRV at each size (section 4.1); a batch of 144 is one frame."""
TIMED_KINDS = ("fit", "rate_distortion")
WARM_STEPS, TIMED_S = 2, 2.0


def points(rehearsal: bool) -> list[Point]:
    """The device's peaks, then ours and the paper's recipe of every size."""
    found = [Point("steps", "peaks", 0.1, measure_peaks)]
    sizes = ("720p",) if rehearsal else SHAPES
    pairs = {name: PAPER[name] for name in ("hinerv-xxs", "nvrc-s2")} if rehearsal else PAPER
    for size in sizes:
        for ours, papers in pairs.items():
            for name in (ours, papers):
                if name is not None:
                    measure = functools.partial(measure_steps, name=name, size=size)
                    found.append(Point("steps", f"{size}/{name}", 0.1, measure))
    for size in sizes:
        for name in COMPILED[:1] if rehearsal else COMPILED:
            measure = functools.partial(measure_steps, name=name, size=size, compiled=True)
            found.append(Point("steps-compiled", f"{size}/{name}", 1.5, measure))
    return found


def measure_peaks(work: Work) -> dict[str, Any]:
    """Arithmetic of large matrix products, and bytes read and written by a copy, a second."""
    side, size, at_least_s = (256, 1 << 20, 0.05) if work.rehearsal else (8192, 1 << 31, 1.0)
    found = {}
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.half), ("fp32", torch.float)):
        a, b = (torch.randn(side, side, device=work.device).to(dtype) for _ in range(2))
        product = torch.empty_like(a)
        multiply = functools.partial(torch.mm, a, b, out=product)
        step_s = seconds_each(work, multiply, at_least_s)
        found[f"{name}_tflops"] = 2 * side**3 / step_s / 1e12
    source = torch.zeros(size, dtype=torch.uint8, device=work.device)
    target = torch.empty_like(source)
    copy_s = seconds_each(work, functools.partial(target.copy_, source), at_least_s)
    return {**found, "copy_gbytes_per_s": 2 * size / copy_s / 1e9}


def random_frames(work: Work, shape: VideoShape) -> torch.Tensor:
    """Noise on the device: what a step costs does not depend on the pixels."""
    generator = torch.Generator(work.device).manual_seed(0)
    size = tuple(shape)
    return torch.randint(0, 256, size, generator=generator, dtype=torch.uint8, device=work.device)


def start(preset: Preset, stage: StageConfig, frames: torch.Tensor) -> Fitting:
    """One stage of a preset, ready to begin; never evaluated, for that is no part of a step."""
    alone = preset.model_copy(update={"stages": (stage,)})
    never = EvaluationPolicy(interval_s=math.inf)
    fitting = start_fitting(
        frames.cpu().numpy(), alone, seed=0, device=frames.device, evaluation=never
    )
    return fitting


def measure_steps(work: Work, name: str, size: str, compiled: bool = False) -> dict[str, Any]:
    """Step time, peak memory and arithmetic of the stages that differ in cost."""
    changes = [PATCHES[size]] if name.startswith("paper/") else []
    changes += ["fitting.compile=true"] * compiled
    preset = work.preset(name, *changes)
    shape = TOY_SHAPE if work.rehearsal else SHAPES[size]
    frames = random_frames(work, shape)
    config = preset.representation
    timed: dict[str, Any] = {}
    for stage in preset.stages:
        if stage.kind in TIMED_KINDS and stage.kind not in timed:
            timed[stage.kind] = time_stage(work, preset, stage, frames)
    return {
        "preset": name,
        "compiled": compiled,
        "shape": list(shape),
        "parameters": config.num_parameters(shape),
        "gmac_per_frame": config.macs_per_frame(shape) / 1e9,
        "stages": timed,
    }


def time_stage(
    work: Work, preset: Preset, stage: StageConfig, frames: torch.Tensor
) -> dict[str, Any]:
    """What a step of one stage takes, frames included in the memory."""
    cuda = work.device.type == "cuda"
    if cuda:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(work.device)
    fitting = start(preset, stage, frames)
    begun: list[float] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FittingWarning)  # told by `patches_at_a_time`
            timed_s = 0.2 if work.rehearsal else TIMED_S
            every = max(1, stage.steps_between_rates)
            steps = run_steps(work, fitting, lambda: begun.append(time.monotonic()), every, timed_s)
    except (FitMemoryError, torch.OutOfMemoryError) as error:
        return {"out_of_memory": str(error)}
    step_s = (time.monotonic() - begun[0]) / steps
    batches = fitting.batches
    frames_per_step = batches.batch_size * len(frames) / batches.num_patches
    config = preset.representation
    macs = config.macs_per_frame(VideoShape(*frames.shape)) * frames_per_step
    return {
        "steps": steps,
        "step_s": step_s,
        "frames_per_s": frames_per_step / step_s,
        "tflops": 6 * macs / step_s / 1e12,
        "peak_bytes": torch.cuda.max_memory_allocated(work.device) if cuda else None,
        "batch_size": batches.batch_size,
        "patches_at_a_time": fitting.taker.part_size,
        "patch_size": fitting.config.patch_size,
        "autocast": str(fitting.taker.autocast_dtype),
    }


def run_steps(
    work: Work, fitting: Fitting, begin: Callable[[], None], num_steps: int, at_least_s: float = 0.0
) -> int:
    """Some steps that do not count, then `begin`, then those that do; gives how many they are.

    They are a multiple of `num_steps`, and take `at_least_s`.
    """
    begun_s = 0.0

    def should_stop() -> bool:  # asked before every step
        nonlocal begun_s
        if fitting.steps_done == WARM_STEPS:
            work.wait()
            begin()
            begun_s = time.monotonic()
        counted = fitting.steps_done - WARM_STEPS
        if counted <= 0 or counted % num_steps:
            return False
        return time.monotonic() - begun_s >= at_least_s

    with contextlib.suppress(InterruptedEncodeError):
        for _ in fitting.run(should_stop):
            pass
    work.wait()
    return fitting.steps_done - WARM_STEPS
