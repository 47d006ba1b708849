"""Many seeds on several clips: whether any fitting diverges, and how far apart they end.

    python benchmarks/stability.py CLIP... --preset hinerv-mini --out results/stability.jsonl

Every seed is a whole short fitting at the preset's own rates. A line tells the quality of all seeds
and every time that a fitting was set back. Resumable: the same command continues.
"""

import argparse
import statistics
import warnings
from pathlib import Path
from typing import Any

from common import circumstances, frames_of, store, stored
from nvcodec.errors import DivergedError
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.step import FittingWarning
from nvcodec.presets import load_preset
from nvcodec.segment_encoder import encode_segment


def fit(path: str, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Quality and size of one seed's fitting, and what went astray."""
    preset = load_preset(args.preset, epochs=args.epochs)
    pixels = frames_of(path, preset.samples, args.frames).numpy()
    records: list[FitRecord] = []
    troubles = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FittingWarning)
        try:
            encode_segment(pixels, preset, seed, samples=preset.samples, on_record=records.append)
        except DivergedError as error:
            troubles.append(str(error))
    troubles += [str(w.message) for w in caught if issubclass(w.category, FittingWarning)]
    return {"psnr_db": records[-1].psnr_db, "troubles": troubles}


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    lines = stored(args.out)
    for path in args.clips:
        setting = {
            "clip": Path(path).name,
            "preset": args.preset,
            "epochs": args.epochs,
            "frames": args.frames,
        }
        for seed in range(args.seeds):
            key = {**setting, "seed": seed}
            if any(key.items() <= line.items() for line in lines):
                continue
            line = {**key, **fit(path, args, seed), **circumstances()}
            lines.append(line)
            store(line, args.out)
        found = [line for line in lines if setting.items() <= line.items()]
        ends = sorted(line["psnr_db"] for line in found if line["psnr_db"] is not None)
        print(
            f"{setting['clip']:<28} {args.preset:<12} {len(found)} seeds, "
            f"{ends[0]:.2f} to {ends[-1]:.2f} dB, median {statistics.median(ends):.2f}; "
            f"{sum(bool(line['troubles']) for line in found)} set back or diverged"
        )


if __name__ == "__main__":
    main()
