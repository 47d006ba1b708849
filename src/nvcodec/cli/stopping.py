"""Running what keeps its work so that it may be stopped, and saying how to go on."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nvcodec.cli.console import command_line
from nvcodec.cli.process import Stopper, say

if TYPE_CHECKING:
    from nvcodec.cli.encode_progress import Progress
    from nvcodec.cli.encode_watching import Watching
    from nvcodec.encode_types import EncodeReport


def run_stoppable(
    work: Callable[..., "EncodeReport"],
    output: str,
    path: Path | None,
    workdir: Path | None,
    watcher: "Progress | Watching",
) -> "EncodeReport":
    """Run what fits a video; gives what it comes to.

    Args:
        work: takes the target, and `should_stop` and `on_event` by name.
        output: the target as the user wrote it.
        path: of the target; None for a stream.
        workdir: where its job is kept, if not beside it.
        watcher: shows its events.

    Raises:
        typer.Exit: it was stopped.
    """
    target: Any = sys.stdout.buffer if output == "-" else output
    stopper = Stopper()
    with saying_how_to_continue(stopper, path, workdir), stopper.listening(), watcher:
        return work(target, should_stop=stopper, on_event=watcher)


@contextlib.contextmanager
def saying_how_to_continue(
    stopper: Stopper, path: Path | None, workdir: Path | None
) -> Iterator[None]:
    """Tells the command that goes on, where an encoding is stopped or cannot write.

    Args:
        stopper: what stops it.
        path: of the output; None for a stream, which cannot be continued.
        workdir: where its state is, if not beside it.

    Raises:
        typer.Exit: it was stopped.
    """
    from nvcodec.errors import InterruptedEncodeError, OutputError
    from nvcodec.job import job_folder

    again = command_line(without="--restart")
    try:
        yield
    except InterruptedEncodeError as error:
        say(f"nvc: {error}")
        if path is not None:
            say(f"nvc: continue with: {again}")
        raise typer.Exit(stopper.exit_code) from error
    except OutputError:
        if path is not None and job_folder(path, workdir).exists():
            say(f"nvc: once that is solved, continue with: {again}")
        raise
