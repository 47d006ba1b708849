"""Defaults of a command's options from a TOML file: a table a command, a key an option.

    [encode]
    preset = "latents"
    max-time = "10m"
    [decode]
    codec = "x265"

One file counts: that of `--config`, else that of `NVC_CONFIG`, else `nvc/config.toml` in
`$XDG_CONFIG_HOME` or `~/.config`, where there is one. What is typed wins.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

VARIABLE = "NVC_CONFIG"
USED = "nvcodec.config"
"""Where a context keeps the file that it has defaults from."""


def config_path() -> Path | None:
    """The file that counts where none is named; `NVC_CONFIG` empty means none."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    try:
        home = os.environ.get("XDG_CONFIG_HOME") or Path("~", ".config").expanduser()
    except RuntimeError:  # a user without a home
        return None
    usual = Path(home, "nvc", "config.toml")
    return usual if usual.is_file() else None


def _use(ctx: typer.Context, path: Path | None) -> Path | None:
    """Put a file's table under the options of a command, before they are read.

    Raises:
        UsageError: the file cannot be read, or has what the command does not.
    """
    path = path or config_path()
    if path is not None and not ctx.resilient_parsing:
        ctx.meta[USED] = path
        ctx.default_map = _defaults(ctx, path)
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        is_eager=True,
        callback=_use,
        expose_value=False,
        help="Defaults of these options, from a TOML file; see `nvc --help`.",
    ),
]


def _defaults(ctx: typer.Context, path: Path) -> dict[str, Any]:
    root = ctx.find_root()
    commands: list[str] = root.command.list_commands(root)  # type: ignore[attr-defined]
    options, tables = ctx.command.params, _read(ctx, path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            ctx.fail(f"{path}: {name}: belongs in a table of a command, such as [encode]")
        if name not in commands:
            ctx.fail(f"{path}: [{name}]: no such command{_nearest(name, commands)}")
    level: Any = ctx
    while level.parent is not root:
        level = level.parent
    command = level.info_name
    known = {
        max(param.opts, key=len).lstrip("-"): param
        for param in options
        if param.param_type_name == "option" and param.name != "config"
    }
    defaults = {}
    for name, value in tables.get(command, {}).items():
        where, param = f"{path}: [{command}] {name}", known.get(name)
        if param is None:
            ctx.fail(f"{where}: no such option{_nearest(name, list(known))}")
        is_flag, is_list = getattr(param, "is_flag", False), getattr(param, "multiple", False)
        if is_flag != isinstance(value, bool):
            ctx.fail(f"{where} = {value!r}: expected {'true or false' if is_flag else 'a value'}")
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str | int | float) for v in values) or (
            isinstance(value, list) and not is_list
        ):
            ctx.fail(f"{where} = {value!r}: expected {'texts' if is_list else 'one text'}")
        texts = [v if is_flag else str(v) for v in values]
        defaults[str(param.name)] = texts if is_list else texts[0]
    return defaults


def _read(ctx: typer.Context, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        ctx.fail(f"{path}: cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        ctx.fail(f"{path}: {error}")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
