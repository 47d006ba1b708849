"""The report as one page for a browser: no network, no other file, nothing but this project's code.

`page.html` is the page without data; here its data are put in: curves, BD-rates, the table of
points, and the middle frame of every point as a lossless picture.
"""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nvcodec.bench import rd_plot
from nvcodec.bench.curves import METRICS, RATE, Axis, Comparison, Curve, Point
from nvcodec.bench.results import Record
from nvcodec.metrics.bdrate import Delta

TEMPLATE = Path(__file__).with_name("page.html")
PLACE = "{}/*DATA*/"
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
    pictures = {path.stem: _picture(path) for path in sorted(frames.glob("*.png"))}
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
            key: picture
            for key, picture in pictures.items()
            if key in {name for r in records for name in (r["key"], r["input_digest"])}
        },
    }
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    template = TEMPLATE.read_text(encoding="utf-8")
    assert template.count(PLACE) == 1
    return template.replace(PLACE, text.replace("</", "<\\/").replace("<!--", "<\\!--"))


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


def _picture(path: Path) -> str:
    """A picture as a data address, repacked where Pillow is there."""
    content, kind = path.read_bytes(), "png"
    try:
        from PIL import Image
    except ImportError:
        pass
    else:
        packed = io.BytesIO()
        with Image.open(path) as image:
            image.save(packed, "WEBP", lossless=True, method=4)
        if packed.tell() < len(content):
            content, kind = packed.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
