"""What coding a deep clip at its own depth is worth, against rounding it to 8 bits first.

    python benchmarks/depth.py sparks_480x270_420p10le.yuv --out benchmarks/results/depth.jsonl

Encodes the clip twice at every lambda, with the same settings: as it is, and with `--depth 8`. Both
files are decoded and compared with the source in its own samples, peak 2^d - 1. What comes back as
8 bits is raised to the source's depth in both ways in use: times 2^(d - 8), as video of limited
range relates its depths, and times (2^d - 1) / 255. Printed at the end is the gain at equal bytes:
quality over the logarithm of the bytes, the rounded clip's line at the bytes of the deep one.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

from common import Line, measured, nvc, parser_of, stored
from nvcodec.decoder import Decoder
from nvcodec.metrics.quality import psnr_db
from nvcodec.processes import described_ffmpeg
from nvcodec.samples import max_sample
from nvcodec.video import VideoWarning, open_video

WEIGHTS = (6, 1, 1)


def psnr_yuv_db(clip: str, coded: Path, stop: int | None) -> Line:
    """PSNR-YUV (6:1:1) of a decoded file at the depth of the clip, by way of raising 8 bits."""
    errors: dict[str, list[list[float]]] = {}
    with open_video(clip, frames=slice(0, stop)) as video, Decoder(coded, device="cpu") as decoder:
        depth, top = video.info.depth, max_sample(video.info.depth)
        ways = {"as_coded": 1.0}
        if decoder.info.depth != depth:
            ways = {"times_power_of_two": 2.0 ** (depth - 8), "times_largest": top / 255}
        for planes, decoded in zip(video, decoder.planes(), strict=True):
            for way, factor in ways.items():
                raised = [np.rint(plane * factor) for plane in decoded]
                errors.setdefault(way, []).append(
                    [float(np.mean((a - b) ** 2)) for a, b in zip(planes, raised, strict=True)]
                )
    found = {}
    for way, frames in errors.items():
        quality = [psnr_db(error, depth) for error in np.mean(frames, axis=0)]
        found[way] = float(np.average(quality, weights=WEIGHTS))
    return found


def encode(args: argparse.Namespace, lmbda: float, depth: int | None) -> Line:
    """One file: its bytes and its quality."""
    settings = ["-p", args.preset, "--lmbda", f"{lmbda:g}", "--device", "cpu", "--no-verify"]
    settings += [] if args.frames is None else ["--frames", f"0:{args.frames}"]
    settings += [] if depth is None else ["--depth", str(depth)]
    with tempfile.TemporaryDirectory() as folder:
        coded = Path(folder) / "a.nvc"
        done = nvc("encode", args.clip, "-o", str(coded), *settings)[-1]
        quality = psnr_yuv_db(args.clip, coded, args.frames)
    command = f"nvc encode {Path(args.clip).name} {' '.join(settings)}"
    names = {"command": command, "size_bytes": done["size_bytes"], "psnr_yuv_db": quality}
    return {**names, "ffmpeg": described_ffmpeg().partition(",")[0]}


def gains(out: Path, key: Line) -> list[Line]:
    """Quality of the deep files over that of the rounded ones at the same bytes, in dB."""
    lines = [line for line in stored(out) if key.items() <= line.items() and "depth" in line]
    deep = [line for line in lines if line["depth"] is None]
    shallow = sorted((x for x in lines if x["depth"] == 8), key=lambda line: line["size_bytes"])
    found = []
    for line in deep:
        # The two lines nearest in bytes; those of equal lambda differ by few bytes.
        at = np.log([x["size_bytes"] for x in shallow])
        gain = {}
        for way in shallow[0]["psnr_yuv_db"]:
            slope, level = np.polyfit(at, [x["psnr_yuv_db"][way] for x in shallow], 1)
            if len(shallow) > 2:
                near = np.argsort(np.abs(at - np.log(line["size_bytes"])))[:2]
                slope, level = np.polyfit(
                    at[near], [shallow[i]["psnr_yuv_db"][way] for i in near], 1
                )
            expected = slope * np.log(line["size_bytes"]) + level
            gain[way] = round(float(line["psnr_yuv_db"]["as_coded"] - expected), 3)
        found.append({**key, "gain_at_equal_bytes_db": gain, "lmbda": line["lmbda"]})
    return found


def main() -> None:
    """Measure what is not in the file yet, then say what it comes to."""
    parser = parser_of(__doc__)
    parser.add_argument("clip", help="more than 8 bits a sample, not RGB")
    parser.add_argument("--preset", default="latents")
    parser.add_argument("--lmbdas", default="500,4000", help="one file of each depth for each")
    parser.add_argument("--frames", type=int, help="only the first so many")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/depth.jsonl"))
    args = parser.parse_args()
    warnings.simplefilter("ignore", VideoWarning)
    key = {"clip": Path(args.clip).name, "preset": args.preset, "frames": args.frames}
    for lmbda in map(float, args.lmbdas.split(",")):
        for depth in (None, 8):
            point = {**key, "lmbda": lmbda, "depth": depth}
            measured(args.out, point, lambda lmbda=lmbda, depth=depth: encode(args, lmbda, depth))
    for line in gains(args.out, key):
        print({name: line[name] for name in ("lmbda", "gain_at_equal_bytes_db")})


if __name__ == "__main__":
    main()
