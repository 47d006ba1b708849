"""Rate-distortion curves as PNG and SVG, by matplotlib."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nvcodec.bench.curves import METRICS, RATE, Axis, Curve
from nvcodec.errors import ToolMissingError

COLORS = (
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf",
    "#bcbd22", "#7f7f7f", "#393b79", "#637939", "#8c6d31", "#843c39", "#7b4173", "#3182bd",
    "#e6550d", "#31a354", "#756bb1", "#636363",
)  # fmt: skip
LINES = {"nvc": "-", "baseline": "--", "published": ":"}
MARKERS = {"nvc": "o", "baseline": "s", "published": "x"}


def colors(curves: Sequence[Curve]) -> dict[str, str]:
    """One colour for each codec, in all plots alike."""
    codecs = dict.fromkeys(curve.codec for curve in curves)
    return {codec: COLORS[n % len(COLORS)] for n, codec in enumerate(codecs)}


def draw_all(
    curves: Sequence[Curve], measured: Sequence[Curve], folder: Path, axis: Axis = RATE
) -> list[Path]:
    """Draw every sequence in every metric that it was measured in.

    Raises:
        ToolMissingError: matplotlib is not installed.
    """
    pyplot, ticker = load_matplotlib()
    written: list[Path] = []
    names = colors(curves)
    for sequence in dict.fromkeys(curve.sequence for curve in measured):
        own = [curve for curve in curves if curve.sequence == sequence]
        for metric, title in METRICS.items():
            drawn = [curve for curve in own if curve.values(metric)]
            if not drawn:
                continue
            figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
            for curve in drawn:
                _draw(axes, curve, metric, names[curve.codec])
            axes.set(title=sequence, xlabel=axis.label, ylabel=title, xscale="log")
            axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
            axes.xaxis.set_minor_formatter(ticker.NullFormatter())
            axes.grid(visible=True, which="both", alpha=0.25)
            axes.legend(fontsize="small")
            for suffix in ("png", "svg"):
                name = re.sub(r"[^\w.-]+", "_", sequence)
                path = folder / f"rd_{name}_{metric}.{suffix}"
                figure.savefig(path, dpi=120)
                written.append(path)
            pyplot.close(figure)
    return written


def _draw(axes: Any, curve: Curve, metric: str, color: str) -> None:
    best, all_points = curve.front(metric), curve.values(metric)
    rest = [point for point in all_points if point not in best]
    line, marker = LINES[curve.kind], MARKERS[curve.kind]
    axes.plot(*zip(*best, strict=True), line, marker=marker, color=color, label=curve.codec)
    if rest:  # points that another of the curve beats
        style = {"marker": marker, "facecolors": "none", "edgecolors": color}
        axes.scatter(*zip(*rest, strict=True), **style)


def load_matplotlib() -> tuple[Any, Any]:
    """Its modules `pyplot` and `ticker`, which are not needed before.

    Raises:
        ToolMissingError: it is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ToolMissingError(
            "matplotlib: not installed, and reports need it; pip install matplotlib"
        ) from error
    mpl.use("Agg")
    from matplotlib import pyplot, ticker

    return pyplot, ticker
