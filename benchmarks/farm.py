"""What a farm of workers makes of many segments: a simulation, event by event, from measured times.

    python benchmarks/farm.py --out benchmarks/results/farm.jsonl

A worker takes the next segment when it is free, in the order of the video, as `workers/` does it.
Segments are as long as cuts make them (150 to 600 frames, evenly drawn); a frame takes `frame_s` on
a worker, a segment more or less by a spread; some workers are slower for good. Workers are lost and
replaced: what was done since the last checkpoint is done again, and starting takes time. Checked
against what was measured with one and two workers on eight equal segments (`scale.py`). Costs are
hours of workers, busy or not, times prices that are assumed; named below and printed.
"""

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from common import Line, measured, parser_of, stored

ROOT = Path(__file__).resolve().parent
CHECKPOINT_S = 30.0
"""From one checkpoint to the next: `fitting.loop`."""
CHECKED_EPOCHS = 4
"""Of the eight segments that the simulation is held against."""
HOUR_FRAMES = 25 * 3600
PRICES = {"GPU": 2.0, "core": 0.03}
"""Assumed, dollars an hour: an H100 rented by the hour, a core of a server."""
FRAME_S = {
    "nvrc-s1, 1080p, H100": 0.73,
    "latents, 1080p, core": 373.0,
    "x265 veryslow, 1080p, core": 2.9,
    "SVT-AV1 preset 4, 1080p, core": 0.41,
}
"""Seconds a frame. nvrc-s1: 153 GMAC a frame, three times for forward and backward, 80 epochs, at
100 TFLOP/s: assumed, no GPU was there to measure it. The others: what smaller pictures took here a
megapixel (`results/*/results.jsonl`: latents with four passes 180 s, x265 1.4 s, SVT-AV1 0.2 s)."""


@dataclass(frozen=True)
class Farm:
    """Workers, and what befalls them."""

    num_workers: int
    start_s: float = 4.0
    """Until a worker is up and has its frames: Python, torch, reading."""
    spread: float = 0.1
    """Standard deviation of a segment's time, over its mean."""
    slow_share: float = 0.02
    slow_factor: float = 2.0
    """Stragglers, and by how much more time they need."""
    lost_after_s: float = 0.0
    """Mean time until a worker is lost; 0: never."""
    replaced_s: float = 300.0
    """Until there is another instead."""


@dataclass(frozen=True)
class Outcome:
    """How it went."""

    makespan_s: float
    work_s: float
    """Of all segments on one worker that nothing befalls."""
    num_lost: int

    def efficiency(self, farm: Farm) -> float:
        """Share of the workers' time that was needed."""
        return self.work_s / (self.makespan_s * farm.num_workers)


def segments(num_frames: int, seed: int) -> Iterator[int]:
    """Lengths as cuts make them."""
    draw = random.Random(seed)
    while num_frames > 0:
        length = min(draw.randint(150, 600), num_frames)
        num_frames -= length
        yield length


def simulate(farm: Farm, tasks: list[float], seed: int = 0) -> Outcome:
    """All tasks, in seconds each, on a farm."""
    draw = random.Random(seed)
    speed = [
        farm.slow_factor if draw.random() < farm.slow_share else 1.0
        for _ in range(farm.num_workers)
    ]
    lost_at = [_loss(farm, draw, 0.0) for _ in range(farm.num_workers)]
    free = [(farm.start_s, worker) for worker in range(farm.num_workers)]
    heapq.heapify(free)
    num_lost, end = 0, 0.0
    for task_s in tasks:
        now, worker = heapq.heappop(free)
        left = task_s * speed[worker] * max(draw.gauss(1, farm.spread), 0.1)
        while now + left > lost_at[worker]:
            done = max(lost_at[worker] - now, 0.0)
            left -= done - min(done, done % CHECKPOINT_S)
            now = max(lost_at[worker], now) + farm.replaced_s + farm.start_s
            lost_at[worker] = _loss(farm, draw, now)
            num_lost += 1
        end = max(end, now + left)
        heapq.heappush(free, (now + left, worker))
    return Outcome(end, sum(tasks), num_lost)


def _loss(farm: Farm, draw: random.Random, now: float) -> float:
    return now + draw.expovariate(1 / farm.lost_after_s) if farm.lost_after_s else float("inf")


def run(farm: Farm, tasks: list[float]) -> Line:
    """One simulation, as a line."""
    found = simulate(farm, tasks)
    return {
        "makespan_s": round(found.makespan_s, 1),
        "efficiency": round(found.efficiency(farm), 4),
        "lost": found.num_lost,
        "tasks": len(tasks),
    }


def film(hours: float, frame_s: float) -> list[float]:
    """Tasks of a film, in seconds."""
    return [frame_s * length for length in segments(round(hours * HOUR_FRAMES), 0)]


def main() -> None:
    """Check, then workers from 1 to 1,000, then 10,000 hours."""
    parser = parser_of(__doc__)
    parser.add_argument("--out", type=Path)
    args: argparse.Namespace = parser.parse_args()
    gpu_s = FRAME_S["nvrc-s1, 1080p, H100"]
    alone = {"workers": "1", "epochs": CHECKED_EPOCHS}
    stored_lines = stored(ROOT / "results" / "scale.jsonl")
    seen = [line for line in stored_lines if alone.items() <= line.items()]
    each = sorted(line["seconds"] for line in seen)[len(seen) // 2] / 8 if seen else 19.0
    even = Farm(1, start_s=2.0, spread=0.0, slow_share=0.0)
    for count in (1, 2):
        key = {"what": "eight segments, as measured", "workers": count}
        farm = replace(even, num_workers=count, start_s=2.0 + 2.0 * (count > 1))
        measured(args.out, key, partial(run, farm, [each - 2.0 / 8] * 8))
    for count in (1, 2, 10, 100, 1000):
        for name, lost in (("nothing is lost", 0.0), ("lost once in two hours", 7200.0)):
            key = {"what": f"100 hours, {name}", "workers": count}
            farm = Farm(count, lost_after_s=lost)
            measured(args.out, key, partial(run, farm, film(100, gpu_s)))
    for name, frame_s in FRAME_S.items():
        kind = "GPU" if "H100" in name else "core"
        key = {"what": f"10,000 hours, {name}", "workers": 1000, "lost_after_s": 24 * 3600.0}
        line = measured(args.out, key, partial(run, Farm(1000, lost_after_s=24 * 3600.0),
                                               film(10_000, frame_s)))  # fmt: skip
        hours = line["makespan_s"] * 1000 / 3600
        print(f"{name}: {hours:,.0f} {kind} hours, ${hours * PRICES[kind]:,.0f}")


if __name__ == "__main__":
    main()
