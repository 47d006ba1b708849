"""Bjontegaard deltas between two rate-distortion curves, by the `bjontegaard` package.

BD-rate is the mean difference of rate at equal quality, in percent; negative saves bits. BD-quality
is the mean difference of quality at equal rate, in units of that quality. Both hold over the range
that the two curves share; where they share none there is no number.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nvcodec.errors import ToolMissingError

Method = Literal["akima", "pchip", "cubic"]
Curve = Sequence[tuple[float, float]]
"""(rate, quality) of every point."""


@dataclass(frozen=True)
class Delta:
    """How a curve differs from its anchor."""

    rate_percent: float
    quality: float | None
    """None where the curves share no range of rates."""
    overlap: tuple[float, float]
    """Lowest and highest quality that both have."""
    overlap_share: float
    """Of the range of quality that either has, 0 to 1."""


def front(points: Curve) -> list[tuple[float, float]]:
    """The points that no other beats in rate and quality at once, by rising rate."""
    best: list[tuple[float, float]] = []
    for rate, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or quality > best[-1][1]:
            best.append((rate, quality))
    return best


def delta(anchor: Curve, test: Curve, method: Method = "akima") -> Delta | str:
    """The difference of two curves, or in words why there is none.

    Points that another of their curve beats are left out.

    Raises:
        ToolMissingError: the package is not installed.
    """
    curves = [front(anchor), front(test)]
    if min(len(curve) for curve in curves) < 2:
        return "fewer than two points"
    lows, highs = ([curve[end][1] for curve in curves] for end in (0, -1))
    low, high = max(lows), min(highs)
    if high <= low:
        return "no overlap"
    (rate_a, quality_a), (rate_t, quality_t) = (zip(*curve, strict=True) for curve in curves)
    arguments = rate_a, quality_a, rate_t, quality_t
    options = {"method": method, "require_matching_points": False, "min_overlap": 0}
    share_rates = min(max(rate_a), max(rate_t)) > max(min(rate_a), min(rate_t))
    package = load_package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        percent = float(package.bd_rate(*arguments, **options))
        quality = float(package.bd_psnr(*arguments, **options)) if share_rates else None
    return Delta(percent, quality, (low, high), (high - low) / (max(highs) - min(lows)))


def load_package() -> Any:
    """The package, which is not needed before.

    Raises:
        ToolMissingError: it is not installed.
    """
    try:
        import bjontegaard
    except ImportError as error:
        raise ToolMissingError(
            "bjontegaard: not installed, and BD-rates need it; pip install bjontegaard"
        ) from error
    return bjontegaard
