"""Running what fits a video so that it may be stopped, and saying how to go on."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nvcodec.cli.console import command_line, emit
from nvcodec.cli.encode_progress import Progress, print_report, report_record
from nvcodec.cli.process import Stopper, say

if TYPE_CHECKING:
    from nvcodec.encode_types import EncodeReport


def run_stoppable(
    work: Callable[..., "EncodeReport"],
    output: str,
    path: Path | None,
    workdir: Path | None,
    progress: Progress,
) -> None:
    """Run, and show what it comes to.

    Args:
        work: takes the target, and `should_stop` and `on_event` by name.
        output: the target as the user wrote it.
        path: of the target; None for a stream.
        workdir: where its job is kept.
        progress: what shows its events.
    """
    from nvcodec.errors import InterruptedEncodeError, OutputError
    from nvcodec.job import job_folder

    target: Any = sys.stdout.buffer if output == "-" else output
    stopper = Stopper()
    try:
        with stopper.listening(), progress:
            report = work(target, should_stop=stopper, on_event=progress)
    except InterruptedEncodeError as error:
        say(f"nvc: {error}")
        if path is not None:
            say(f"nvc: continue with: {command_line(without='--restart')}")
        raise typer.Exit(stopper.exit_code) from error
    except OutputError:
        if path is not None and job_folder(path, workdir).exists():
            say(f"nvc: once that is solved, continue with: {command_line(without='--restart')}")
        raise
    if progress.json:
        emit({"event": "done", **report_record(report)}, output == "-")
    elif not progress.quiet:
        print_report(report, output)
