"""How exactly goals are reached, what they cost in bits, and how far predictions are off.

    python benchmarks/goals.py CLIPS                 # what is missing
    python benchmarks/goals.py --report              # what it comes to

Of each clip's first frames: files of sizes drawn at random, files of qualities drawn at random, and
for comparison a curve of files at lambdas set by hand, with the same number of passes and with one
more (a goal takes landing passes and a prediction). What a goal costs is its bytes over the curve's
at the same PSNR-RGB. Sizes are those of files, PSNR is that of what they decode to; `--dry-run`
gives the predictions. CLIPS is a folder; the embedded clip is always there.
"""

import argparse
import math
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from common import Line, measured, nvc, parser_of, stored

ROOT = Path(__file__).resolve().parent
EMBEDDED = ROOT / "clips" / "bbb_320x180_48f.mp4"
CLIPS = {
    "bbb_320x180_48f.mp4": ("160x90", 300, 2000),
    "carphone_pristine.mp4": ("176x144", 400, 2500),
    "basketballpass_416x240.mkv": ("208x120", 700, 4000),
}
"""Size that each is coded in, and bytes a frame, at least and at most, that are asked for."""
QUALITIES_DB = (29.0, 37.0)
LMBDAS = (62.5, 150, 360, 860, 2060)
NUM_SIZES, NUM_QUALITIES = 7, 4
"""Of each clip."""


def settings_of(clip: Path, args: argparse.Namespace, goal: list[str], passes: int) -> list[str]:
    """Options of `nvc encode` for a point."""
    shared = ["-p", args.preset, "--frames", f"0:{args.frames}", "--scale", CLIPS[clip.name][0]]
    return [*shared, "--epochs", str(passes), *goal]


def encode(clip: Path, settings: list[str]) -> Line:
    """One file."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = nvc(
            "encode", str(clip), "-o", str(Path(folder, "a.nvc")), "--device", "cpu", *settings
        )[-1]
    return {
        "command": f"nvc encode {clip.name} {' '.join(settings)}",
        "size_bytes": done["size_bytes"],
        "psnr_rgb_db": done["psnr_rgb_db"],
        "seconds": round(time.monotonic() - began, 1),
    }


def foresee(clip: Path, settings: list[str]) -> Line:
    """What is said beforehand of a file."""
    began = time.monotonic()
    said = nvc("encode", str(clip), "-o", "a.nvc", "--device", "cpu", *settings, "--dry-run")[-1]
    names = ("predicted_bytes", "predicted_psnr_rgb_db", "predicted_s")
    took = {"predicting_s": round(time.monotonic() - began, 1)}
    return (
        {"command": f"nvc encode {clip.name} {' '.join(settings)} --dry-run"}
        | took
        | {name: said[name] for name in names}
    )


def goals_of(clip: Path) -> list[tuple[str, float]]:
    """Options and numbers, the same for a clip every time."""
    draw = random.Random(clip.name)
    _, low, high = CLIPS[clip.name]
    sizes = [round(math.exp(draw.uniform(math.log(low), math.log(high)))) for _ in range(NUM_SIZES)]
    qualities = [round(draw.uniform(*QUALITIES_DB), 1) for _ in range(NUM_QUALITIES)]
    return [("--size", size) for size in sizes] + [("--psnr", psnr) for psnr in qualities]


def measure(args: argparse.Namespace) -> None:
    """All points that are not in the file yet."""
    folder = [args.folder / name for name in CLIPS] if args.folder else []
    clips = [EMBEDDED, *(path for path in folder if path.exists())]
    clips = [clip for clip in clips if args.only in clip.name]
    for clip in clips:
        key = {"clip": clip.name, "preset": args.preset, "frames": args.frames}
        for option, asked in goals_of(clip):
            if option == "--size":
                asked = round(asked * args.frames)
            point = {**key, "passes": args.passes, "option": option, "asked": asked}
            goal = [option, f"{asked:g}" if option == "--psnr" else str(asked)]
            settings = settings_of(clip, args, goal, args.passes)
            measured(args.out, point, lambda c=clip, s=settings: encode(c, s))
        for passes in (args.passes, args.passes + 1):
            for lmbda in LMBDAS:
                settings = settings_of(clip, args, ["--lmbda", f"{lmbda:g}"], passes)
                for option, work in (("--lmbda", encode), ("--dry-run", foresee)):
                    point = {**key, "passes": passes, "option": option, "asked": lmbda}
                    measured(args.out, point, lambda c=clip, s=settings, w=work: w(c, s))


def extra_percent(line: Line, curve: list[Line]) -> float | None:
    """Bytes of a file over those of a curve at the same PSNR; None outside of it."""
    points = sorted((one["psnr_rgb_db"], math.log(one["size_bytes"])) for one in curve)
    quality = [q for q, _ in points]
    if not points or not quality[0] <= line["psnr_rgb_db"] <= quality[-1]:
        return None
    expected = np.interp(line["psnr_rgb_db"], quality, [size for _, size in points])
    return 100 * (line["size_bytes"] / math.exp(float(expected)) - 1)


def report(lines: list[Line], passes: int) -> str:
    """Goals one by one, then predictions, as Markdown."""
    rows = ["| clip | asked | file | | over the curve of as many, one more pass | seconds |",
            "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for line in lines:
        if line["option"] not in ("--size", "--psnr"):
            continue
        curves = [
            [one for one in lines if one["option"] == "--lmbda" and one["clip"] == line["clip"]
             and one["passes"] == number] for number in (passes, passes + 1)
        ]  # fmt: skip
        extra = [extra_percent(line, curve) for curve in curves]
        costs = ", ".join("-" if e is None else f"{e:+.1f} %" for e in extra)
        if line["option"] == "--size":
            asked, off = f"{line['asked']:,} bytes", line["size_bytes"] / line["asked"] - 1
            how = f"{100 * off:+.2f} %"
        else:
            asked = f"{line['asked']:.1f} dB"
            how = f"{line['psnr_rgb_db'] - line['asked']:+.2f} dB"
        came = f"{line['size_bytes']:,} bytes, {line['psnr_rgb_db']:.2f} dB"
        rows.append(f"| {line['clip']} | {asked} | {came} | {how} | {costs} | {line['seconds']} |")
    rows += ["", *_predictions(lines)]
    return "\n".join(rows)


def _predictions(all_lines: list[Line]) -> list[str]:
    points: dict[tuple[str, int, float], Line] = {}
    for line in all_lines:
        if line["option"] in ("--lmbda", "--dry-run"):
            name = line["clip"], line["passes"], line["asked"]
            other = points.get(name, {})
            points[name] = {**other, **line, "is_together": other.get("date") == line["date"]}
    lines = [line for line in points.values() if {"size_bytes", "predicted_s"} <= line.keys()]
    if not lines:
        return []
    size = [abs(math.log(x["predicted_bytes"] / x["size_bytes"])) for x in lines]
    psnr = [abs(x["predicted_psnr_rgb_db"] - x["psnr_rgb_db"]) for x in lines]
    took = [x["predicting_s"] for x in lines]
    together = [x for x in lines if x["is_together"]]
    times = [abs(math.log(x["predicted_s"] / x["seconds"])) for x in together]
    of_time = f", time {_percent(times)} (of {len(times)} on the same day)" if times else ""
    return [
        f"{len(lines)} predictions, median and largest error: size {_percent(size)}, PSNR-RGB "
        f"{np.median(psnr):.2f} and {max(psnr):.2f} dB{of_time}; "
        f"they took {np.median(took):.1f} s, {max(took):.1f} s at most, the start included."
    ]


def _percent(logs: list[float]) -> str:
    middle, most = math.expm1(float(np.median(logs))), math.expm1(max(logs))
    return f"{100 * middle:.0f} and {100 * most:.0f} %"


def main() -> None:
    """Measure, unless told only to report."""
    parser = parser_of(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="CLIPS")
    parser.add_argument("--only", default="", help="part of a clip's name")
    parser.add_argument("--preset", default="latents")
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "goals.jsonl")
    args = parser.parse_args()
    if not args.report:
        measure(args)
    print(report(stored(args.out), args.passes))


if __name__ == "__main__":
    main()
