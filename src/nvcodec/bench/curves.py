"""Stored points as rate-distortion curves, per sequence and averaged, with published ones beside.

The average is that of the papers: mean rate and mean quality over the sequences, point by point,
for codecs that have a point of that name on every sequence.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from nvcodec.bench.results import Record
from nvcodec.config import Config
from nvcodec.errors import PresetError
from nvcodec.metrics.bdrate import Delta, delta, front

AVERAGE = "average"
Kind = Literal["nvc", "baseline", "published"]

METRICS = {
    "psnr_rgb_db": "PSNR-RGB (dB)",
    "psnr_rgb_ffmpeg_db": "PSNR-RGB by ffmpeg (dB)",
    "psnr_yuv_db": "PSNR-YUV 6:1:1 (dB)",
    "psnr_y_db": "PSNR-Y (dB)",
    "ms_ssim_rgb": "MS-SSIM RGB (dB)",
    "ms_ssim_y": "MS-SSIM Y (dB)",
    "vmaf": "VMAF",
    "vmaf_neg": "VMAF NEG",
}
"""MS-SSIM is drawn and compared as -10 log10(1 - MS-SSIM)."""


@dataclass(frozen=True)
class Axis:
    """What quality is drawn and compared over."""

    label: str
    unit: str
    delta: str
    """Name of the Bjontegaard delta along it, in percent; negative is less."""
    cost: Callable[[Record], float]
    """Of a stored point."""


AXES = {
    "rate": Axis("bits per pixel", "bpp", "BD-rate", lambda r: float(r["rate_bpp"])),
    "seconds": Axis(
        "seconds of fitting, or of a conventional encoder", "s", "BD-time",
        lambda r: float(r["fit_s"] if "fit_s" in r else r["encode_s"]),
    ),
}  # fmt: skip
RATE = AXES["rate"]


@dataclass(frozen=True)
class Point:
    """One dot: its cost along the axis, its qualities, and how it came about."""

    name: str
    cost: float
    quality: Mapping[str, float]
    record: Record


@dataclass(frozen=True)
class Curve:
    """A codec's points on a sequence, by rising cost."""

    sequence: str
    codec: str
    kind: Kind
    points: tuple[Point, ...]

    def values(self, metric: str) -> list[tuple[float, float]]:
        """(cost, quality) of the points that have this metric."""
        return [(p.cost, p.quality[metric]) for p in self.points if metric in p.quality]

    def front(self, metric: str) -> list[tuple[float, float]]:
        """The same without points that another beats in cost and quality."""
        return front(self.values(metric))


class PublishedPoint(Config):
    """A printed point."""

    name: str = ""
    rate_bpp: float = Field(gt=0)
    psnr_rgb_db: float | None = None
    psnr_yuv_db: float | None = None
    ms_ssim_rgb: float | None = Field(None, ge=0, lt=1)


class PublishedCurve(Config):
    """A printed curve and where it is printed."""

    codec: str
    sequence: str = AVERAGE
    source: str
    points: tuple[PublishedPoint, ...] = Field(min_length=1)


class PrintedBdRate(Config):
    """A BD-rate that a paper prints."""

    anchor: str
    test: str
    metric: str
    percent: float
    source: str
    note: str = Field("", description="why our number differs, where it does")


class Published(Config):
    """A file of published curves."""

    title: str
    curves: tuple[PublishedCurve, ...] = Field(min_length=1)
    bd_rates: tuple[PrintedBdRate, ...] = ()


def read_published(path: Path) -> Published:
    """Published curves of a JSON file.

    Raises:
        PresetError: it is not such a file.
    """
    try:
        return Published.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PresetError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PresetError(f"{path}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise PresetError(f"{path}: not JSON: {error}") from error


def published_curves(published: Published) -> Iterator[Curve]:
    """The curves of a file, as the measured ones look."""
    for curve in published.curves:
        points = [
            Point(p.name, p.rate_bpp, _qualities(p.model_dump()), {"source": curve.source})
            for p in curve.points
        ]
        ordered = tuple(sorted(points, key=lambda point: point.cost))
        yield Curve(curve.sequence, curve.codec, "published", ordered)


def measured_curves(records: Iterable[Record], axis: Axis = RATE) -> list[Curve]:
    """Curves of the finished points, then the averages where there is more than one sequence.

    Of several points of one name, such as before and after a change of a preset, the last counts,
    and of several clips of one name the one measured last.
    """
    records = [record for record in records if record["status"] == "done"]
    inputs = {record["sequence"]: record["input_digest"] for record in records}
    found: dict[tuple[str, str], dict[str, Point]] = {}
    kinds: dict[str, Kind] = {}
    for record in records:
        if record["input_digest"] != inputs[record["sequence"]]:
            continue
        kinds[record["codec"]] = record["kind"]
        point = Point(record["point"], axis.cost(record), _qualities(record["quality"]), record)
        found.setdefault((record["sequence"], record["codec"]), {})[point.name] = point
    curves = [
        Curve(*names, kinds[names[1]], tuple(sorted(points.values(), key=lambda p: p.cost)))
        for names, points in found.items()
    ]
    return curves + list(_averages(curves))


def _averages(curves: Sequence[Curve]) -> Iterator[Curve]:
    sequences = {curve.sequence for curve in curves}
    if len(sequences) < 2:
        return
    for codec in dict.fromkeys(curve.codec for curve in curves):
        own = [curve for curve in curves if curve.codec == codec]
        by_name = [{point.name: point for point in curve.points} for curve in own]
        names = [n for n in by_name[0] if all(n in points for points in by_name)]
        if len(own) == len(sequences) and names:
            points = [_mean(name, [points[name] for points in by_name]) for name in names]
            ordered = tuple(sorted(points, key=lambda point: point.cost))
            yield Curve(AVERAGE, codec, own[0].kind, ordered)


def _mean(name: str, points: Sequence[Point]) -> Point:
    metrics = [m for m in points[0].quality if all(m in point.quality for point in points)]
    count = len(points)
    quality = {}
    for metric in metrics:
        values = [point.quality[metric] for point in points]
        if metric.startswith("ms_ssim"):  # papers average before they take the logarithm
            quality[metric] = _to_db(sum(1 - 10 ** (-value / 10) for value in values) / count)
        else:
            quality[metric] = sum(values) / count
    return Point(name, sum(point.cost for point in points) / count, quality, {})


def _qualities(measured: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are there, MS-SSIM in dB."""
    values = {name: measured.get(name) for name in METRICS}
    planes = measured.get("psnr_planes_db")
    if planes and measured.get("psnr_yuv_db") is not None:
        values["psnr_y_db"] = planes[0]
    return {
        name: _to_db(value) if name.startswith("ms_ssim") else value
        for name, value in values.items()
        if value is not None
    }


def _to_db(ms_ssim: float) -> float:
    return -10 * math.log10(max(1 - ms_ssim, 1e-10))


@dataclass(frozen=True)
class Comparison:
    """How a codec does against the anchor on a sequence; words where there is no number."""

    sequence: str
    codec: str
    metric: str
    delta: Delta | str


def compare(curves: Sequence[Curve], anchor: str) -> list[Comparison]:
    """Every curve against the anchor's on the same sequence, in every metric that both have."""
    result = []
    anchors = {curve.sequence: curve for curve in curves if curve.codec == anchor}
    for curve in curves:
        base = anchors.get(curve.sequence)
        if base is None or curve.codec == anchor:
            continue
        for metric in METRICS:
            pair = base.values(metric), curve.values(metric)
            if all(pair):
                difference = delta(*pair)
                result.append(Comparison(curve.sequence, curve.codec, metric, difference))
    return result


def choose_anchor(curves: Sequence[Curve], wanted: str | None) -> str:
    """The codec that the others are compared with: the wanted one, x265, or any.

    Raises:
        PresetError: the wanted one is not there, or nothing is.
    """
    codecs = list(dict.fromkeys(curve.codec for curve in curves))
    if not codecs:
        raise PresetError("no finished point to report")
    if wanted is not None and wanted not in codecs:
        raise PresetError(f"anchor {wanted!r} has no points; allowed are {', '.join(codecs)}")
    baselines = [curve.codec for curve in curves if curve.kind == "baseline"]
    return wanted or ("x265" if "x265" in codecs else (baselines or codecs)[0])


def cost_at(curve: Sequence[tuple[float, float]], quality: float) -> float | None:
    """Cost of a front at a quality, log-linear between its points; None outside them."""
    for (low_cost, low), (high_cost, high) in itertools.pairwise(curve):
        if low <= quality <= high:
            share = (quality - low) / (high - low)
            return low_cost * math.exp(share * math.log(high_cost / low_cost))
    return None


def quality_at(curve: Sequence[tuple[float, float]], cost: float) -> float | None:
    """Quality of a front at a cost, linear in the cost's logarithm; None outside its points."""
    for (low_cost, low), (high_cost, high) in itertools.pairwise(curve):
        if low_cost <= cost <= high_cost:
            return low + (high - low) * math.log(cost / low_cost) / math.log(high_cost / low_cost)
    return None


@dataclass(frozen=True)
class Beside:
    """A point beside the anchor's curve: what the anchor costs there, and what it reaches."""

    curve: Curve
    point: Point
    anchor_cost: float | None
    """At the point's quality."""
    anchor_quality: float | None
    """At the point's cost."""


def beside(curves: Sequence[Curve], anchor: str, metric: str) -> Iterator[Beside]:
    """Every point that the anchor's curve on its sequence can be compared with."""
    fronts = {curve.sequence: curve.front(metric) for curve in curves if curve.codec == anchor}
    for curve in curves:
        front = fronts.get(curve.sequence, [])
        for point in curve.points if curve.codec != anchor else ():
            if metric in point.quality:
                found = Beside(
                    curve,
                    point,
                    cost_at(front, point.quality[metric]),
                    quality_at(front, point.cost),
                )
                if found.anchor_cost is not None or found.anchor_quality is not None:
                    yield found
