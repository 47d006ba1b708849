"""Quality before compression on Bunny 720p: the papers' recipes, and ours in a given time.

`bunny-*-paper` and `bunny-nerv-s` run 300 epochs of the papers' recipes; `bunny-time-*` fit our
presets for a time, with schedules that follow the clock. Each goes on from its checkpoint.
"""

import functools
import itertools
import json
import math
from pathlib import Path
from typing import Any

import torch

from common import frames_of
from gpu_measurements.work import Point, Work
from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.evaluation import psnr_db
from nvcodec.fitting.loop import Fitting
from nvcodec.presets import Preset
from nvcodec.samples import Samples
from nvcodec.segment_encoder import start_fitting

CLIP = "bigbuckbunny.mp4"
EPOCHS = 300
PRINTED_DB = {"xxs": 36.37, "xs": 38.94, "s": 41.14}
"""HiNeRV, Table 1, by size."""
NERV_DB = 32.21
"""NeRV-S on Bunny at 300 epochs, as printed."""
TIMES_S = {"xxs": 60.0, "xs": 120.0, "s": 240.0}


def bunny_points(rehearsal: bool) -> list[Point]:
    """HiNeRV: XXS by the paper, then ours."""
    paper = "paper/hinerv-bunny-xxs"
    measure = functools.partial(measure_fit, preset=paper, printed_db=PRINTED_DB["xxs"])
    found = [_point("bunny-xxs-paper", paper, 10, measure)]
    for size, limit_s in TIMES_S.items():
        if rehearsal and size != "xxs":
            continue
        measure = functools.partial(
            measure_fit,
            preset=f"hinerv-{size}",
            printed_db=PRINTED_DB[size],
            limit_s=limit_s,
        )
        found.append(_point(f"bunny-time-{size}", f"hinerv-{size}", limit_s / 60 + 0.3, measure))
    return found


def larger_points(rehearsal: bool) -> list[Point]:
    """HiNeRV XS and S by the paper, which take long."""
    found = []
    for size, minutes in (("xs", 20), ("s", 30)):
        preset = f"paper/hinerv-bunny-{size}"
        measure = functools.partial(measure_fit, preset=preset, printed_db=PRINTED_DB[size])
        found.append(_point(f"bunny-{size}-paper", preset, minutes, measure))
    return [] if rehearsal else found


def nerv_points(rehearsal: bool) -> list[Point]:
    """NeRV S by the paper."""
    preset = "paper/nerv-bunny-s"
    measure = functools.partial(measure_fit, preset=preset, printed_db=NERV_DB)
    return [_point("bunny-nerv-s", preset, 8, measure)]


def _point(measurement: str, name: str, minutes: float, measure: Any) -> Point:
    return Point(measurement, name, minutes, measure, clip=CLIP, resumable=True)


def measure_fit(
    work: Work, preset: str, printed_db: float, limit_s: float | None = None
) -> dict[str, Any]:
    """Fit the preset's first stage alone and measure it on every frame."""
    epochs, num_frames = EPOCHS, None
    if work.rehearsal:
        epochs, num_frames, limit_s = 2, 2, limit_s and 1.0
    frames = frames_of(work.clip(CLIP), num_frames=num_frames)
    alone = first_stage(work.preset(preset), epochs)
    folder = work.folder("fits", preset.replace("/", "-"))
    digest = f"{alone.model_dump_json()} {tuple(frames.shape)} {limit_s}"
    fitting = start_fitting(
        frames.numpy(),
        alone,
        seed=0,
        device=work.device,
        store=CheckpointStore(folder, "fit", digest),
        time_limit_s=limit_s,
    )
    trace = folder / "trace.jsonl"
    for record in fitting.run(work.is_over):
        with trace.open("a", encoding="utf-8") as file:
            file.write(json.dumps([record.elapsed_s, record.psnr_db]) + "\n")
    exact = exact_psnr_db(fitting)
    return {
        "preset": preset,
        "shape": list(frames.shape),
        "parameters": sum(p.numel() for p in fitting.state.representation.parameters()),
        "epochs": fitting.steps_done / fitting.batches.steps_per_epoch,
        "time_limit_s": limit_s,
        "fit_s": fitting.elapsed_s,
        "psnr_db": exact,
        "psnr_8bit_db": psnr_db(fitting.state.representation, fitting.state.frames, Samples.RGB),
        "printed_db": printed_db,
        "difference_db": exact - printed_db,
        "quantized_db_by_s": thinned(trace),
    }


def first_stage(preset: Preset, epochs: int) -> Preset:
    """Its first stage alone, weights in half floats; the warm-up keeps its share of the epochs."""
    first = preset.stages[0]
    warmup = round(first.warmup_epochs * epochs / first.epochs)
    stage = first.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})
    scheme = load_scheme({"kind": "raw_fp16"}).config
    return preset.model_copy(update={"stages": (stage,), "scheme": scheme})


@torch.no_grad()
def exact_psnr_db(fitting: Fitting) -> float:
    """Mean PSNR over frames of unrounded float output: the papers' measure."""
    found = []
    network, frames = fitting.state.representation, fitting.state.frames
    for t in range(len(frames)):
        output = network.render(torch.tensor([t], device=frames.device))[0] * 255
        error = float((output - frames[t].float()).square().mean())
        found.append(10 * math.log10(255**2 / max(error, 1e-9)))
    return sum(found) / len(found)


def thinned(trace: Path) -> list[tuple[float, float]]:
    """When each PSNR (of eight frames, FP16 weights) was measured: (seconds, dB)."""
    lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    groups = itertools.groupby(lines, key=lambda line: line[1])
    return [next(group)[:2] for psnr_db, group in groups if psnr_db is not None]
