"""BD-rate between groups of stored points (`encode_points.py`); negative saves bits.

    python benchmarks/bd_rate.py results/points.jsonl --anchor hinerv

A group is what stands before the slash in a point's name, such as `hinerv` in `hinerv/mini`.
On PSNR-RGB, see `nvcodec.metrics.bdrate`.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from nvcodec.metrics.bdrate import delta


def curves(lines: list[dict]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(rate in bpp, PSNR-RGB in dB), by clip and group, by rising rate."""
    result = defaultdict(list)
    for line in lines:
        group = line["name"].partition("/")[0]
        result[line["clip"], group].append((line["rate_bpp"], line["quality"]["psnr_rgb_db"]))
    return {key: sorted(points) for key, points in result.items()}


def bd_rate(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> float | None:
    """Percent of rate at equal PSNR; None when the curves do not overlap."""
    found = delta(anchor, test)
    return None if isinstance(found, str) else found.rate_percent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--anchor", default="hinerv")
    args = parser.parse_args()
    lines = [json.loads(line) for path in args.results for line in path.read_text().splitlines()]
    found = curves(lines)
    for (clip, group), points in sorted(found.items()):
        shown = "  ".join(f"{rate:.4f}/{psnr:.2f}" for rate, psnr in points)
        anchor = found.get((clip, args.anchor))
        saved = bd_rate(anchor, points) if anchor and group != args.anchor else None
        text = "" if saved is None else f"  BD-rate {saved:+.1f} %"
        print(f"{clip}  {group:<12} {shown}{text}")


if __name__ == "__main__":
    main()
