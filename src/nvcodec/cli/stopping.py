"""How a command that keeps its work says how to go on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import typer

from nvcodec.cli.console import command_line
from nvcodec.cli.process import Stopper, say


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
