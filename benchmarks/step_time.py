"""Time of a step of fitting, between versions of the code or settings of one preset, in turn.

    git worktree add ../first 3d6a4a0
    python benchmarks/step_time.py CLIP --words "-p hinerv-mini" --against ../first \
        --out results/step_time.jsonl

Both fit the clip for `--epochs`, in processes of their own, one after the other, `--rounds` times;
a step's time is that between the first record and the last. `--against-words` compares settings:
without `--against`, of this version. Beside them the operations a second of a step, three times
the multiply-adds of its frame, and of a large matrix product in bfloat16 and float32.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from common import circumstances, store

SOURCE = Path(__file__).resolve().parents[1] / "src"


def step_seconds(source: Path, clip: str, words: list[str]) -> tuple[float, float]:
    """Seconds a step, and GMAC a frame, of one fitting."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.nvc")
        done = subprocess.run(
            [sys.executable, "-m", "nvcodec", "encode", clip, "-o", out, *words, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
            env=os.environ | {"PYTHONPATH": str(source)},
        )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (segment,) = (event for event in events if event["event"] == "segment")
    records = [event for event in events if event["event"] == "fit"]
    first = next(record for record in records if record["step"] > 4)
    last = [record for record in records if record["stage_number"] == first["stage_number"]][-1]
    seconds = last["elapsed_s"] - first["elapsed_s"]
    return seconds / (last["step"] - first["step"]), segment["gmac_per_frame"]


def peak(dtype: torch.dtype, size: int = 2048) -> float:
    """GFLOP/s of a matrix product."""
    a = torch.randn(size, size).to(dtype)
    best = float("inf")
    for _ in range(4):
        started = time.monotonic()
        a @ a
        best = min(best, time.monotonic() - started)
    return 2 * size**3 / best / 1e9


def main() -> None:
    """Measure both in turn, print the ratio, store a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip")
    parser.add_argument("--words", default="-p hinerv-mini")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--against-words", help="default: those of --words")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    other = args.against / "src" if args.against else SOURCE
    other_words = args.words if args.against_words is None else args.against_words
    sides = ((SOURCE, args.words), (other, other_words))
    seconds: tuple[list[float], list[float]] = ([], [])
    gmacs = [0.0, 0.0]
    for _ in range(args.rounds):
        for side, (source, words) in enumerate(sides):
            all_words = [*shlex.split(words), "--epochs", str(args.epochs)]
            step_s, gmacs[side] = step_seconds(source, args.clip, all_words)
            seconds[side].append(step_s)
    ratios = [one / two for one, two in zip(*seconds, strict=True)]
    line = {
        "name": f"{args.words} | {other_words}",
        "clip": Path(args.clip).name,
        "against": args.against.name if args.against else None,
        "step_ms": [[1000 * s for s in side] for side in seconds],
        "ratio_median": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "gflops": [
            6 * gmac / statistics.median(side) for gmac, side in zip(gmacs, seconds, strict=True)
        ],
        "peak_gflops": {"bfloat16": peak(torch.bfloat16), "float32": peak(torch.float32)},
        **circumstances(),
    }
    print(json.dumps(line))
    if args.out:
        store(line, args.out)


if __name__ == "__main__":
    main()
