"""The page about one encoding, or one comparison of two videos, in sections that have data.

    facts, warnings | curve over time or steps | metrics by frame | frames, side by side | tables

Takes plain data, so that whoever measured them decides what they are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nvcodec.pages.document import document, picture_address
from nvcodec.png import png

FOLDER = Path(__file__).parent
Row = tuple[str, str]
"""A name and its value, in words."""


@dataclass(frozen=True)
class CurvePoint:
    """One measurement of an encoding at work."""

    segment: int
    stage: str
    step: int
    seconds: float
    psnr_db: float
    size_bytes: int
    rate_bpp: float


@dataclass(frozen=True)
class Pair:
    """One frame of two videos, uint8 (H, W, 3) each."""

    label: str
    """Why it is shown, for a list to choose from."""
    frame: int
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    left_label: str = "source"
    right_label: str = "decoded"


@dataclass(frozen=True)
class Table:
    """Rows of words below a heading; with `shares` a bar each, 0 to 1."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    shares: Sequence[float] | None = None


def report_page(
    title: str,
    *,
    facts: Sequence[Row] = (),
    warnings: Sequence[str] = (),
    curve: Sequence[CurvePoint] = (),
    curve_note: str = "",
    metrics: Mapping[str, Sequence[float | None]] | None = None,
    first_frame: int = 0,
    pairs: Sequence[Pair] = (),
    tables: Sequence[Table] = (),
    settings: Sequence[Row] = (),
    text: str = "",
) -> str:
    """The whole page.

    Args:
        title: heading, and the window's title.
        facts: what is told first.
        warnings: that were met.
        curve: measurements over time.
        curve_note: what is to be known of them.
        metrics: by its name with unit, a metric's value for each frame; None or not finite: none.
        first_frame: number of the first of those frames.
        pairs: frames shown beside each other.
        tables: further ones.
        settings: what it was made with.
        text: shown as it is, folded away: a preset.
    """
    data = {
        "title": title,
        "facts": [list(row) for row in facts],
        "warnings": list(warnings),
        "curve": [asdict(point) for point in curve],
        "curveNote": curve_note,
        "metrics": {name: [_finite(v) for v in values] for name, values in (metrics or {}).items()},
        "firstFrame": first_frame,
        "pairs": [
            {
                "label": pair.label,
                "frame": pair.frame,
                "left": picture_address(png(pair.left, level=9)),
                "right": picture_address(png(pair.right, level=9)),
                "leftLabel": pair.left_label,
                "rightLabel": pair.right_label,
            }
            for pair in pairs
        ],
        "tables": [asdict(table) for table in tables],
        "settings": [list(row) for row in settings],
        "text": text,
    }
    return document(title, FOLDER / "report.html", FOLDER / "report.js", data)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 5)
