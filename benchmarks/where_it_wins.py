"""Where each family wins: BD-rate over number of frames, picture size and motion, at equal time.

    python benchmarks/where_it_wins.py CLIPS                  # everything that is missing
    python benchmarks/where_it_wins.py CLIPS --only flower --frames 16 48 --budget 60 --boxes 1
    python benchmarks/where_it_wins.py --report               # the plot; `make docs`: the table

CLIPS is a folder with the clips of `datasets/motion.toml`; the embedded one is always there.
A case is a clip's first frames in one size, cases that a clip is too short or small for are left
out. `experiments/where_it_wins.toml` has the points of each family; each gets `--budget` seconds on
one core, everything included, and is run and stored as by `nvc bench`: an interrupted run goes on.
"""

import argparse
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvcodec.bench import rd_plot
from nvcodec.bench.curves import compare, measured_curves
from nvcodec.bench.datasets import (
    SequenceOptions,
    VideoSequence,
    find_sequences,
    load_dataset,
    survey,
)
from nvcodec.bench.experiments import read_experiment
from nvcodec.bench.points import Coder, baseline_coders, nvc_coders
from nvcodec.bench.report import markdown_table
from nvcodec.bench.results import NAME, Record, Results, read_records
from nvcodec.errors import NvcError
from nvcodec.metrics.bdrate import Delta
from nvcodec.video import VideoWarning

ROOT = Path(__file__).resolve().parent
OUT = ROOT / "results" / "where_it_wins"
PLOT = "bd_rate.png"
EMBEDDED = ROOT / "clips" / "bbb_320x180_48f.mp4"
EXPERIMENT = ROOT / "experiments" / "where_it_wins.toml"
FRAMES = (16, 48, 150, 300)
BOXES = ((176, 144), (320, 180), (640, 360))
"""(width, height) that pictures are made to fit into, if they are larger; smallest first."""
RATES = {
    "x265": (22, 27, 32, 37, 42),
    "svt-av1": (25, 35, 45, 55, 63),
    "vvenc": (24, 29, 34, 39, 44),
}
"""A point more than usual, for what is far from them."""
ANCHORS = tuple(RATES)
FAMILIES = ("latents", "nvrc", "hinerv")
METRIC = "psnr_rgb_db"
BUDGET = re.compile(r"--max-time (\d+)s")


def sizes(width: int, height: int, num_boxes: int = len(BOXES)) -> list[tuple[int, int]]:
    """Sizes (width, height) that a picture is coded at: even, of its shape, not enlarged."""
    found = []
    for box_width, box_height in BOXES[:num_boxes]:
        scale = min(1.0, box_width / width, box_height / height)
        found.append((2 * round(width * scale / 2), 2 * round(height * scale / 2)))
    return list(dict.fromkeys(found))


def cases(
    clip: VideoSequence, lengths: Sequence[int], num_boxes: int = len(BOXES)
) -> Iterator[VideoSequence]:
    """The clip's first frames, as often as it is long and large enough."""
    seen = survey(VideoSequence(clip.name, clip.path, SequenceOptions(slice(0, max(lengths)))))
    own = (seen.info.width, seen.info.height)
    for size in sizes(*own, num_boxes):
        for length in lengths:
            if length <= seen.num_frames:
                options = SequenceOptions(slice(0, length), None if size == own else size)
                yield VideoSequence(clip.name, clip.path, options)


def coders(budget_s: int, device: str) -> list[Coder]:
    """Every point of every curve."""
    experiment, common = read_experiment(EXPERIMENT), ["--max-time", f"{budget_s}s"]
    return [
        *baseline_coders(experiment.baselines, RATES, {}),
        *nvc_coders(experiment.presets, common, (), device),
    ]


def measure(
    clips: Iterable[VideoSequence],
    asked: argparse.Namespace,
    points: Sequence[Coder],
) -> None:
    """Measure what is missing, case by case, and say each point."""
    from nvcodec.bench.point_record import RunOptions
    from nvcodec.bench.runner import Run, plan

    results, settings = Results(OUT), RunOptions(asked.jobs, num_threads=1, has_pictures=False)
    try:
        for clip in clips:
            for case in cases(clip, asked.frames, asked.boxes):
                todo = plan(OUT, [(case, survey(case))], points, results.records)
                print(f"{case.label}: {len(todo.todos)} points, {todo.num_done} are there already")
                for record in Run(todo, results, OUT, settings)(lambda _: None, lambda: False):
                    print(f"  {outcome(record)}", flush=True)
    finally:
        results.close()


def outcome(record: Record) -> str:
    """A point in a line."""
    name = f"{record['codec']} {record['point']}"
    if record["status"] != "done":
        return f"{name}: failed: {record['error']}"
    quality = record["quality"][METRIC]
    return f"{name}: {record['size_bytes']:,} bytes, {quality:.2f} dB, {record['encode_s']:.0f} s"


@dataclass(frozen=True)
class Case:
    """What was measured of a clip's first frames in one size, with one budget."""

    clip: str
    motion: float
    width: int
    height: int
    num_frames: int
    budget_s: int
    percent: dict[tuple[str, str], float]
    """BD-rate of (family, anchor), where the two curves overlap."""
    cut_short: frozenset[str]
    """Families that had no time for more than one pass, the end of it brief."""


def budget_s(record: Record) -> int | None:
    """Seconds of a point; None for a baseline."""
    match = BUDGET.search(record["point"])
    return int(match[1]) if match else None


def found_cases(records: Iterable[Record]) -> list[Case]:
    """What the stored points come to, from the stillest clip on."""
    done: dict[str, list[Record]] = {}
    for record in records:
        if record["status"] == "done":
            done.setdefault(record["sequence"], []).append(record)
    found = []
    for own in done.values():
        for budget in sorted({b for r in own if (b := budget_s(r)) is not None}):
            found.append(_case([r for r in own if budget_s(r) in (None, budget)], budget))
    stillness = {clip: min(c.motion for c in found if c.clip == clip) for clip in clips_of(found)}
    return sorted(
        found, key=lambda c: (stillness[c.clip], c.width * c.height, c.num_frames, c.budget_s)
    )


def clips_of(found: Iterable[Case]) -> list[str]:
    """Names of the clips, in order."""
    return list(dict.fromkeys(case.clip for case in found))


def _case(records: Sequence[Record], budget: int) -> Case:
    curves, first = measured_curves(records), records[0]
    percent = {
        (c.codec, anchor): c.delta.rate_percent
        for anchor in ANCHORS
        for c in compare(curves, anchor)
        if c.metric == METRIC and isinstance(c.delta, Delta)
    }
    short = {
        r["codec"] for r in records if r["codec"] == "latents" and r["steps"] <= r["num_frames"]
    }
    size, clip = (first["width"], first["height"]), first["sequence"].split()[0]
    return Case(
        clip, first["motion"], *size, first["num_frames"], budget, percent, frozenset(short)
    )  # fmt: skip


def table(records: Iterable[Record]) -> str:
    """All cases as Markdown."""
    named = [f"{family}: {' / '.join(ANCHORS)}" for family in FAMILIES]
    rows = [["clip", "motion", "size", "frames", "s a point", *named, "fewest bits"]]
    for case in found_cases(records):
        start = [case.clip, f"{case.motion:.2f}", f"{case.width}x{case.height}"]
        cells = [_cell(case, family) for family in FAMILIES]
        rows.append([*start, str(case.num_frames), str(case.budget_s), *cells, _best(case)])
    return markdown_table(rows) if len(rows) > 1 else "Not measured."


def _cell(case: Case, family: str) -> str:
    numbers = [case.percent.get((family, anchor)) for anchor in ANCHORS]
    shown = " / ".join("-" if n is None else f"{n:+.0f} %" for n in numbers)
    return shown + " *" * (family in case.cut_short)


def _best(case: Case) -> str:
    """The family, or anchor, that needs the fewest bits where x265 needs 100 %."""
    percent = {name: n for (name, anchor), n in case.percent.items() if anchor == ANCHORS[0]}
    return min({ANCHORS[0]: 0.0, **percent}.items(), key=lambda item: item[1])[0]


def draw(records: Iterable[Record], path: Path) -> None:
    """Bits over those of x265 by length, a panel for each clip; of budgets the longest."""
    cases = {(c.clip, c.width, c.height, c.num_frames): c for c in found_cases(records)}
    clips = clips_of(cases.values())
    if not clips:
        raise SystemExit(f"{path.parent / NAME}: no finished point to draw")
    pyplot, ticker = rd_plot.load_matplotlib()
    figure, panels = pyplot.subplots(
        1, len(clips), figsize=(1.5 + 2.8 * len(clips), 4), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for panel, clip in zip(panels[0], clips, strict=True):
        own = [case for case in cases.values() if case.clip == clip]
        widths = sorted({case.width for case in own})
        for family, color in zip(FAMILIES, rd_plot.COLORS, strict=False):
            for style, width in zip(("o:", "s--", "D-"), widths, strict=False):
                drawn = sorted(
                    (case.num_frames, 1 + case.percent[family, ANCHORS[0]] / 100)
                    for case in own
                    if case.width == width and (family, ANCHORS[0]) in case.percent
                )
                if drawn:
                    label = f"{family}, {width} wide"
                    panel.plot(*zip(*drawn, strict=True), style, color=color, label=label)
        panel.axhline(1, color="black", linewidth=0.8)
        panel.set(title=f"{clip}, motion {own[0].motion:.2f}", xlabel="frames", xscale="log")
        panel.set_yscale("log", base=2)
        panel.xaxis.set_major_locator(ticker.FixedLocator(FRAMES))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        panel.grid(visible=True, alpha=0.25)
        panel.legend(fontsize="x-small")
    panels[0][0].set_ylabel(f"bits over {ANCHORS[0]}'s at equal PSNR-RGB")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main() -> None:
    """Measure what is missing, unless told only to report, and draw."""
    from common import parser_of

    parser = parser_of(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="CLIPS")
    parser.add_argument("--only", nargs="+", metavar="CLIP", help="names in the data set")
    parser.add_argument("--frames", nargs="+", type=int, choices=FRAMES, default=FRAMES)
    parser.add_argument("--boxes", type=int, default=len(BOXES), help="so many sizes, small first")
    parser.add_argument("--budget", type=int, default=120, help="seconds a point, of one core")
    parser.add_argument("--jobs", type=int, default=1, help="points at once, a core each")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", VideoWarning)
    if not asked.report:
        known = load_dataset("motion")
        names = [one.name for one in known.sequences]
        for name in asked.only or ():
            if name not in names:
                parser.error(f"--only {name}: allowed are {', '.join(names)}")
        paths = [str(EMBEDDED), *([str(asked.folder)] if asked.folder else [])]
        found = list(find_sequences(paths, SequenceOptions(), known))
        clips = [clip for clip in found if clip.name in (asked.only or names)]
        if not clips:
            parser.error(f"no clip of {', '.join(asked.only or names)} in {', '.join(paths)}")
        measure(clips, asked, coders(asked.budget, asked.device))
    draw(read_records([OUT / NAME]), OUT / PLOT)


if __name__ == "__main__":
    try:
        main()
    except NvcError as error:
        sys.exit(f"where_it_wins: {error}")
