"""`nvc presets`. Loads no torch."""

import sys
from typing import Annotated

import typer

from nvcodec.cli.console import emit
from nvcodec.cli.options import Json, picture_size, preset_names


def presets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Print this preset's TOML.", autocompletion=preset_names
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Picture size that the table counts for.")
    ] = "1920x1080",
    num_frames: Annotated[
        int, typer.Option("--num-frames", min=1, help="Number of frames that the table counts for.")
    ] = 120,
    json: Json = False,
) -> None:
    """List presets with parameters, multiply-adds and speed, or print one."""
    picture = picture_size(size, "--size")
    from nvcodec.decoding_pace import expected_fps
    from nvcodec.presets import load_preset, preset_text
    from nvcodec.presets import preset_names as known_names

    if name is not None:
        sys.stdout.write(preset_text(name))
        return
    rows = []
    for known in known_names():
        preset = load_preset(known)
        config = preset.representation
        shape = preset.samples.shape(num_frames, picture[1], picture[0])
        parameters, macs = config.num_parameters(shape), config.macs_per_frame(shape)
        work = macs / 1e9, macs / (picture[0] * picture[1]), expected_fps(config, shape)
        rows.append((known, parameters, *work, list(preset.lmbdas), preset.description))
    if json:
        for row in rows:
            names = (
                "name",
                "parameters",
                "gmac_per_frame",
                "macs_per_pixel",
                "expected_fps",
                "lmbdas",
                "description",
            )
            emit({"event": "preset", **dict(zip(names, row, strict=True))})
        return
    print(f"counted for {num_frames} frames of {size}, frames/s of decoding on this processor;")
    print("--lmbda: rate points that suit the size")
    columns = f"{'parameters':>14}{'GMAC/frame':>12}{'MAC/pixel':>11}{'frames/s':>10}"
    print(f"{'preset':<22}{columns}  {'--lmbda':<12}  what")
    for known, parameters, gmac, per_pixel, fps, lmbdas, description in rows:
        points = ", ".join(f"{lmbda:g}" for lmbda in lmbdas)
        sizes = f"{parameters:>14,}{gmac:>12.2f}{per_pixel:>11,.0f}{fps:>10.2g}"
        print(f"{known:<22}{sizes}  {points:<12}  {description}")
