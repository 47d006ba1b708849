"""Two versions of the code, or two settings, in turn: time of a step and of decoding, bytes, PSNR.

    git worktree add ../first 3d6a4a0
    python benchmarks/versus.py CLIP --words "-p hinerv-mini" --against ../first \
        --out results/versus.jsonl

Both encode the clip, decode it and verify it, in processes of their own, one after the other,
`--rounds` times, each round with a seed of its own. A step's time is that between the first record
and the last. `--against-words` compares settings: without `--against`, of this version. Beside them
the operations a second of a step, three times the multiply-adds of its frame, and of a large matrix
product in bfloat16 and float32.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch

from common import Line, measured, parser_of

SOURCE = Path(__file__).resolve().parents[1] / "src"


class Run(NamedTuple):
    """One encoding and its decoding."""

    step_ms: float
    fit_s: float
    decode_s: float
    size_bytes: int
    psnr_rgb_db: float


def nvc(source: Path, *words: str) -> list[Line]:
    """Records of a command of that version."""
    done = subprocess.run(
        [sys.executable, "-m", "nvcodec", *words, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(source: Path, clip: str, words: list[str], frames: list[str]) -> tuple[Run, float]:
    """One round of one side, and its GMAC a frame."""
    with tempfile.TemporaryDirectory() as folder:
        out, pictures = (str(Path(folder) / name) for name in ("out.nvc", "out.y4m"))
        events = nvc(source, "encode", clip, "-o", out, *words, *frames)
        started = time.monotonic()
        nvc(source, "decode", out, "-o", pictures)
        decode_s = time.monotonic() - started
        verified = nvc(source, "verify", out, "--against", clip, *frames)[-1]
    (segment,) = (event for event in events if event["event"] == "segment")
    records = [event for event in events if event["event"] == "fit"]
    first = next(record for record in records if record["step"] > 4)
    last = [record for record in records if record["stage_number"] == first["stage_number"]][-1]
    seconds, steps = last["elapsed_s"] - first["elapsed_s"], last["step"] - first["step"]
    found = Run(
        1000 * seconds / max(steps, 1), events[-1]["fit_s"], decode_s,
        events[-1]["size_bytes"], verified["psnr_rgb_db"],
    )  # fmt: skip
    return found, segment["gmac_per_frame"]


def peak(dtype: torch.dtype, size: int = 2048) -> float:
    """GFLOP/s of a matrix product."""
    a = torch.randn(size, size).to(dtype)
    times = []
    for _ in range(4):
        started = time.monotonic()
        a @ a
        times.append(time.monotonic() - started)
    return 2 * size**3 / min(times) / 1e9


def main() -> None:
    """Measure both in turn, print ratios and differences, store a line."""
    parser = parser_of(__doc__)
    parser.add_argument("clip")
    parser.add_argument("--words", default="-p hinerv-mini")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--against-words", help="default: those of --words")
    parser.add_argument("--frames", help="A:B, of the clip")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--title", help="what is compared, for whoever reads the line")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    other = args.against / "src" if args.against else SOURCE
    other_words = args.words if args.against_words is None else args.against_words
    key = {
        "name": args.title or f"{args.words} | {other_words}",
        "words": [args.words, other_words],
        "clip": Path(args.clip).name,
        "frames": args.frames,
        "epochs": args.epochs,
    }

    def measure() -> Line:
        sides: tuple[list[Run], list[Run]] = ([], [])
        gmacs = [0.0, 0.0]
        frames = ["--frames", args.frames] if args.frames else []
        for seed in range(args.rounds):
            for side, (source, words) in enumerate(((SOURCE, args.words), (other, other_words))):
                all_words = [*shlex.split(words), "--epochs", str(args.epochs), "--seed", str(seed)]
                found, gmacs[side] = run(source, args.clip, all_words, frames)
                sides[side].append(found)
        pairs = list(zip(*sides, strict=True))
        ratios = {
            field: [getattr(one, field) / getattr(two, field) for one, two in pairs]
            for field in ("step_ms", "fit_s", "decode_s", "size_bytes")
        }
        return {
            "runs": [[run._asdict() for run in side] for side in sides],
            "ratio_median": {field: statistics.median(r) for field, r in ratios.items()},
            "ratio_range": {field: [min(r), max(r)] for field, r in ratios.items()},
            "gain_db": statistics.mean(one.psnr_rgb_db - two.psnr_rgb_db for one, two in pairs),
            "gflops": [
                6000 * gmac / statistics.median(run.step_ms for run in side)
                for gmac, side in zip(gmacs, sides, strict=True)
            ],
            "peak_gflops": {"bfloat16": peak(torch.bfloat16), "float32": peak(torch.float32)},
        }

    measured(args.out, key, measure)


if __name__ == "__main__":
    main()
