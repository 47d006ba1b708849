"""The commands, put together. Importing this loads no torch: commands import it when they run."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nvcodec import errors
from nvcodec.cli import bench
from nvcodec.cli.console import report
from nvcodec.cli.decode import decode
from nvcodec.cli.encode import encode
from nvcodec.cli.info import info
from nvcodec.cli.presets import presets
from nvcodec.cli.process import say
from nvcodec.cli.refine import refine
from nvcodec.cli.verify import verify
from nvcodec.version import __version__

EXIT_CODES = (
    "Exit codes: 0 done · 1 internal error, or fitting failed · 2 usage, preset, or changed "
    "settings of a stored job · 3 input missing or unsupported · 4 output exists, cannot be "
    "written, or disk full · 5 file corrupt · 6 file truncated or unfinished · 7 out of memory · "
    "8 verification failed · 9 file needs a newer nvc · 10 a limit exceeded · 129 terminal "
    "closed · 130 interrupted · 143 terminated"
)

UsageError: Any = typer.BadParameter.__mro__[1]
"""What typer raises for a command line that it cannot parse."""


ENVIRONMENT = (
    "Environment: NVC_FFMPEG the ffmpeg to use, instead of the newer one of PATH's and "
    "imageio-ffmpeg's · OMP_NUM_THREADS threads of a CPU · NO_COLOR, TERM, COLUMNS as usual"
)


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
            command = error.ctx.command_path if error.ctx else "nvc"
            say(f"nvc: {error.format_message()} ({command} --help)")
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
    epilog=f"{EXIT_CODES}\n\n{ENVIRONMENT}",
    help="A video codec whose bitstream is a neural network.",
)
app.command(epilog=EXIT_CODES)(encode)
app.command(epilog=EXIT_CODES)(refine)
app.command(epilog=EXIT_CODES)(decode)
app.command()(info)
app.command(epilog=EXIT_CODES)(verify)
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
        raise typer.Exit
