"""`nvc encode`."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvcodec.cli import options
from nvcodec.cli.console import command_line, process_age_s
from nvcodec.cli.encode_progress import Progress
from nvcodec.cli.encode_watching import Watching
from nvcodec.cli.process import Stopper, say

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
        "video, of which `nvc decode --clip` gives each back.",
    ),
]
Output = Annotated[
    str,
    typer.Option("-o", "--output", metavar="OUT.nvc", help="File to write; - is standard output."),
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
    int, typer.Option(min=1, help="Longest segment; segments are coded alone.")
]
Color = Annotated[
    str,
    typer.Option(
        metavar="|".join(options.SAMPLES),
        help="Samples that are fitted; auto: as the preset says, or grey.",
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="Of initial values, batches and noise.")
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
    sources: Sources,
    output: Output,
    preset: PresetName = "auto",
    set_: Changes = None,
    epochs: Epochs = None,
    max_time: MaxTime = None,
    lmbda: Lmbda = None,
    segment_frames: SegmentFrames = 600,
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
    limit: options.LimitChanges = None,
    workdir: Workdir = None,
    restart: Restart = False,
    overwrite: options.Overwrite = False,
    no_verify: NoVerify = False,
    preview: Preview = None,
    report: Report = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a neural network to a video and write it as a .nvc file.

    The same command continues an interrupted one.
    """
    settings = {
        "samples": options.samples(color),
        "frames": options.frame_range(frames),
        "between": options.time_range(start, end, frames),
        "scale": options.picture_size(scale),
        "raw": options.raw_geometry(raw),
        "frame_rate": options.frame_rate(fps),
        "depth": options.depth(depth),
        "limits": options.changed_limits(limit),
        "max_time_s": _max_time_s(max_time, epochs),
    }
    options.check_sources(sources)
    from nvcodec.auto import asked_preset

    asked = asked_preset(preset, set_ or [], epochs, lmbda)  # what is wrong is said without torch
    path = options.check_target(output, overwrite, made_by=() if restart else asked.names)
    options.check_apart(sources, path)
    watching = Watching(Progress(json, to_stdout=output == "-", quiet=quiet), preview, report)
    from nvcodec.encode_types import EncodeOptions

    chosen = EncodeOptions(
        **settings,  # type: ignore[arg-type]
        segment_frames=segment_frames, audio=not no_audio, seed=seed, device=device,
        workdir=workdir, restart=restart, overwrite=overwrite, verify=not no_verify,
        show_frames=watching.wants_frames, spent_s=process_age_s(),
    )  # fmt: skip
    done = _run(sources, output, path, asked, chosen, watching)
    watching.finish(done, output, path, asked)


def _max_time_s(max_time: str | None, epochs: int | None) -> float | None:
    if max_time is not None and epochs is not None:
        raise typer.BadParameter("--max-time and --epochs: only one of them")
    return options.duration_s(max_time)


def _check_name(output: str, source: str) -> None:
    """Refuse a name that promises another format, and say how to get that."""
    from nvcodec.errors import OutputError

    suffix = Path(output).suffix.lower()
    if output != "-" and (suffix in OTHER_FORMATS or output.endswith(("/", os.sep))):
        name = shlex.quote(str(Path(output).with_suffix(".nvc")))
        other, given = shlex.quote(output), shlex.quote(source)
        raise OutputError(
            f"{other}: a .nvc file is written; for another: nvc encode {given} -o {name}, then "
            f"nvc decode {name} -o {other}"
        )


def _run(
    sources: list[str],
    output: str,
    path: Path | None,
    preset: "Preset | AutoPreset",
    chosen: "EncodeOptions",
    watching: Watching,
) -> "EncodeReport":
    """Encode, stoppable; says how to go on."""
    _check_name(output, sources[0])
    watching.check(sources, path, chosen.overwrite)
    from nvcodec.encoder import encode as encode_video
    from nvcodec.errors import InterruptedEncodeError, OutputError
    from nvcodec.job import job_folder

    target = sys.stdout.buffer if output == "-" else output
    stopper = Stopper()
    try:
        with stopper.listening(), watching:
            return encode_video(
                sources, target, preset, chosen, should_stop=stopper, on_event=watching
            )
    except InterruptedEncodeError as error:
        say(f"nvc: {error}")
        if path is not None:
            say(f"nvc: continue with: {command_line(without='--restart')}")
        raise typer.Exit(stopper.exit_code) from error
    except OutputError:
        if path is not None and job_folder(path, chosen.workdir).exists():
            say(f"nvc: once that is solved, continue with: {command_line(without='--restart')}")
        raise
