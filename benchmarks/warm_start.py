"""A segment that begins with the weights of the one before, against one that begins anew.

    python benchmarks/warm_start.py CLIP --preset hinerv-mini --out results/warm_start.jsonl

The first frames of a clip are fitted, then the next ones from random values and from the first's.
With `--flip` the next ones are turned upside down, as if after a cut.
"""

import argparse
import json
from pathlib import Path

from common import circumstances, frames_of, store
from nvcodec.fitting.record import FitRecord
from nvcodec.presets import load_preset
from nvcodec.segment_encoder import EncodedSegment, encode_segment


def main() -> None:
    """Fit, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--frames", type=int, default=24, help="of each segment")
    parser.add_argument("--first-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    samples = load_preset(args.preset).samples
    pixels = frames_of(args.clip, samples, 2 * args.frames).numpy()
    before, after = pixels[: args.frames], pixels[args.frames :]
    if args.flip:
        after = after[:, ::-1, ::-1].copy()

    def fit(of, epochs: int, values=None) -> tuple[EncodedSegment, FitRecord]:
        preset, records = load_preset(args.preset, epochs=epochs), []
        encoded = encode_segment(
            of, preset, 0, samples=samples, initial_values=values, on_record=records.append
        )
        return encoded, records[-1]

    first, _ = fit(before, args.first_epochs)
    for epochs in args.epochs:
        for name, values in (("cold", None), ("warm", first.values)):
            encoded, record = fit(after, epochs, values)
            line = {
                "name": name,
                "clip": Path(args.clip).name,
                "preset": args.preset,
                "frames": args.frames,
                "flipped": args.flip,
                "first_epochs": args.first_epochs,
                "epochs": epochs,
                "psnr_db": record.psnr_db,
                "size_bytes": sum(map(len, encoded.sections.values())),
                "fit_s": record.elapsed_s,
                **circumstances(),
            }
            print(json.dumps(line), flush=True)
            store(line, args.out)


if __name__ == "__main__":
    main()
