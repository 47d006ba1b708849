"""The commands, put together. Importing this loads no torch: commands import what they need when they run."""

import typer

from nvcodec import __version__
from nvcodec.cli.decode import decode
from nvcodec.cli.encode import encode
from nvcodec.cli.info import info
from nvcodec.cli.presets import presets

EXIT_CODES = """Exit codes: 0 done · 1 internal error · 2 usage, preset or changed settings · 3 input missing or
unsupported · 4 output exists, not writable or disk full · 5 file corrupt · 6 file truncated or unfinished · 7 out of
memory · 8 verification failed · 9 file needs a newer nvc · 10 a limit exceeded · 130 interrupted · 143 terminated"""

app = typer.Typer(
    name="nvc",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    help="A video codec whose bitstream is a neural network.",
)
app.command()(encode)
app.command()(decode)
app.command()(info)
app.command()(presets)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """A video codec whose bitstream is a neural network."""
    if version:
        print(__version__)
        raise typer.Exit
