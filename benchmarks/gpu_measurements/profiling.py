"""`profile`: the kernels that a step of fitting and a decoded frame spend their time in."""

import functools
import time
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from gpu_measurements.steps import (
    SHAPES,
    TIMED_KINDS,
    TOY_SHAPE,
    random_frames,
    run_steps,
    start,
)
from gpu_measurements.work import Point, Work
from nvcodec.representations import build
from nvcodec.representations.representation import Patches

PRESETS = ("hinerv-xxs", "hinerv-s", "nvrc-s1", "paper/hinerv-bunny-xxs")
NUM_STEPS, TOP, NAME_LENGTH = 10, 15, 120


def points(rehearsal: bool) -> list[Point]:
    """Each preset at 720p."""
    presets = PRESETS[:1] if rehearsal else PRESETS
    return [Point("profile", n, 0.4, functools.partial(measure, name=n)) for n in presets]


def measure(work: Work, name: str) -> dict[str, Any]:
    """Top kernels of the stages that differ in cost, and of a frame as it is decoded."""
    preset = work.preset(name)
    shape, num_steps = (TOY_SHAPE, 2) if work.rehearsal else (SHAPES["720p"], NUM_STEPS)
    frames = random_frames(work, shape)
    found: dict[str, Any] = {"preset": name, "shape": list(shape)}
    for stage in preset.stages:
        if stage.kind in TIMED_KINDS and stage.kind not in found:
            watch = Watch(work)
            fitting = start(preset, stage, frames)
            steps = run_steps(work, fitting, watch.start, num_steps)
            found[stage.kind] = watch.stop(steps)
    network = build(preset.representation, shape).to(work.device).eval()
    half = torch.float16 if work.device.type == "cuda" else None
    patches = Patches.frames(torch.tensor([0], device=work.device))
    watch = Watch(work)
    with (
        torch.inference_mode(),
        torch.autocast(work.device.type, half, enabled=half is not None),
    ):
        for frame in range(2 * num_steps):
            if frame == num_steps:  # the first ones choose their kernels
                work.wait()
                watch.start()
            network(patches)
        found["decoded_frame"] = watch.stop(num_steps)
    return found


class Watch:
    """The profiler over some repetitions of one thing."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.cuda = work.device.type == "cuda"
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * self.cuda
        self.profiler = profile(activities=activities)
        self.started = 0.0

    def start(self) -> None:
        """Begin to count."""
        self.profiler.start()
        self.started = time.monotonic()

    def stop(self, count: int) -> dict[str, Any]:
        """Time of one of `count` repetitions, and the kernels (on a CPU: operators) in it."""
        self.work.wait()
        elapsed_s = time.monotonic() - self.started
        self.profiler.stop()
        kind = DeviceType.CUDA if self.cuda else DeviceType.CPU
        times: dict[str, tuple[float, int]] = {}
        for event in self.profiler.key_averages():
            if event.device_type == kind and not getattr(event, "is_user_annotation", False):
                own = event.self_device_time_total if self.cuda else event.self_cpu_time_total
                times[event.key] = own / 1e6 / count, event.count
        busy_s = sum(own for own, _ in times.values())
        top = sorted(times.items(), key=lambda entry: -entry[1][0])[:TOP]
        return {
            "wall_s": elapsed_s / count,
            "busy_s": busy_s,
            "kernels": sum(calls for _, calls in times.values()) / count,
            "top": [
                {
                    "name": name[:NAME_LENGTH],
                    "share": own / busy_s,
                    "ms": 1e3 * own,
                    "calls": calls / count,
                }
                for name, (own, calls) in top
            ],
        }
