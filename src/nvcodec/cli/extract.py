"""`nvc extract`: some segments as a file of their own. Loads no torch."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nvcodec.cli import config, options
from nvcodec.cli.console import emit, warn_as
from nvcodec.cli.encode import check_name
from nvcodec.cli.process import say

if TYPE_CHECKING:
    from nvcodec.container.extract import Extract


def extract(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN.nvc", help="File to copy from; an unfinished OUT.nvc.part gets an end."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="OUT.nvc", help="New file, or - for standard output."
        ),
    ],
    frames: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="Frames A to B - 1, where segments begin and end."),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="N", help="This segment; N:M, these, M excluded.")
    ] = None,
    clip: options.ClipName = None,
    limit: options.LimitChanges = None,
    overwrite: options.Overwrite = False,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Copy whole segments into a new file, byte for byte, without decoding them."""
    warn_as(json=json, quiet=quiet, to_stderr=output == "-")
    if sum(option is not None for option in (frames, segment, clip)) > 1:
        raise typer.BadParameter("--frames, --segment and --clip: one of them")
    wanted, numbers = options.frame_range(frames), options.frame_range(segment, "--segment")
    limits = options.changed_limits(limit)
    check_name(output, "nvc extract", source)
    path = options.check_target(output, overwrite)
    options.check_sources([source])
    options.check_apart([source], path)
    from nvcodec.container.extract import Choice
    from nvcodec.container.extract import extract as copy

    with options.naming(source):
        done = copy(
            source,
            sys.stdout.buffer if path is None and output == "-" else output,
            Choice(wanted, numbers, clip),
            overwrite=overwrite,
            limits=limits,
        )
    _tell(done, output, json, quiet)


def _tell(done: "Extract", output: str, json: bool, quiet: bool) -> None:
    if json:
        record = {
            "event": "done",
            "segments": list(done.segments),
            "frames": list(done.frames),
            "num_frames": done.num_frames,
            "is_unfinished": done.is_unfinished,
            "dropped": list(done.dropped),
            "size_bytes": done.size_bytes,
        }
        emit(record, to_stderr=output == "-")
        return
    if quiet:
        return
    for kind in done.dropped:
        say(f"nvc: chunk {kind} cannot be cut, and is not in {output}")
    say(
        f"{output}: segments {done.segments.start}:{done.segments.stop}, frames "
        f"{done.frames.start}:{done.frames.stop} of {done.num_frames or 'an unknown number'}, "
        f"{done.size_bytes:,} bytes"
    )
