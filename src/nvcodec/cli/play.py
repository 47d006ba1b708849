"""`nvc play`."""

from typing import Annotated

import typer

from nvcodec.cli import config, options
from nvcodec.cli.console import warn_as
from nvcodec.cli.process import Signalled


def play(
    source: Annotated[
        str, typer.Argument(metavar="IN.nvc", help="File to show; - is standard input.")
    ],
    frames: options.Frames = None,
    clip: options.ClipName = None,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    threads: options.Threads = None,
    config: config.Config = None,
    quiet: options.Quiet = False,
) -> None:
    """Show the video in ffplay, mpv, or the player that NVC_PLAYER names, as it is decoded."""
    warn_as(json=False, quiet=quiet)
    wanted, limits = options.frame_range(frames), options.changed_limits(limit)
    options.check_sources([source])
    from nvcodec.cli import player

    command = player.player_command(source)
    try:
        from nvcodec.cli.opening import open_decoder

        with (
            options.naming(source),
            open_decoder(source, frames=wanted, device=device, limits=limits, clip=clip) as decoder,
        ):
            player.play(decoder.planes(), decoder.info, command)
    except Signalled:
        raise
    except KeyboardInterrupt:  # Ctrl-C is how one stops looking
        return
