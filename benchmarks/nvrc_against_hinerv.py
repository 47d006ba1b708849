"""NVRC against the HiNeRV pipeline at equal epochs and parameters: BD-rate and curves.

    python benchmarks/nvrc_against_hinerv.py CLIP --out results/nvrc_against_hinerv.jsonl

Four widths of each preset; HiNeRV's are pruned, fitted under 6-bit Quant-Noise and coded
arithmetically, NVRC's are fitted for rate and distortion, each at its lambda (`--lmbdas`: an error
that one clip hardly has is large for another). Both see the same samples. Resumable: the same
command continues. Draws the curves beside OUT.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from bd_rate import bd_rate, curves
from encode_points import measure_all
from result_lines import stored

WIDTHS = (32, 48, 64, 88)


def points(epochs: int, lmbdas: list[float]) -> list[tuple[str, str]]:
    """Names and words of all points."""
    found = []
    for width, lmbda in zip(WIDTHS, lmbdas, strict=True):
        words = f"--set representation.channels={width} --epochs {epochs}"
        found.append((f"hinerv/{width}", f"-p hinerv-mini {words}"))
        found.append((f"nvrc/{width}", f"-p nvrc-mini {words} --lmbda {lmbda:g}"))
    return found


def draw(lines: list[dict], path: Path) -> None:
    """Curves of all clips, one picture each."""
    found = curves(lines)
    clips = sorted({clip for clip, _ in found})
    figure, axes = plt.subplots(1, len(clips), figsize=(5 * len(clips), 4), squeeze=False)
    for axis, clip in zip(axes[0], clips, strict=True):
        for (of, group), curve in sorted(found.items()):
            if of == clip:
                axis.plot(*zip(*curve, strict=True), marker="o", label=group)
        saved = bd_rate(found[clip, "hinerv"], found[clip, "nvrc"])
        axis.set_title(f"{clip}: BD-rate " + ("-" if saved is None else f"{saved:+.1f} %"))
        axis.set(xlabel="bits a pixel, whole file", ylabel="PSNR-RGB of the decoded file, dB")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    """Measure what is missing, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--lmbdas", type=float, nargs=4, default=[60, 130, 250, 450])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for clip in args.clips:
        measure_all(clip, points(args.epochs, args.lmbdas), args.out)
    lines = stored(args.out)
    for line in lines:
        quality = line["quality"]["psnr_rgb_db"]
        print(
            f"{line['clip']:<24} {line['name']:<10} {line['parameters']:>8,} parameters "
            f"{line['size_bytes']:>8,} bytes {line['rate_bpp']:.4f} bpp {quality:.2f} dB "
            f"{line['encode_s']:.0f} s"
        )
    found = curves(lines)
    for clip in sorted({clip for clip, _ in found}):
        saved = bd_rate(found[clip, "hinerv"], found[clip, "nvrc"])
        print(f"{clip}: BD-rate {'no overlap' if saved is None else f'{saved:+.1f} %'}")
    draw(lines, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
