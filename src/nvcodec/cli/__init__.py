"""The command line: one file a command, and the only place that prints or exits.

Each command parses, calls one library function, draws its records, and leaves errors to
`app.Commands`. What can be refused cheaply is refused before torch is imported.
"""


def main() -> None:
    """Run the command line of this process, and raise `SystemExit`."""
    from nvcodec.cli.process import prepare_process

    prepare_process()
    from nvcodec.cli.app import app

    app(prog_name="nvc")  # also as `python -m nvcodec`


def command() -> None:
    """Entry point of `nvc`: as `main`, and the process ends with it, at once."""
    from nvcodec.cli.process import end_process

    try:
        main()
    except SystemExit as ending:
        if isinstance(ending.code, int):
            end_process(ending.code)
        raise
