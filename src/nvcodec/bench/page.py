"""The report as one page for a browser.

`page.html` and `page.js` are the page without data; here are its data: curves, BD-rates, the table
of points, and the middle frame of every point as a lossless picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nvcodec.bench import rd_plot
from nvcodec.bench.curves import METRICS, RATE, Axis, Comparison, Curve, Point
from nvcodec.bench.results import Record
from nvcodec.metrics.bdrate import Delta
from nvcodec.pages.document import document, picture_address

FOLDER = Path(__file__).parent
FACTS = (
    ("size_bytes", "bytes", "{:,}"),
    ("bitrate_kbps", "kbit/s", "{:,.1f}"),
    ("encode_s", "encoded in s", "{:,.1f}"),
    ("decode_frames_per_s", "decoded frames/s", "{:,.1f}"),
    ("parameters", "parameters", "{:,}"),
    ("gmac_per_frame", "GMAC/frame", "{:.3g}"),
    ("commit", "commit", "{:.12}"),
    ("date", "date", "{}"),
    ("command", "command", "{}"),
    ("source", "source", "{}"),
)

SPEEDS = {
    "decode_frames_per_s": "decoded frames/s",
    "encode_s": "seconds of encoding",
}
"""What is drawn besides qualities."""


def html(
    records: Sequence[Record],
    curves: Sequence[Curve],
    comparisons: Sequence[Comparison],
    anchor: str,
    frames: Path,
    axis: Axis = RATE,
) -> str:
    """The whole page."""
    colors = rd_plot.colors(curves)
    paths = {path.stem: path for path in sorted(frames.glob("*.png"))}
    data = {
        "anchor": anchor,
        "axis": {"label": axis.label, "unit": axis.unit, "delta": axis.delta},
        "metrics": METRICS,
        "speeds": SPEEDS,
        "curves": [
            {
                "sequence": curve.sequence,
                "codec": curve.codec,
                "kind": curve.kind,
                "color": colors[curve.codec],
                "points": [_point(point) for point in curve.points],
            }
            for curve in curves
        ],
        "comparisons": [
            {
                "sequence": c.sequence,
                "codec": c.codec,
                "metric": c.metric,
                "percent": c.delta.rate_percent if isinstance(c.delta, Delta) else None,
                "text": c.delta if isinstance(c.delta, str) else _overlap(c.delta),
            }
            for c in comparisons
        ],
        "sources": {r["sequence"]: r["input_digest"] for r in records},
        "pictures": {
            key: picture_address(path.read_bytes())
            for key, path in paths.items()
            if key in {name for r in records for name in (r["key"], r["input_digest"])}
        },
    }
    return document("nvc bench", FOLDER / "page.html", FOLDER / "page.js", data)


def _point(point: Point) -> dict[str, Any]:
    record = point.record
    facts = [
        (label, form.format(record[name]))
        for name, label, form in FACTS
        if record.get(name) is not None
    ]
    return {
        "name": point.name,
        "cost": point.cost,
        "quality": point.quality,
        "speed": {name: record[name] for name in SPEEDS if record.get(name)},
        "facts": facts,
        "key": record.get("key"),
    }


def _overlap(difference: Delta) -> str:
    low, high = difference.overlap
    return f"overlap {low:.2f} to {high:.2f}, {difference.overlap_share:.0%}"
