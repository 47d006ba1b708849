"""`nvc bench`. Loads no torch until something is measured."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from nvcodec.cli import config, options
from nvcodec.cli.console import LiveLine, command_line, emit, format_time, warn_as
from nvcodec.cli.process import Stopper, say

if TYPE_CHECKING:
    from nvcodec.bench.point_record import RunOptions
    from nvcodec.bench.points import Coder
    from nvcodec.bench.runner import Plan, Run, Status


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Clips, folders of pictures, or folders of these: UVG, MCL-JCV, Xiph as they are.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where points and report are kept.")
]
ExperimentFile = Annotated[
    Path | None,
    typer.Option(
        "-e",
        "--experiment",
        metavar="FILE",
        help="Presets, lambdas, baselines and anchor from a TOML file; other options add to it.",
    ),
]
Presets = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--preset",
        metavar="[CURVE=]PRESET [OPTIONS]",
        help="A preset, with options of `nvc encode` in the same word; its curve is named "
        "after its family unless told otherwise. Repeatable.",
        autocompletion=options.preset_names,
    ),
]
Lmbdas = Annotated[
    str,
    typer.Option(
        metavar="X,X,...",
        help="One point each, for presets that have a lmbda; without, those they name.",
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Of every preset.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="K=V", help="Change a field of every preset.")
]
SegmentFrames = Annotated[int | None, typer.Option(min=1, help="Longest segment of every preset.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of every preset.")]
Baselines = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="x264, x265, svt-av1, vvenc, aom; none: ''. Default: the experiment's, or the "
        "first four.",
    ),
]
Rates = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=N,N,...", help="Quality points (crf, qp) of a baseline."),
]
Speeds = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SPEED", help="An encoder's own preset, such as x265=slow."),
]
IntraPeriod = Annotated[
    Literal["clip", "1s"],
    typer.Option(help="Of baselines: one intra frame for the clip, or one a second."),
]
DatasetName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only its sequences, and what is known of them."),
]
Jobs = Annotated[
    str,
    typer.Option(
        metavar="N|ray|ray://HOST:PORT",
        help="Points at once; or the machines of a Ray cluster, which have to see OUT and the "
        "clips under the same paths.",
    ),
]
PublishedFiles = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Published curves to draw too (JSON). Repeatable."),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Only measure.")]
NoPictures = Annotated[
    bool, typer.Option("--no-pictures", help="Keep no frames for the report's page.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List what would be measured, and how long it takes.")
]
AxisName = Annotated[
    Literal["rate", "seconds"], typer.Option("--axis", help="What quality is drawn over.")
]
DEFAULT_BASELINES = ("x264", "x265", "svt-av1", "vvenc")


class _RunsByDefault(TyperGroup):
    """`nvc bench PATH...` is `nvc bench run PATH...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunsByDefault,
    no_args_is_help=True,
    help="Measure rate-distortion curves against other codecs, and report them.",
)


@app.command()
def run(
    paths: Paths,
    out: Out,
    experiment: ExperimentFile = None,
    preset: Presets = None,
    lmbdas: Lmbdas = "",
    epochs: Epochs = None,
    set_: Changes = None,
    segment_frames: SegmentFrames = None,
    seed: Seed = None,
    device: options.Device = "auto",
    baselines: Baselines = None,
    rates: Rates = None,
    baseline_speed: Speeds = None,
    intra_period: IntraPeriod = "clip",
    dataset: DatasetName = None,
    frames: options.Frames = None,
    scale: options.Scale = None,
    jobs: Jobs = "1",
    points: PublishedFiles = None,
    no_report: NoReport = False,
    no_pictures: NoPictures = False,
    dry_run: DryRun = False,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure every clip with every preset and baseline, then report.

    Finished points are kept: the same command continues, and more presets or clips can be added.
    """
    warn_as(json=json, quiet=quiet)
    from nvcodec.bench.experiments import Experiment, read_experiment
    from nvcodec.bench.points import baseline_coders, nvc_coders

    how = _how(jobs, threads, not no_pictures)
    asked = read_experiment(experiment) if experiment else Experiment(baselines=DEFAULT_BASELINES)
    coders = [
        *baseline_coders(
            asked.baselines if baselines is None else _names(baselines),
            {name: _numbers(text, int) for name, text in _pairs(rates, "--rates")},
            dict(_pairs(baseline_speed, "--baseline-speed")),
            is_intra_each_second=intra_period == "1s",
        ),
        *nvc_coders(
            [*asked.presets, *(preset or [])],
            _common({"epochs": epochs, "segment-frames": segment_frames, "seed": seed}, set_ or []),
            _numbers(lmbdas, float) or asked.lmbdas,
            device,
            asked.epochs,
        ),
    ]
    todo = _planned(paths, out, coders, options.frame_range(frames), scale, dataset)
    if dry_run:
        return _list(todo, how, json)
    _check_tools(no_report)
    num_failed = _measure(todo, out, how, json, quiet)
    if not no_report and num_failed < len(todo.todos) + todo.num_done:
        _report(out, points or [], asked.anchor, asked.axis, json, quiet)
    if num_failed:
        say(f"nvc: {num_failed} points failed; {out / 'results.jsonl'} says why")
        raise typer.Exit(1)


def _check_tools(no_report: bool) -> None:
    """Refuse to measure for a report that cannot be written."""
    if no_report:
        return
    from nvcodec.bench.report import check_tools

    check_tools()


def _common(words: dict[str, int | None], changes: list[str]) -> list[str]:
    """Options of `nvc encode` that every preset gets."""
    common = [w for k, v in words.items() if v is not None for w in (f"--{k}", str(v))]
    return common + [word for change in changes for word in ("--set", change)]


def _planned(
    paths: list[str],
    out: Path,
    coders: "list[Coder]",
    frames: slice | None,
    scale: str | None,
    dataset: str | None,
) -> "Plan":
    """What is to be measured: sequences are looked at, stored points left out."""
    from nvcodec.bench.datasets import (
        SequenceOptions,
        check_known,
        find_sequences,
        load_dataset,
        survey,
    )
    from nvcodec.bench.results import NAME, read_records
    from nvcodec.bench.runner import plan

    if not coders:
        raise typer.BadParameter("neither a preset nor a baseline is given")
    known = load_dataset(dataset) if dataset else None
    sequences = []
    for one in find_sequences(paths, SequenceOptions(frames, options.scale(scale)), known):
        sequences.append((one, survey(one)))
        if known is not None:
            check_known(*sequences[-1], known)
    stored = read_records([out / NAME]) if (out / NAME).exists() else []
    todo = plan(out, sequences, coders, stored)
    for name, why in todo.missing.items():
        say(f"nvc: baseline {name} left out: {why}")
    return todo


def _measure(todo: "Plan", out: Path, how: "RunOptions", json: bool, quiet: bool) -> int:
    """Measure what is planned, stoppable; gives the number of failed points."""
    from nvcodec.bench.results import Results
    from nvcodec.bench.runner import Run
    from nvcodec.errors import InterruptedEncodeError

    results = Results(out)
    stopper = Stopper()
    try:
        with stopper.listening(), LiveLine(quiet or json) as line:
            return _work(Run(todo, results, out, how), stopper, line, json, quiet)
    except InterruptedEncodeError as error:
        say(f"nvc: continue with: {command_line()}")
        raise typer.Exit(stopper.exit_code) from error
    finally:
        results.close()


@app.command()
def report(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `nvc bench` wrote.")],
    anchor: Annotated[
        str | None,
        typer.Option(help="Codec that the others are compared with; x265 where it is there."),
    ] = None,
    axis: AxisName = "rate",
    points: PublishedFiles = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Redo plots, tables and page from the stored points."""
    _report(out, points or [], anchor, axis, json, quiet)


def _work(running: "Run", stopper: Stopper, line: LiveLine, json: bool, quiet: bool) -> int:
    """Run what is planned and say how each point came out; gives the number of failed ones."""
    num_failed, todo = 0, running.plan
    if todo.num_done and not quiet:
        say(f"nvc: {todo.num_done} points are there already, {len(todo.todos)} to go")

    def on_status(status: "Status") -> None:
        share = status.num_done / max(status.num_jobs, 1)
        text = f"{status.num_done}/{status.num_jobs}  ETA {format_time(status.eta_s)}  "
        line.update("bench", share, text + ", ".join(status.running))

    for record in running(on_status, stopper):
        num_failed += record["status"] != "done"
        if json:
            emit(record)
        elif not quiet:
            say(_outcome(record))
    return num_failed


def _outcome(record: dict[str, Any]) -> str:
    name = f"{record['sequence']}  {record['codec']}  {record['point']}"
    if record["status"] != "done":
        return f"{name}: failed: {record['error']}"
    psnr = record["quality"]["psnr_rgb_db"]
    return (
        f"{name}: {record['size_bytes']:,} bytes, {record['rate_bpp']:.4f} bpp, {psnr:.2f} dB "
        f"PSNR-RGB, encoded in {format_time(record['encode_s'])}, "
        f"decoded at {record['decode_frames_per_s']:.1f} frames/s\n    {record['command']}"
    )


def _how(jobs: str, threads: int | None, has_pictures: bool) -> "RunOptions":
    """How points are measured."""
    from nvcodec.bench.point_record import RunOptions

    asked = options.workers(jobs, "--jobs")
    num = asked if isinstance(asked, int) else 1
    share = options.share_of_threads(num) if num > 1 else None
    return RunOptions(asked, threads or share, has_pictures)


def _list(todo: "Plan", how: "RunOptions", json: bool) -> None:
    """What would be measured."""
    for one in todo.todos:
        command = one.coder.shown(one.source)
        if json:
            names = {"sequence": one.source.clip.label, "codec": one.coder.codec}
            record = {**names, "point": one.coder.point, "command": command}
            emit({"event": "job", **record, "predicted_s": one.guess_s})
        else:
            basis = "" if one.is_measured else " (a guess)"
            print(f"{one.source.clip.label}: about {format_time(one.guess_s)}{basis}: {command}")
    total = sum(one.guess_s for one in todo.todos)
    total /= how.jobs if isinstance(how.jobs, int) else 1
    say(
        f"nvc: {len(todo.todos)} points to measure, about {format_time(total)} of encoding; "
        f"{todo.num_done} are there already"
    )


def _report(
    out: Path, points: Sequence[Path], anchor: str | None, axis: str, json: bool, quiet: bool
) -> None:
    from nvcodec.bench.report import write_report

    written = write_report(out, points, anchor, axis)
    if json:
        emit({"event": "report", "files": [str(path) for path in written]})
    elif not quiet:
        say(f"nvc: report: {written[0]}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str, kind: type) -> list[Any]:
    try:
        return [kind(word) for word in _names(text)]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: expected numbers with commas between, such as 22,27,32,37"
        ) from None


def _pairs(texts: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts or []:
        match = re.fullmatch(r"([a-z0-9-]+)=(.+)", text)
        if match is None:
            raise typer.BadParameter(f"{option} {text!r}: expected NAME=VALUE, such as x265=...")
        pairs.append((match[1], match[2]))
    return pairs
