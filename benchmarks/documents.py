"""Generated parts of README.md and docs/: tables from stored results, boxes from docstrings.

    python benchmarks/documents.py            # rewrites them; `make docs`
    python benchmarks/documents.py --check    # fails where text and sources differ

A table stands between `<!-- table: FOLDER KIND [CODEC,...] -->` and `<!-- end of table -->`; FOLDER
is one in `benchmarks/results`, KIND one of `bd-rate`, `points`, `speed`. A docstring stands between
`<!-- docstring: MODULE[.NAME] -->` and `<!-- end of docstring -->`.
"""

import argparse
import importlib
import inspect
import re
from pathlib import Path

from nvcodec.bench.curves import AVERAGE, choose_anchor, compare, measured_curves
from nvcodec.bench.report import bd_table, markdown_table, point_rows, speed_table
from nvcodec.bench.results import NAME, read_records

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(
    r"(<!-- table: (\S+) (\S+)(?: (\S+))? -->\n).*?(<!-- end of table -->)", re.DOTALL
)
BOX = re.compile(r"(<!-- docstring: (\S+) -->\n).*?(<!-- end of docstring -->)", re.DOTALL)
METRIC = "psnr_rgb_db"


def table(folder: str, kind: str, codecs: str | None = None) -> str:
    """One table as Markdown, of some codecs, or of all."""
    records = read_records([ROOT / "benchmarks" / "results" / folder / NAME])
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
    raise SystemExit(f"table {folder} {kind}: allowed kinds are bd-rate, points, speed")


def docstring(name: str) -> str:
    """The docstring of a module, or of what it defines, in a box."""
    try:
        found = importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
    return f"```text\n{inspect.getdoc(found)}\n```"


def filled(text: str) -> str:
    """A document with its generated parts made anew."""
    text = PLACE.sub(lambda m: f"{m[1]}{table(m[2], m[3], m[4])}\n{m[5]}", text)
    return BOX.sub(lambda m: f"{m[1]}{docstring(m[2])}\n{m[3]}", text)


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if is_check and before != after:
            raise SystemExit(f"{path.name}: not what its sources say: make docs")
        if not is_check:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
