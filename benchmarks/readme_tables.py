"""README's generated tables, from the stored results of `nvc bench`.

    python benchmarks/readme_tables.py            # rewrites README.md; `make readme-tables`
    python benchmarks/readme_tables.py --check    # fails where README and results differ

A table stands between `<!-- table: FOLDER KIND -->` and `<!-- end of table -->`; FOLDER is one in
`benchmarks/results`, KIND one of `bd-rate`, `points`, `speed`.
"""

import argparse
import re
from pathlib import Path

from nvcodec.bench.curves import AVERAGE, choose_anchor, compare, measured_curves
from nvcodec.bench.report import bd_table, markdown_table, point_rows, speed_table
from nvcodec.bench.results import NAME, read_records

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"(<!-- table: (\S+) (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
METRIC = "psnr_rgb_db"


def table(folder: str, kind: str) -> str:
    """One table as Markdown."""
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
        return markdown_table(rows)
    raise SystemExit(f"table {folder} {kind}: allowed kinds are bd-rate, points, speed")


def filled(text: str) -> str:
    """README with its tables made anew."""
    return PLACE.sub(lambda m: f"{m[1]}{table(m[2], m[3])}\n{m[4]}", text)


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    is_check, readme = parser.parse_args().check, ROOT / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = filled(before)
    if is_check and before != after:
        raise SystemExit("README.md: its tables are not those of the results: make readme-tables")
    if not is_check:
        readme.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
