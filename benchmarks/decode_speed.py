"""How fast files are decoded, as a command: first frame, frames a second, also on a busy machine.

    python benchmarks/decode_speed.py CLIP -p hinerv-mini nvrc-mini --out results/decode_speed.jsonl
    python benchmarks/decode_speed.py CLIP --ways "" "--precision bf16" --busy 0 1
    python benchmarks/decode_speed.py CLIP --against ../before     # another checkout, in turn

Each preset is fitted briefly: speed does not depend on how well. Every way of `nvc decode` writes
Y4M to a pipe, in a process of its own, in turn with the others; `first_s` is from the command to
the first frame, `fps` that of the rest. `busy` processes that never wait run beside it. Beside them
stand the time of the integers alone, of a plain pass of the network in float32 a frame, the
operations a second of that and of large matrix products, and what `nvc info` expects.
"""

import argparse
import contextlib
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from common import Line, measured, nvc, parser_of
from nvcodec.container.reader import NvcReader
from nvcodec.decoding_pace import expected_fps
from nvcodec.representations.representation import Patches
from nvcodec.segment_decoder import SegmentDecoder
from nvcodec.segment_values import unpack_segment
from versus import peak

SOURCE = Path(__file__).resolve().parents[1] / "src"
MARK = b"FRAME"
PASSES = 8


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that never wait."""
    spin = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def decode(source: Path, path: Path, words: list[str]) -> tuple[float, float]:
    """Seconds to the first frame, and frames a second after it, of one command."""
    command = [sys.executable, "-m", "nvcodec", "decode", str(path), "-o", "-", "-q", *words]
    environment = os.environ | {"PYTHONPATH": str(source)}
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        first, last = None, began
        while chunk := process.stdout.read1(1 << 20):
            if first is None and MARK in chunk:
                first = time.monotonic()
            last = time.monotonic()
    assert process.returncode == 0
    assert first is not None
    with NvcReader(path) as reader:
        num_frames = sum(info.num_frames for info in reader.index)
    return first - began, (num_frames - 1) / (last - first)


def alone(path: Path) -> Line:
    """Of a file: its integers, and plain passes of its network, in this process."""
    with NvcReader(path) as reader:
        head, segments = reader.head, list(reader.segments())
    began = time.monotonic()
    for segment in segments:
        unpack_segment(head, segment)
    integers_s = time.monotonic() - began
    decoder = SegmentDecoder(head, segments[0], torch.device("cpu"), "fp32")
    network, times = decoder.representation, []
    with decoder.inference():
        for t in range(PASSES):
            began = time.monotonic()
            network(Patches.frames(torch.tensor([t % network.shape.num_frames])))
            times.append(time.monotonic() - began)
    gmac = network.config.macs_per_frame(network.shape) / 1e9
    pass_s = min(times)
    return {
        "integers_s": round(integers_s, 4),
        "pass_fps": round(1 / pass_s, 1),
        "expected_fps": round(expected_fps(network.config, network.shape), 1),
        "gmac_per_frame": round(gmac, 3),
        "gflops": round(2 * gmac / pass_s, 1),
        "peak_gflops": {"bfloat16": peak(torch.bfloat16), "float32": peak(torch.float32)},
    }


def quality_db(clip: str, path: Path, words: list[str], folder: Path) -> float:
    """PSNR-RGB of what one way gives."""
    out = folder / "out.y4m"
    nvc("decode", str(path), "-o", str(out), "-y", *words)
    return float(nvc("compare", clip, str(out))[-1]["psnr_rgb_db"])


def measure(args: argparse.Namespace, preset: str, folder: Path) -> Line:
    """All ways of a preset's file, in turn."""
    path = folder / "a.nvc"
    shared = [*shlex.split(args.words), "--epochs", str(args.epochs), "--no-audio", "--no-verify"]
    nvc("encode", args.clip, "-o", str(path), "-p", preset, *shared, "-y")
    sides = {way: (SOURCE, shlex.split(way)) for way in args.ways}
    if args.against:
        sides["before"] = args.against / "src", []
    found: dict[str, Line] = {}
    for count in args.busy:
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        with busy(count):
            for _ in range(args.rounds):
                for name, (source, words) in sides.items():
                    runs[name].append(decode(source, path, words))
        for name, pairs in runs.items():
            first, fps = (
                round(statistics.median(values), 2) for values in zip(*pairs, strict=True)
            )
            shown = f"{name or 'as it is'}, {count} busy" if count else name or "as it is"
            found[shown] = {
                "first_s": first,
                "fps": fps,
                "all_fps": [round(p[1], 1) for p in pairs],
            }
    quality = {
        way or "as it is": quality_db(args.clip, path, shlex.split(way), folder)
        for way in args.ways
    }
    return {"ways": found, "psnr_rgb_db": quality, "size_bytes": path.stat().st_size, **alone(path)}


def main() -> None:
    """Measure what is missing."""
    parser = parser_of(__doc__)
    parser.add_argument("clip")
    parser.add_argument("-p", "--presets", nargs="+", default=["hinerv-mini", "nvrc-mini"])
    parser.add_argument("--words", default="", help="more for nvc encode")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--ways", nargs="+", default=["", "--precision bf16"], help="of nvc decode")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--busy", nargs="+", type=int, default=[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--title", default="", help="what it is about, for whoever reads the line")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    for preset in args.presets:
        key = {
            "clip": Path(args.clip).name,
            "preset": preset,
            "words": args.words,
            "busy": args.busy,
            "title": args.title,
            "rounds": args.rounds,
        }
        with tempfile.TemporaryDirectory() as folder:
            measured(args.out, key, lambda p=preset, f=folder: measure(args, p, Path(f)))


if __name__ == "__main__":
    main()
