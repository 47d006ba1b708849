"""Generated parts of README.md and docs/: tables from stored results, boxes from docstrings.

    python benchmarks/documents.py            # rewrites them; `make docs`
    python benchmarks/documents.py --check    # fails where text and sources differ

A table stands between `<!-- table: FOLDER KIND [CODEC,...] -->` and `<!-- end of table -->`; FOLDER
is one in `benchmarks/results`, KIND one of `bd-rate`, `points`, `speed`, `cases` (those of
where_it_wins.py). A docstring, the settings of a model, and constant bytes stand between
`<!-- docstring: MODULE[.NAME] -->`, or `settings`, or `bytes`, and `<!-- end of docstring -->`, and
so on; `names` is a list of what a dictionary has. manual.py makes docs/nvc.1.
"""

import argparse
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import manual
import where_it_wins
from nvcodec.bench.curves import AVERAGE, choose_anchor, compare, measured_curves
from nvcodec.bench.report import bd_table, markdown_table, point_rows, speed_table
from nvcodec.bench.results import NAME, read_records

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(
    r"(<!-- table: (\S+) (\S+)(?: (\S+))? -->\n).*?(<!-- end of table -->)", re.DOTALL
)
BOX = re.compile(
    r"(<!-- (docstring|settings|bytes|names): (\S+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL
)
WIDTH = 116
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
METRIC = "psnr_rgb_db"


def table(folder: str, kind: str, codecs: str | None = None) -> str:
    """One table as Markdown, of some codecs, or of all."""
    stored = ROOT / "benchmarks" / "results" / folder / NAME
    if kind == "cases":
        return where_it_wins.table(read_records([stored] if stored.exists() else []))
    records = read_records([stored])
    if kind == "speed":
        return markdown_table(speed_table(records))
    if kind == "points":
        head = ["clip", "codec", "point", "bytes", "bpp", "PSNR-RGB"]
        rows = [[*map(str, row[:3]), f"{row[3]:,}", f"{row[4]:.4f}", f"{row[6]:.2f}"]
                for row in point_rows(records)]  # fmt: skip
        return markdown_table([head, *rows])
    if kind == "bd-rate":
        curves = measured_curves(records)
        anchor = choose_anchor(curves, None)
        rows = bd_table([c for c in compare(curves, anchor) if c.sequence != AVERAGE], METRIC)
        rows[0][0] = f"against {anchor}"
        if codecs is not None:
            rows = [rows[0], *(row for row in rows if row[0] in codecs.split(","))]
        return markdown_table(rows)
    raise SystemExit(f"table {folder} {kind}: allowed kinds are bd-rate, points, speed, cases")


def named(name: str) -> Any:
    """A module, or what it defines."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def box(kind: str, name: str) -> str:
    """A docstring, settings, or bytes, as the document shows them."""
    found = named(name)
    if kind == "settings":
        return settings(found)
    if kind == "names":
        lines = (textwrap.wrap(f"- `{name}` {what}", WIDTH, subsequent_indent="  ")
                 for name, what in found.items())  # fmt: skip
        return "\n".join(line for wrapped in lines for line in wrapped)
    text = inspect.getdoc(found)
    if kind == "bytes":
        ascii_text = found.decode("ascii")
        text = "\n".join(ascii_text[i : i + 100] for i in range(0, len(ascii_text), 100))
    return f"```text\n{text}\n```"


def settings(model: type[BaseModel]) -> str:
    """A list of a model's fields, save for its kind."""
    lines: list[str] = []
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        default = "required" if field.is_required() else f"default {_shown(field.default)}"
        says = f"- `{name}`, {_allowed(field)}, {default}: {field.description}"
        lines += textwrap.wrap(says, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines) or "There are none."


def _shown(value: object) -> str:
    """A value as JSON has it."""
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f"{value!r}".replace("'", '"')


def _allowed(field: FieldInfo) -> str:
    """Type and range of a field."""
    kind = field.annotation
    if NoneType in get_args(kind):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return ", ".join(_shown(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {'numbers' if float in get_args(kind) else 'integers'}"
    if kind not in (int, float, bool):
        return "object"
    words = {int: "integer", float: "number", bool: "boolean"}
    found = {n: getattr(m, n) for m in field.metadata for n in SIGNS if hasattr(m, n)}
    if {"ge", "le"} <= found.keys():
        return f"{words[kind]} {found['ge']} .. {found['le']}"
    limits = " and ".join(f"{SIGNS[name]} {value}" for name, value in found.items())
    return f"{words[kind]} {limits}".strip()


def rewritten(path: Path) -> str:
    """A document as its sources say it should be."""
    if path.suffix == ".1":
        return manual.page()
    return filled(path.read_text(encoding="utf-8"))


def filled(text: str) -> str:
    """A document with its generated parts made anew."""
    text = PLACE.sub(lambda m: f"{m[1]}{table(m[2], m[3], m[4])}\n{m[5]}", text)
    return BOX.sub(lambda m: f"{m[1]}{box(m[2], m[3])}\n{m[4]}", text)


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    manual_page = ROOT / "docs" / "nvc.1"
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), manual_page):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = rewritten(path)
        if is_check and before != after:
            raise SystemExit(f"{path.name}: not what its sources say: make docs")
        if not is_check:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
