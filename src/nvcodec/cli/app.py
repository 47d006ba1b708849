"""The commands, put together. Importing this loads no torch: commands import it when they run."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nvcodec import errors
from nvcodec.cli import bench
from nvcodec.cli.compare import compare
from nvcodec.cli.config import USED, config_path
from nvcodec.cli.console import report, say_error
from nvcodec.cli.decode import decode
from nvcodec.cli.encode import encode
from nvcodec.cli.extract import extract
from nvcodec.cli.info import info
from nvcodec.cli.play import play
from nvcodec.cli.presets import presets
from nvcodec.cli.refine import refine
from nvcodec.cli.verify import verify
from nvcodec.version import __version__

EXIT_CODES = {
    0: "done",
    1: "internal error, or fitting failed",
    2: "usage, preset, or changed settings of a stored job",
    3: "input missing or unsupported",
    4: "output exists, cannot be written, or disk full",
    5: "file corrupt",
    6: "file truncated or unfinished",
    7: "out of memory",
    8: "verification failed",
    9: "file needs a newer nvc",
    10: "a limit exceeded",
    129: "terminal closed",
    130: "interrupted",
    143: "terminated",
}
ENVIRONMENT = {
    "NVC_FFMPEG": "the ffmpeg to use, instead of the newer one of PATH's and imageio-ffmpeg's",
    "NVC_PLAYER": "the player of nvc play, with its options",
    "NVC_CONFIG": "a TOML file with defaults of options, instead of nvc/config.toml in "
    "XDG_CONFIG_HOME or ~/.config; empty: none",
    "OMP_NUM_THREADS": "threads of a CPU, where --threads is not given",
    "NO_COLOR": "help without colours",
    "TERM": "dumb: progress by a line now and then",
    "COLUMNS": "width of help and progress",
}

UsageError: Any = typer.BadParameter.__mro__[1]
"""What typer raises for a command line that it cannot parse."""


def _listed(title: str, table: Mapping[Any, str]) -> str:
    return f"{title}: " + " · ".join(f"{name} {what}" for name, what in table.items())


HINTS = {
    "--workers": "--threads N sets how many cores one video is fitted on",
    "--jobs": "--threads N sets how many cores one video is fitted on",
    "--to": "the ending of OUT says the format",
}
"""What to do instead, by options that other programs have."""


def _usage_text(error: Any) -> str:
    """What is wrong with a command line, where help is, and which file had a say in it."""
    text, hint, used = error.format_message(), "nvc --help", None
    if (instead := HINTS.get(getattr(error, "option_name", ""))) is not None:
        text = f"{error.message}; {instead}"
    if error.ctx is not None:
        hint, used = f"{error.ctx.command_path} --help", error.ctx.meta.get(USED)
    if used is not None and str(used) not in text:
        hint += f"; defaults from {used}"
    return f"{text} ({hint})"


CODES = _listed("Exit codes", EXIT_CODES)


class Commands(TyperGroup):
    """Runs a command and turns what it raises into one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` holds."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe or a full disk shows here, not after the end
        except (typer.Exit, typer.Abort):
            raise
        except UsageError as error:
            if error.format_message():  # else help was shown, as nothing else was typed
                say_error(_usage_text(error), 2)
            raise typer.Exit(2) from error
        except (
            errors.NvcError,
            OSError,
            MemoryError,
            RuntimeError,
            KeyboardInterrupt,
        ) as error:
            raise typer.Exit(report(error)) from error
        return result


app = typer.Typer(
    name="nvc",
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"{CODES}\n\n{_listed('Environment', ENVIRONMENT)}",
    help="A video codec whose bitstream is a neural network.",
)
app.command(epilog=CODES)(encode)
app.command(epilog=CODES)(refine)
app.command(epilog=CODES)(decode)
app.command(epilog=CODES)(play)
app.command()(info)
app.command(epilog=CODES)(extract)
app.command(epilog=CODES)(verify)
app.command(epilog=CODES)(compare)
app.command()(presets)
app.add_typer(bench.app, name="bench")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A video codec whose bitstream is a neural network."""
    if version:
        from nvcodec.processes import described_ffmpeg

        print(f"{__version__}\n{described_ffmpeg()}")
        if (path := config_path()) is not None:
            print(f"defaults from {path}")
        raise typer.Exit
