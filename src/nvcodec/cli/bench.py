"""`nvc bench`. Loads no torch until something is measured."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from nvcodec.cli import options
from nvcodec.cli.console import LiveLine, Stopper, command_line, emit, format_time, say

if TYPE_CHECKING:
    from nvcodec.bench.runner import Plan, Run, Status


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
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Clips, folders of pictures, or folders of these: UVG, MCL-JCV, Xiph as they are.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where points and report are kept.")
    ],
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--preset",
            metavar="[CURVE=]PRESET [OPTIONS]",
            help="A preset, with options of `nvc encode` in the same word; its curve is named "
            "after its family unless told otherwise. Repeatable.",
        ),
    ] = None,
    lmbdas: Annotated[
        str,
        typer.Option(
            metavar="X,X,...",
            help="One point each, for presets that have a lmbda; without, those they name.",
        ),
    ] = "",
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="Change a field of every preset."),
    ] = None,
    segment_frames: Annotated[
        int | None, typer.Option(min=1, help="Longest segment of every preset.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every preset.")] = None,
    device: options.Device = "auto",
    baselines: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="x264, x265, svt-av1, vvenc, aom; none: ''."),
    ] = "x264,x265,svt-av1,vvenc",
    rates: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N,N,...", help="Quality points (crf, qp) of a baseline."),
    ] = None,
    baseline_speed: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SPEED", help="An encoder's own preset, such as x265=slow."),
    ] = None,
    intra_period: Annotated[
        Literal["clip", "1s"],
        typer.Option(help="Of baselines: one intra frame for the clip, or one a second."),
    ] = "clip",
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only its sequences, and what is known of them."),
    ] = None,
    frames: options.Frames = None,
    scale: options.Scale = None,
    jobs: Annotated[int, typer.Option(min=1, help="Points at once.")] = 1,
    points: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Published curves to draw too (JSON). Repeatable."),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Only measure.")] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Keep no frames for the report's page.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be measured, and how long it takes.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure every clip with every preset and baseline, then report.

    Finished points are kept: the same command continues, and more presets or clips can be added.
    """
    from nvcodec.bench.datasets import (
        SequenceOptions,
        check_known,
        find_sequences,
        load_dataset,
        survey,
    )
    from nvcodec.bench.points import baseline_coders, nvc_coders
    from nvcodec.bench.results import NAME, Results, read_records
    from nvcodec.bench.runner import Run, RunOptions, plan
    from nvcodec.errors import InterruptedEncodeError

    settings = SequenceOptions(options.frame_range(frames), options.picture_size(scale))
    common: list[str] = []
    for name, value in (("epochs", epochs), ("segment-frames", segment_frames), ("seed", seed)):
        common += [f"--{name}", str(value)] if value is not None else []
    common += [word for change in set_ or [] for word in ("--set", change)]
    coders = [
        *baseline_coders(
            _names(baselines),
            {name: _numbers(text, int) for name, text in _pairs(rates, "--rates")},
            dict(_pairs(baseline_speed, "--baseline-speed")),
            is_intra_each_second=intra_period == "1s",
        ),
        *nvc_coders(preset or [], common, _numbers(lmbdas, float), device),
    ]
    if not coders:
        raise typer.BadParameter("neither a preset nor a baseline is given")
    known = load_dataset(dataset) if dataset else None
    clips = []
    for clip in find_sequences(paths, settings, known):
        clips.append((clip, survey(clip)))
        if known is not None:
            check_known(*clips[-1], known)
    stored = read_records([out / NAME]) if (out / NAME).exists() else []
    todo = plan(out, clips, coders, stored)
    for name, why in todo.missing.items():
        say(f"nvc: baseline {name} left out: {why}")
    if dry_run:
        _list(todo, jobs, json)
        return
    results = Results(out)
    cores = _cores()
    threads = max(1, cores // jobs) if jobs > 1 else None
    running = Run(todo, results, out, RunOptions(jobs, threads, not no_pictures))
    stopper = Stopper()
    try:
        with stopper.listening(), LiveLine(quiet or json) as line:
            num_failed = _work(running, stopper, line, json, quiet)
    except InterruptedEncodeError as error:
        say(f"nvc: continue with: {command_line()}")
        raise typer.Exit(stopper.exit_code) from error
    finally:
        results.close()
    if not no_report and any(record["status"] == "done" for record in results.records):
        _report(out, points or [], None, json, quiet)
    if num_failed:
        say(f"nvc: {num_failed} points failed; {results.path} says why")
        raise typer.Exit(1)


@app.command()
def report(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `nvc bench` wrote.")],
    anchor: Annotated[
        str | None,
        typer.Option(help="Codec that the others are compared with; x265 where it is there."),
    ] = None,
    points: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Published curves to draw too (JSON). Repeatable."),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Redo plots, tables and page from the stored points."""
    _report(out, points or [], anchor, json, quiet)


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


def _list(todo: "Plan", jobs: int, json: bool) -> None:
    """What would be measured."""
    for job in todo.todos:
        command = job.coder.shown(job.source)
        if json:
            names = {"sequence": job.source.clip.label, "codec": job.coder.codec}
            record = {**names, "point": job.coder.point, "command": command}
            emit({"event": "job", **record, "predicted_s": job.guess_s})
        else:
            basis = "" if job.is_measured else " (a guess)"
            print(f"{job.source.clip.label}: about {format_time(job.guess_s)}{basis}: {command}")
    total = sum(job.guess_s for job in todo.todos) / jobs
    say(
        f"nvc: {len(todo.todos)} points to measure, about {format_time(total)} of encoding; "
        f"{todo.num_done} are there already"
    )


def _report(out: Path, points: Sequence[Path], anchor: str | None, json: bool, quiet: bool) -> None:
    from nvcodec.bench.report import write_report

    written = write_report(out, points, anchor)
    if json:
        emit({"event": "report", "files": [str(path) for path in written]})
    elif not quiet:
        say(f"nvc: report: {written[0]}")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
