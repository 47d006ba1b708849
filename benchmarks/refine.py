"""A file fitted further, against one that was fitted as long at once.

    python benchmarks/refine.py [FOLDER] --out results/refine.jsonl              60, 60, 110 s
    python benchmarks/refine.py [FOLDER] --out results/refine.jsonl --epochs 40  by work instead

FOLDER holds Carphone (`carphone_pristine.mp4`); without it the embedded clip is taken. For every
preset: `first`, encoded for so long; `further`, that file refined for as long again; `once`,
encoded for 11/12 of both together. Of `--half` presets the same from the first file at half of
their lambda: `further half`, `once half`. A difference of bytes is turned into one of PSNR by the
lambda, or where there is none by `SLOPE_DB` for twice the bytes. `--epochs`, of a network: equal
steps, which other work on the machine does not touch; of `latents` they are `--passes`. Resumable,
with `--files`.
"""

import argparse
import math
import resource
import tempfile
from pathlib import Path

from common import Line, measured, nvc, parser_of
from nvcodec.presets import load_preset
from nvcodec.segment_refiner import SLOPE_DB

CARPHONE, EMBEDDED = "carphone_pristine.mp4", "bbb_320x180_48f.mp4"
AT_ONCE = 11 / 12
"""Of the time of both fittings: the second one loads, reads and measures anew."""


class Trial:
    """All files of one preset.

    Args:
        args: of the command line.
        preset: its name.
        folder: where files are kept from one run to the next.
    """

    def __init__(self, args: argparse.Namespace, preset: str, folder: Path) -> None:
        self.args, self.preset, self.folder = args, preset, folder
        here = Path(__file__).parent / "clips" / EMBEDDED
        self.clip = here if args.folder is None else args.folder / CARPHONE
        self.lmbda = load_preset(preset).last_lmbda

    def effort(self, share: float = 1.0) -> list[str]:
        """Options that say how long."""
        if self.args.epochs:
            passes = self.args.passes if self.preset.startswith("latents") else self.args.epochs
            return ["--epochs", str(math.ceil(share * passes))]
        return ["--max-time", f"{share * self.args.seconds:g}s"]

    def run(self, name: str, command: str, source: list[str], words: list[str]) -> Line:
        """One file: made, or known from an earlier run."""
        path = self.folder / f"{self.preset}-{name}.nvc".replace(" ", "-")
        frames = f"0:{self.args.frames}"
        shown = [Path(word).name if "/" in word else word for word in (*source, *words)]
        key = {
            "clip": self.clip.name, "frames": frames, "preset": self.preset, "what": name,
            "command": f"nvc {command} {' '.join(shown)} --frames {frames}",
        }  # fmt: skip

        def measure() -> Line:
            before = _cpu_s()
            done = nvc(command, *source, "-o", str(path), "--frames", frames, "-y", *words)[-1]
            names = ("size_bytes", "psnr_rgb_db", "fit_s")
            return {**{n: done[n] for n in names}, "cpu_s": round(_cpu_s() - before, 1)}

        return measured(self.args.out, key, measure)

    def pair(self, name: str, lmbda: float | None, words: list[str]) -> None:
        """A file refined, and one made at once, at some lambda."""
        first = str(self.folder / f"{self.preset}-first.nvc")
        further = self.run(
            f"further{name}", "refine", [first, str(self.clip)], [*words, *self.effort()]
        )
        share = 2 * AT_ONCE
        own = ["-p", self.preset, *words, *self.effort(share)]
        once = self.run(f"once{name}", "encode", [str(self.clip)], own)
        gain = self.gain_db(further, once, lmbda)
        for line in (further, once):
            size, quality = line["size_bytes"], line["psnr_rgb_db"]
            print(f"{self.preset:12} {line['what']:14} {size:7,} bytes {quality:6.2f} dB")
        print(f"{self.preset:12} further{name} against once{name}, at equal bytes: {gain:+.2f} dB")

    def gain_db(self, one: Line, other: Line, lmbda: float | None) -> float:
        """PSNR that one has more than another, were both as large."""
        if lmbda is None:
            octaves = math.log2(one["size_bytes"] / other["size_bytes"])
            return float(one["psnr_rgb_db"] - other["psnr_rgb_db"] - SLOPE_DB * octaves)
        bits = 8 * (one["size_bytes"] - other["size_bytes"]) / self.args.frames / self.pixels()
        errors = [10 ** (-line["psnr_rgb_db"] / 10) for line in (one, other)]
        return 10 * math.log10(errors[1] / (errors[0] + bits / lmbda))

    def pixels(self) -> int:
        """Of a frame."""
        from nvcodec.video import open_video

        with open_video(self.clip) as video:
            return video.info.width * video.info.height

    def all(self) -> None:
        """Every file of the preset."""
        line = self.run("first", "encode", [str(self.clip)], ["-p", self.preset, *self.effort()])
        print(f"{self.preset:12} first {line['size_bytes']:,} bytes {line['psnr_rgb_db']:.2f} dB")
        self.pair("", self.lmbda, [])
        if self.lmbda is not None and self.preset in self.args.half:
            self.pair(" half", self.lmbda / 2, ["--lmbda", f"{self.lmbda / 2:g}"])


def _cpu_s() -> float:
    """Seconds of a processor that commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure what is missing, and show how the files compare."""
    parser = parser_of(__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--presets", nargs="+", default=["latents", "hinerv-tiny", "nvrc-tiny"])
    parser.add_argument("--half", nargs="*", default=["latents"], help="also at half their lambda")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--epochs", type=int, help="of networks, instead of seconds")
    parser.add_argument("--passes", type=int, default=2, help="of latents, with --epochs")
    parser.add_argument("--files", type=Path, help="folder that keeps the files")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for preset in args.presets:
            Trial(args, preset, folder).all()


if __name__ == "__main__":
    main()
