"""README's pictures, from stored results: one frame at equal bytes, and rate against quality.

    nvc bench CLIP -e benchmarks/experiments/picture.toml --rates x265=18,19,20,21,22,23 --out OUT
    python benchmarks/pictures.py --collect OUT      # keeps what the picture needs
    python benchmarks/pictures.py                    # draws docs/images/*.png

The frame is the middle one; beside ours stands x265's point that is nearest in bytes.
"""

import json
import shutil
from pathlib import Path

import matplotlib.pyplot as plt

from common import Line, parser_of, stored
from nvcodec.bench.curves import measured_curves
from nvcodec.bench.results import NAME, read_records

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "benchmarks" / "results" / "picture"
IMAGES = ROOT / "docs" / "images"
ENLARGED = (90, 60, 120, 68)
"""Left, top, width and height of the part that is shown enlarged."""
CODECS = {"x264": "s--", "x265": "s--", "svt-av1": "s--", "vvenc": "s--"}
CODECS |= {"hinerv": "o-", "nvrc": "o-"}
RATES = (0.02, 0.05, 0.1, 0.2, 0.3)


def collect(out: Path) -> None:
    """Keep three frames and two lines of a bench's folder."""
    lines = [line for line in stored(out / NAME) if line["status"] == "done"]
    ours = next(line for line in lines if line["codec"] == "nvrc")
    others = [line for line in lines if line["codec"] == "x265"]
    rival = min(others, key=lambda line: abs(line["size_bytes"] - ours["size_bytes"]))
    STORE.mkdir(parents=True, exist_ok=True)
    (STORE / NAME).write_text("".join(json.dumps(line) + "\n" for line in (ours, rival)))
    frames = {path.stem: path for path in (out / "frames").glob("*.png")}
    source = next(path for name, path in frames.items() if name not in {ln["key"] for ln in lines})
    for name, path in (
        ("source", source), ("nvrc", frames[ours["key"]]), ("x265", frames[rival["key"]]),
    ):  # fmt: skip
        shutil.copy(path, STORE / f"{name}.png")


def draw_frames() -> None:
    """Original, ours, x265: whole, and a part enlarged below."""
    lines = {line["codec"]: line for line in stored(STORE / NAME)}
    figure, axes = plt.subplots(2, 3, figsize=(11, 4.4), layout="constrained")
    x, y, width, height = ENLARGED
    for column, name in enumerate(("source", "nvrc", "x265")):
        picture = plt.imread(STORE / f"{name}.png")
        part = picture[y : y + height, x : x + width]
        axes[0, column].imshow(picture, interpolation="nearest")
        axes[1, column].imshow(part, interpolation="nearest")
        axes[0, column].set_title(_title(name, lines.get(name)))
        for row in (0, 1):
            axes[row, column].axis("off")
    figure.savefig(IMAGES / "compare.png", dpi=80)


def _title(name: str, line: Line | None) -> str:
    if line is None:
        return "original, Big Buck Bunny 320x180"
    label = "nvc, NVRC" if name == "nvrc" else "x265 veryslow"
    return f"{label}: {line['size_bytes']:,} bytes, {line['quality']['psnr_rgb_db']:.2f} dB"


def draw_curves() -> None:
    """PSNR-RGB over bits a pixel on the embedded clip, of the stored small runs."""
    records = read_records([ROOT / "benchmarks" / "results" / "small" / NAME])
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for curve in measured_curves(records):
        if curve.sequence.startswith("bbb") and curve.codec in CODECS:
            points = curve.front("psnr_rgb_db")
            axes.plot(*zip(*points, strict=True), CODECS[curve.codec], label=curve.codec)
    axes.set(xscale="log", xlabel="bits per pixel", ylabel="PSNR-RGB, dB")
    axes.set_xticks(RATES, map(str, RATES))
    axes.set_xticks([], minor=True)
    axes.set_title("Big Buck Bunny, 320x180, 48 frames")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    figure.savefig(IMAGES / "rd.png", dpi=90)


def main() -> None:
    """Collect, or draw."""
    parser = parser_of(__doc__)
    parser.add_argument("--collect", type=Path, metavar="OUT")
    args = parser.parse_args()
    if args.collect:
        collect(args.collect)
        return
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_curves()
    draw_frames()


if __name__ == "__main__":
    main()
