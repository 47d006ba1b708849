"""`nvc encode`."""

import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import batch, config, encode_settings, goal_options, options
from nvcodec.cli.console import process_age_s
from nvcodec.cli.encode_progress import Progress
from nvcodec.cli.encode_watching import Watching
from nvcodec.cli.process import say
from nvcodec.cli.stopping import run_stoppable

if TYPE_CHECKING:
    from nvcodec.auto import AutoPreset
    from nvcodec.encode_types import EncodeOptions, EncodeReport
    from nvcodec.presets import Preset

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="IN...",
        help="Video that ffmpeg reads, Y4M, raw .yuv with its geometry in the name, a folder "
        "or pattern of pictures; - is standard input. Several files of one size become one "
        "video, of which `nvc decode --clip` gives each back; with a folder as OUT each of them, "
        "and each video in a folder, becomes a file.",
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT.nvc",
        help="File to write, or a folder for one file a video; - is standard output.",
    ),
]
PresetName = Annotated[
    str,
    typer.Option(
        "-p",
        "--preset",
        help="Name of a preset, or a TOML file; see `nvc presets`. auto chooses by picture size, "
        "number of frames and motion, and says why.",
        autocompletion=options.preset_names,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="K=V", help="Change a field of the preset: stages.0.epochs=10."),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the frames in all, shared among the stages."),
]
MaxTime = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Time for everything, such as 90s, 5m or 1h30m, instead of epochs."
    ),
]
Lmbda = Annotated[
    float | None,
    typer.Option(min=0, help="Weight of the distortion: higher is better and larger."),
]
SegmentFrames = Annotated[
    int,
    typer.Option(
        min=1, help="Longest segment; segments are coded alone, unless --gop says otherwise."
    ),
]
Segments = Annotated[
    str,
    typer.Option(
        metavar="even|auto",
        help="Equally long, or beginning at scene cuts a quarter of the longest or more apart.",
        autocompletion=lambda: list(options.SEGMENTS),
    ),
]
Gop = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Segments in a chain: all but its first are coded as changes of the one before "
        "(hinerv-*, nerv-*: 45 % fewer bytes in one scene); a frame needs those before it there.",
    ),
]
Color = Annotated[
    str,
    typer.Option(
        metavar="|".join(options.SAMPLES),
        help="Samples that are fitted; auto: as the preset says, or grey.",
        autocompletion=lambda: list(options.SAMPLES),
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="Of initial values, batches and noise.")
]
Workers = Annotated[
    str,
    typer.Option(
        metavar="N|ray|ray://HOST:PORT",
        help="Segments that are fitted at once, by so many processes with a share of the threads "
        "and of the devices each, or by a Ray cluster.",
    ),
]
OTHER_FORMATS = (
    ".y4m", ".yuv", ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".ts", ".gif", ".png", ".jpg",
    ".jpeg", ".webp", ".264", ".265", ".av1",
)  # fmt: skip
"""Endings that a player or a viewer would believe."""
Workdir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where the job's state is kept, instead of OUT.nvc.job."),
]
Restart = Annotated[bool, typer.Option("--restart", help="Throw a stored job away and begin anew.")]
Preview = Annotated[
    Path | None,
    typer.Option(
        metavar="P.png", help="Picture of the work, replaced now and then: source, now, difference."
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="P.html", help="Page about the encoding: curve, frames, where the bytes go."
    ),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not decode and measure what was written.")
]


def encode(
    ctx: typer.Context,
    sources: Sources,
    output: Output,
    preset: PresetName = "auto",
    set_: Changes = None,
    epochs: Epochs = None,
    max_time: MaxTime = None,
    lmbda: Lmbda = None,
    size: goal_options.Size = None,
    bitrate: goal_options.Bitrate = None,
    psnr: goal_options.Psnr = None,
    vmaf: goal_options.Vmaf = None,
    of: goal_options.Of = "mean",
    dry_run: goal_options.DryRun = False,
    segment_frames: SegmentFrames = 600,
    segments: Segments = "even",
    gop: Gop = 1,
    frames: options.Frames = None,
    start: options.Start = None,
    end: options.End = None,
    scale: options.Scale = None,
    raw: options.Raw = None,
    fps: options.Fps = None,
    color: Color = "auto",
    depth: options.Depth = None,
    no_audio: options.NoAudio = False,
    seed: Seed = 0,
    device: options.Device = "auto",
    workers: Workers = "1",
    limit: options.LimitChanges = None,
    workdir: Workdir = None,
    restart: Restart = False,
    overwrite: options.Overwrite = False,
    skip_existing: batch.SkipExisting = False,
    keep_going: batch.KeepGoing = False,
    no_verify: NoVerify = False,
    preview: Preview = None,
    report: Report = None,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a neural network to a video and write it as a .nvc file.

    The same command continues an interrupted one. With a folder as OUT each video gets a file.
    """
    options.check_sources(sources, are_fitted=not keep_going)
    settings = encode_settings.settings(ctx.params)
    from nvcodec.auto import asked_preset

    asked = asked_preset(preset, set_ or [], epochs, lmbda)  # what is wrong is said without torch
    outputs = None if dry_run else _outputs(sources, output, ctx.params, asked.names)
    from nvcodec.encode_types import EncodeOptions

    chosen = EncodeOptions(**settings, spent_s=process_age_s())
    if dry_run:
        goal_options.foresee(sources, asked, chosen, json)
    elif isinstance(outputs, list):
        _run_all(outputs, asked, chosen, ctx.params)
    else:
        progress = Progress.of(chosen, json, quiet, to_stdout=output == "-")
        _run(sources, output, outputs, asked, chosen, Watching(progress, preview, report))


def _run_all(
    items: list[batch.Item],
    preset: "Preset | AutoPreset",
    chosen: "EncodeOptions",
    typed: Mapping[str, Any],
) -> None:
    """Encode each into a file of its own."""
    if typed["report"] is not None:
        raise typer.BadParameter("--report: a page is about one video, and OUT is a folder")
    how = batch.How(**{field.name: typed[field.name] for field in fields(batch.How)})
    batch.Batch(items, preset, chosen, how).run()


def _run(
    sources: list[str],
    output: str,
    path: Path | None,
    preset: "Preset | AutoPreset",
    chosen: "EncodeOptions",
    watching: Watching,
) -> None:
    """Encode into one file, stoppable, and show the result."""
    watching.check(sources, path, chosen.overwrite)
    from nvcodec.encoder import encode as encode_video

    def work(target: Any, **how: Any) -> "EncodeReport":
        return encode_video(sources, target, preset, chosen, **how)

    done = run_stoppable(work, output, path, chosen.workdir, watching)
    watching.finish(done, output, path, preset)


def _outputs(
    sources: list[str], output: str, typed: Mapping[str, Any], presets: Collection[str]
) -> list[batch.Item] | Path | None:
    """What becomes what, in a folder; or the one file; None for a stream.

    Raises:
        typer.Exit: the file is there, and to be left so.
        NvcError: it cannot be.
    """
    skip_existing = typed["skip_existing"]
    if skip_existing and typed["overwrite"]:
        raise typer.BadParameter("--skip-existing and -y: only one of them")
    if batch.is_folder(output):
        return batch.plan(sources, output)
    batch.check_single(sources)
    options.check_apart(sources, None if output == "-" else Path(output))
    check_name(output, "nvc encode", sources[0])
    if skip_existing and os.path.exists(output):
        say(f"nvc: {output}: is there, and stays as it is")
        raise typer.Exit
    made_by = () if typed["restart"] else presets
    return options.check_target(output, typed["overwrite"], made_by=made_by)


def check_name(output: str, command: str, *sources: str) -> None:
    """Refuse a name that promises another format, and say how to get that."""
    from nvcodec.errors import OutputError

    suffix = Path(output).suffix.lower()
    if output != "-" and suffix in OTHER_FORMATS:
        name = shlex.quote(str(Path(output).with_suffix(".nvc")))
        other, given = shlex.quote(output), " ".join(map(shlex.quote, sources))
        raise OutputError(
            f"{other}: a .nvc file is written; for another: {command} {given} -o {name}, then "
            f"nvc decode {name} -o {other}"
        )
