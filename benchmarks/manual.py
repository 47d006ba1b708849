"""The manual page `docs/nvc.1`, made from the help of every command; documents.py writes it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import typer

from nvcodec.cli.app import ENVIRONMENT, EXIT_CODES, app
from nvcodec.version import __version__

FILES = {
    "OUT.nvc.part": "An encoding that is not finished.",
    "OUT.nvc.job/": "Its state. The same command continues it, and removes both at its end.",
    "~/.config/nvc/config.toml": "Defaults of options: a table a command, a key an option.",
}


def page() -> str:
    """The page, in the language of troff."""
    root: Any = typer.main.get_command(app)
    commands = list(_commands("nvc", root))
    summary = root.help.rstrip(".")
    lines = [
        f'.TH NVC 1 "" "nvcodec {__version__}" "User Commands"',
        ".SH NAME", _plain(f"nvc - {summary[0].lower()}{summary[1:]}").replace(" - ", r" \- ", 1),
        ".SH SYNOPSIS", *_usages(commands),
        ".SH OPTIONS", *(line for param in root.params for line in _option(param)),
    ]  # fmt: skip
    for name, command in commands:
        lines += [f".SH {name.upper()}", *_paragraphs(command.help)]
        for param in command.params:
            lines += _option(param)
    lines += [".SH EXIT STATUS", *_items(EXIT_CODES)]
    lines += [".SH ENVIRONMENT", *_items(ENVIRONMENT), ".SH FILES", *_items(FILES)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR ffmpeg (1)"]) + "\n"


def _commands(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    for short, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{name} {short}", command)
        else:
            yield f"{name} {short}", command


def _usages(commands: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for number, (name, command) in enumerate(commands):
        yield from [".br"] * (number > 0)
        words = [_named(p) for p in command.params if p.param_type_name == "argument"]
        words += [f"{p.opts[0]} {_named(p)}" for p in command.params[1:] if p.opts[0] == "-o"]
        yield from (f".B {_plain(name)}", _plain(" ".join([*words, "[OPTION]..."])))


def _named(param: Any) -> str:
    """What stands for the value of a parameter."""
    return str(param.metavar or param.name.upper())


def _option(param: Any) -> Iterator[str]:
    """A parameter, what it takes, and what it does."""
    if param.param_type_name == "argument":
        yield from (".TP", f".I {_plain(_named(param))}")
    else:
        names = ", ".join(rf"\fB{_plain(name)}\fR" for name in param.opts)
        value = "" if param.is_flag else rf" \fI{_plain(_named(param))}\fR"
        yield from (".TP", names + value)
    usual = "" if param.default in (None, False, "") else f" Default: {param.default}."
    yield _plain((param.help or "").rstrip(".") + "." + usual)


def _items(table: Mapping[Any, str]) -> Iterator[str]:
    for name, what in table.items():
        yield from (".TP", rf"\fB{_plain(str(name))}\fR", _plain(what))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        yield from [".PP"] * (number > 0)
        yield _plain(" ".join(paragraph.split()))


def _plain(text: str) -> str:
    r"""Text in which nothing is a request; `\-` is the hyphen that can be copied."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("·", r"\(bu")
    return r"\&" + text if text.startswith((".", "'")) else text
