"""`nvc encode`."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import options
from nvcodec.cli.console import process_age_s
from nvcodec.cli.encode_progress import Progress
from nvcodec.cli.stoppable import run_stoppable

if TYPE_CHECKING:
    from nvcodec.encode_types import EncodeReport

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
    scale: options.Scale = None,
    raw: options.Raw = None,
    fps: options.Fps = None,
    color: Color = "auto",
    seed: Seed = 0,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    workdir: Workdir = None,
    restart: Restart = False,
    overwrite: options.Overwrite = False,
    no_verify: NoVerify = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a neural network to a video and write it as a .nvc file.

    The same command continues an interrupted one.
    """
    settings = {
        "samples": options.samples(color),
        "frames": options.frame_range(frames),
        "scale": options.picture_size(scale),
        "raw": options.raw_geometry(raw),
        "frame_rate": options.frame_rate(fps),
        "limits": options.changed_limits(limit),
        "max_time_s": options.duration_s(max_time),
    }
    if max_time is not None and epochs is not None:
        raise typer.BadParameter("--max-time and --epochs: only one of them")
    options.check_sources(sources)
    from nvcodec.auto import asked_preset

    asked = asked_preset(preset, set_ or [], epochs, lmbda)  # what is wrong is said without torch
    path = options.check_target(output, overwrite, made_by=() if restart else asked.names)
    options.check_apart(sources, path)
    from nvcodec.encode_types import EncodeOptions

    chosen = EncodeOptions(
        **settings,  # type: ignore[arg-type]
        segment_frames=segment_frames,
        seed=seed,
        device=device,
        workdir=workdir,
        restart=restart,
        overwrite=overwrite,
        verify=not no_verify,
        spent_s=process_age_s(),
    )
    progress = Progress(json, to_stdout=output == "-", quiet=quiet)
    check_name(output, "nvc encode", *sources[:1])
    from nvcodec.encoder import encode as encode_video

    def work(target: Any, **how: Any) -> "EncodeReport":
        return encode_video(sources, target, asked, chosen, **how)

    run_stoppable(work, output, path, workdir, progress)


def check_name(output: str, command: str, *sources: str) -> None:
    """Refuse a name that promises another format, and say how to get that."""
    from nvcodec.errors import OutputError

    suffix = Path(output).suffix.lower()
    if output != "-" and (suffix in OTHER_FORMATS or output.endswith(("/", os.sep))):
        name = shlex.quote(str(Path(output).with_suffix(".nvc")))
        other, given = shlex.quote(output), " ".join(map(shlex.quote, sources))
        raise OutputError(
            f"{other}: a .nvc file is written; for another: {command} {given} -o {name}, then "
            f"nvc decode {name} -o {other}"
        )
