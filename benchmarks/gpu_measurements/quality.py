"""Quality before compression on Bunny 720p: the papers' recipes, and ours in a given time.

`bunny-xxs-paper` and `bunny-nerv-s` run 300 epochs of the paper's recipe; `bunny-time-*` fit our
presets for a time, with schedules that follow the clock. Each goes on from its checkpoint.
"""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

from gpu_measurements.work import Point, Work
from reproduce_hinerv import PRINTED_DB, make_fitting, measure_db, read_rgb

CLIP = "bigbuckbunny.mp4"
EPOCHS = 300
NERV_DB = 32.21
"""NeRV-S on Bunny at 300 epochs, as printed."""
TIMES_S = {"xxs": 60.0, "xs": 120.0, "s": 240.0}


def bunny_points(rehearsal: bool) -> list[Point]:
    """HiNeRV: XXS by the paper, then ours."""
    paper = "paper/hinerv-bunny-xxs"
    measure = functools.partial(measure_fit, preset=paper, printed_db=PRINTED_DB[paper])
    found = [_point("bunny-xxs-paper", paper, 10, measure)]
    for size, limit_s in TIMES_S.items():
        if rehearsal and size != "xxs":
            continue
        measure = functools.partial(
            measure_fit,
            preset=f"hinerv-{size}",
            printed_db=PRINTED_DB[f"paper/hinerv-bunny-{size}"],
            limit_s=limit_s,
        )
        found.append(_point(f"bunny-time-{size}", f"hinerv-{size}", limit_s / 60 + 0.3, measure))
    return found


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
    epochs, frames = EPOCHS, None
    if work.rehearsal:
        epochs, frames, limit_s = 2, 2, limit_s and 1.0
    folder = work.folder("fits", preset.replace("/", "-"))
    fitting = make_fitting(
        read_rgb(str(work.clip(CLIP)), frames),
        work.preset(preset),
        work.device,
        folder,
        epochs,
        limit_s,
    )
    trace = folder / "trace.jsonl"
    for record in fitting.run(work.is_over):
        with trace.open("a", encoding="utf-8") as file:
            file.write(json.dumps([record.elapsed_s, record.psnr_db]) + "\n")
    exact, rounded = measure_db(fitting)
    representation = fitting.state.representation
    return {
        "preset": preset,
        "shape": list(fitting.frames.shape),
        "parameters": sum(p.numel() for p in representation.parameters()),
        "epochs": fitting.steps_done / fitting.batches.steps_per_epoch,
        "time_limit_s": limit_s,
        "fit_s": fitting.elapsed_s,
        "psnr_db": exact,
        "psnr_8bit_db": rounded,
        "printed_db": printed_db,
        "difference_db": exact - printed_db,
        "quantized_db_by_s": thinned(trace),
    }


def thinned(trace: Path) -> list[tuple[float, float]]:
    """When each PSNR (of eight frames, FP16 weights) was measured: (seconds, dB)."""
    lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    groups = itertools.groupby(lines, key=lambda line: line[1])
    return [next(group)[:2] for psnr_db, group in groups if psnr_db is not None]
