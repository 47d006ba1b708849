"""How long until a quality is reached: our recipe against the paper's, and against a tuned Adam.

    python benchmarks/time_to_quality.py CLIP --preset hinerv-mini --out results/t2q.jsonl
    python benchmarks/time_to_quality.py --preset hinerv-mini --out results/t2q.jsonl

The first measures and reports, the second reports what is stored. Recipes, each for a network of
the preset's size:

    ours    the preset
    paper   optimizer, rates, loss, stages and batch (one frame) of `--paper`, in RGB
    adam    the preset with Adam instead of Muon, at the best rate found (`--adam-rate`)

Every point is a whole fitting whose schedule is planned for its epochs, a file of its own, decoded
in a fresh process: PSNR-RGB over the time that fitting took. Networks without a rate term are
measured uncompressed: the stage `fit` alone, weights in half floats. For those with one, `--lmbdas`
and `--paper-lmbdas` make curves. The paper's patches (80 or 120 pixels of 720 or 1080 rows) show as
much as a small picture, so whole frames stand for them, which is also the cheaper way. Resumable:
the same command continues, also in the middle of a fitting.
"""

import argparse
import json
import math
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from bd_rate import bd_rate
from encode_points import measure_all
from nvcodec.presets import preset_text
from result_lines import stored

RGB_NETWORK = {"depths": [3, 3, 1]}
"""The last block is at full resolution, as HiNeRV's; at equal widths as many parameters."""
TARGETS_DB = range(20, 60)


def main() -> None:
    """Measure what is missing, then report and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", nargs="?")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--paper", help="its recipe's preset; default: by the kind of preset")
    parser.add_argument("--recipes", nargs="+", default=["ours", "adam", "paper"])
    parser.add_argument("--epochs", type=int, nargs="+", help="of ours and of Adam")
    parser.add_argument("--paper-epochs", type=int, nargs="+")
    parser.add_argument("--adam-rate", type=float, default=1e-2)
    parser.add_argument("--lmbdas", type=float, nargs="+")
    parser.add_argument("--paper-lmbdas", type=float, nargs="+")
    parser.add_argument("--words", default="", help="more words for every `nvc encode`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    has_rate = any("lmbda" in stage for stage in tomllib.loads(preset_text(args.preset))["stages"])
    paper = args.paper or ("paper/nvrc-uvg-s2" if has_rate else "paper/hinerv-bunny-xxs")
    if args.clip:
        folder = args.out.with_suffix(".work")
        folder.mkdir(parents=True, exist_ok=True)
        for name in args.recipes:
            table = recipe(name, args.preset, paper, args.adam_rate, has_rate)
            of_rate = f"-{args.adam_rate:g}" if name == "adam" else ""
            path = folder / f"{args.preset}-{name}{of_rate}.toml"
            path.write_text(to_toml(table), encoding="utf-8")
            is_paper = name == "paper"
            full = sum(stage["epochs"] for stage in table["stages"])
            epochs = args.paper_epochs if is_paper else args.epochs
            for count in epochs or [full]:
                for lmbda in (args.paper_lmbdas if is_paper else args.lmbdas) or [None]:
                    words = f"-p {path} --epochs {count} {args.words}".strip()
                    words += "" if lmbda is None else f" --lmbda {lmbda:g}"
                    of = f"{args.preset}/{name}"
                    of += f" at {args.adam_rate:g}" if name == "adam" else ""
                    measure_all(args.clip, [(of, words)], args.out, {"recipe": to_toml(table)})
    lines = [line for line in stored(args.out) if line["name"].startswith(f"{args.preset}/")]
    for clip in sorted({line["clip"] for line in lines}):
        report([line for line in lines if line["clip"] == clip], clip, has_rate)
    draw(lines, args.out.with_name(f"{args.out.stem}_{args.preset}.png"))


def recipe(name: str, preset: str, paper: str, adam_rate: float, has_rate: bool) -> dict[str, Any]:
    """The whole preset that a recipe stands for."""
    table = tomllib.loads(preset_text(preset))
    if name == "paper":
        of_paper = tomllib.loads(preset_text(paper))
        width = of_paper["representation"]["expansions"][-1]
        network = table["representation"] | RGB_NETWORK | {"expansions": [4, 4, width]}
        fitting = of_paper["fitting"] | {"batch_size": 1}
        fitting.pop("patch_size")
        table |= of_paper | {"color": "rgb", "representation": network, "fitting": fitting}
    elif name == "adam":
        optimizer = {"kind": "adam", "learning_rate": adam_rate, "grid_learning_rate": adam_rate}
        table["fitting"]["optimizer"] |= optimizer
    if not has_rate:
        table["stages"] = [stage for stage in table["stages"] if stage["kind"] == "fit"]
        table["scheme"] = {"kind": "raw_fp16"}
    return table | {"name": f"{preset}-{name}"}


def to_toml(table: dict[str, Any]) -> str:
    """A preset's tables as TOML."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def report(lines: list[dict], clip: str, has_rate: bool) -> None:
    """All points of a clip, then the ratios between recipes."""
    print(f"{clip}")
    for line in sorted(lines, key=lambda line: (line["name"], line["fit_s"])):
        print(
            f"  {line['name']:<26} {line['steps']:>7,} steps {line['fit_s']:>7.0f} s "
            f"{line['quality']['psnr_rgb_db']:6.2f} dB {line['rate_bpp']:.4f} bpp "
            f"{line['parameters']:,} parameters"
        )
    curves = by_recipe(lines)
    ours = next((name for name in curves if name.endswith("/ours")), None)
    for other, curve in curves.items():
        if ours is None or other == ours:
            continue
        (_report_rates if has_rate else _report_times)(curves[ours], other, curve)


def by_recipe(lines: list[dict]) -> dict[str, list[dict]]:
    """Points of each recipe, by rising time."""
    names = sorted({line["name"] for line in lines})
    of = {name: [line for line in lines if line["name"] == name] for name in names}
    return {name: sorted(points, key=lambda line: line["fit_s"]) for name, points in of.items()}


def _report_times(ours: list[dict], other: str, curve: list[dict]) -> None:
    """Ratios of times at equal PSNR, differences of PSNR at equal time; without a rate."""
    best = max(line["quality"]["psnr_rgb_db"] for line in curve)
    for psnr_db in [*TARGETS_DB, best]:
        times = time_to(ours, psnr_db), time_to(curve, psnr_db)
        if None not in times:
            of = "final " * (psnr_db == best)
            print(
                f"  {of}{psnr_db:.2f} dB: ours {times[0]:.0f} s, {other} {times[1]:.0f} s, "
                f"{times[1] / times[0]:.1f} times"
            )
    for line in curve:
        reached = psnr_at(ours, line["fit_s"])
        if reached is not None:
            more = reached - line["quality"]["psnr_rgb_db"]
            print(f"  at {line['fit_s']:.0f} s: ours {more:+.2f} dB against {other}")
    ends = (max(line["quality"]["psnr_rgb_db"] for line in points) for points in (ours, curve))
    print(f"  best of all times: ours {next(ends) - next(ends):+.2f} dB against {other}")


def _report_rates(ours: list[dict], other: str, curve: list[dict]) -> None:
    """BD-rate between the curves of every two budgets."""
    budgets = [_budgets(ours), _budgets(curve)]
    for their_epochs, theirs in budgets[1].items():
        for our_epochs, mine in budgets[0].items():
            saved = bd_rate(*([_rate_point(line) for line in of] for of in (theirs, mine)))
            ratio = _seconds(theirs) / _seconds(mine)
            text = "no overlap" if saved is None else f"{saved:+.1f} %"
            print(
                f"  ours, {our_epochs} epochs, against {other}, {their_epochs} epochs: "
                f"BD-rate {text} in 1/{ratio:.1f} of the time"
            )


def _budgets(lines: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for line in lines:
        words = line["command"].split()
        found.setdefault(words[words.index("--epochs") + 1], []).append(line)
    return {epochs: points for epochs, points in found.items() if len(points) > 1}


def _seconds(lines: list[dict]) -> float:
    return sum(line["fit_s"] for line in lines)


def _rate_point(line: dict) -> tuple[float, float]:
    return line["rate_bpp"], line["quality"]["psnr_rgb_db"]


def time_to(curve: list[dict], psnr_db: float) -> float | None:
    """Seconds until a PSNR, between points by the logarithm of time; None outside them."""
    for one, two in pairwise(curve):
        low, high = (line["quality"]["psnr_rgb_db"] for line in (one, two))
        if low <= psnr_db <= high:
            share = (psnr_db - low) / max(high - low, 1e-9)
            ends = [math.log(line["fit_s"]) for line in (one, two)]
            return math.exp(ends[0] + share * (ends[1] - ends[0]))
    return None


def psnr_at(curve: list[dict], seconds: float) -> float | None:
    """PSNR after so many seconds, between points by the logarithm of time; None outside them."""
    for one, two in pairwise(curve):
        if one["fit_s"] <= seconds <= two["fit_s"]:
            start, end, at = (math.log(s) for s in (one["fit_s"], two["fit_s"], seconds))
            low, high = (line["quality"]["psnr_rgb_db"] for line in (one, two))
            return low + (high - low) * (at - start) / max(end - start, 1e-9)
    return None


def draw(lines: list[dict], path: Path) -> None:
    """PSNR over time and over steps, a row for each clip."""
    clips = sorted({line["clip"] for line in lines})
    figure, axes = plt.subplots(len(clips), 2, figsize=(11, 4 * len(clips)), squeeze=False)
    for row, clip in zip(axes, clips, strict=True):
        for name, points in by_recipe([line for line in lines if line["clip"] == clip]).items():
            quality = [line["quality"]["psnr_rgb_db"] for line in points]
            for axis, key in zip(row, ("fit_s", "steps"), strict=True):
                axis.plot([line[key] for line in points], quality, marker="o", label=name)
        row[0].set(xlabel="seconds of fitting", ylabel="PSNR-RGB of the decoded file, dB")
        row[1].set(xlabel="steps")
        for axis in row:
            axis.set(title=clip, xscale="log")
            axis.grid(alpha=0.3)
            axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
