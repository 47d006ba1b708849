"""`nvc refine`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import config, encode, encode_settings, options
from nvcodec.cli.console import process_age_s
from nvcodec.cli.encode_progress import Progress
from nvcodec.cli.stopping import run_stoppable

if TYPE_CHECKING:
    from nvcodec.encode_types import EncodeReport

Given = Annotated[
    Path, typer.Argument(metavar="IN.nvc", help="File to fit further; it is only read.")
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC...", help="The video that IN.nvc was made of, as `nvc encode` takes it."
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--preset",
        help="Name or TOML file of the preset that IN.nvc was made with, where IN.nvc names none "
        "that is known.",
        autocompletion=options.preset_names,
    ),
]
OnlySegment = Annotated[
    int | None,
    typer.Option("--segment", min=0, metavar="N", help="Only this one; others stay as they are."),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the frames in all; half of the preset's unless given."),
]
Lmbda = Annotated[
    float | None,
    typer.Option(
        min=0, help="Weight of the distortion, higher is better and larger; IN.nvc's unless given."
    ),
]


def refine(
    ctx: typer.Context,
    original: Given,
    sources: Sources,
    output: encode.Output,
    preset: PresetName = None,
    set_: encode.Changes = None,
    segment: OnlySegment = None,
    epochs: Epochs = None,
    max_time: encode.MaxTime = None,
    lmbda: Lmbda = None,
    frames: options.Frames = None,
    start: options.Start = None,
    end: options.End = None,
    scale: options.Scale = None,
    raw: options.Raw = None,
    fps: options.Fps = None,
    seed: encode.Seed = 0,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    workdir: encode.Workdir = None,
    restart: encode.Restart = False,
    overwrite: options.Overwrite = False,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a .nvc file further: a better picture or a smaller file, never a worse one.

    A segment that does not get better stays as it was. The same command continues an interrupted
    one.
    """
    settings = encode_settings.settings(ctx.params)
    options.check_sources([str(original)])
    options.check_sources(sources, are_fitted=True)
    encode.check_name(output, "nvc refine", str(original), *sources)
    from nvcodec.original import Original, RefineSettings

    wanted = RefineSettings(preset, set_ or [], epochs, lmbda, segment)
    recipe = Original.read(original, settings["limits"]).preset(wanted)  # said without torch
    path = options.check_target(output, overwrite, made_by=() if restart else recipe.names)
    options.check_apart([str(original), *sources], path)
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.refiner import refine as refine_file

    chosen = EncodeOptions(**settings, spent_s=process_age_s())
    progress = Progress.of(chosen, json, quiet, to_stdout=output == "-")

    def work(target: Any, **how: Any) -> "EncodeReport":
        return refine_file(original, sources, target, wanted, chosen, **how)

    done = run_stoppable(work, output, path, workdir, progress)
    progress.finish(done, output)
