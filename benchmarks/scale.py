"""How much faster several workers are than one, on the same segments, one thread each.

    python benchmarks/scale.py --out benchmarks/results/scale.jsonl

Encodes the embedded clip in segments with one worker, with two processes, and with a Ray cluster of
this machine where Ray is installed; each in a process of its own, timed from start to end. The
files have to be the same, byte for byte. `--repeat` takes turns, so that what else the machine does
falls on all alike. Printed: speed over one worker, starting included, and its share of what is
possible (efficiency); then the same from the first step on.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common import Line, measured, parser_of, records_of, stored

ROOT = Path(__file__).resolve().parent
EMBEDDED = ROOT / "clips" / "bbb_320x180_48f.mp4"
NUM_FRAMES = 48
TWO_NODES = "ray, two nodes"
PORT = 9721
START_S = 10.0
"""Until a cluster is up, which is not measured; joining it is."""


def encode(args: argparse.Namespace, workers: str) -> Line:
    """One file, and how long it took."""
    settings = ["-p", args.preset, "--epochs", str(args.epochs), "--workers", workers]
    settings += ["--segment-frames", str(-(-NUM_FRAMES // args.segments))]
    settings += ["--threads", "2" if workers == "2" else "1"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "a.nvc")
        words = ["encode", str(EMBEDDED), "-o", str(target), "--device", "cpu", *settings]
        began, start_s = time.monotonic(), 0.0
        for record in records_of(*words):
            if not start_s and record["event"] == "fit":
                start_s = time.monotonic() - began
        seconds = time.monotonic() - began
        digest = hashlib.blake2b(target.read_bytes(), digest_size=8).hexdigest()
    command = f"nvc encode {EMBEDDED.name} {' '.join(settings)}"
    taken = {"seconds": round(seconds, 2), "start_s": round(start_s, 2)}
    return {"command": command, **taken, "digest": digest}


def key_of(args: argparse.Namespace) -> Line:
    """What all lines of a table have in common."""
    return {"preset": args.preset, "epochs": args.epochs, "segments": args.segments}


def measure(args: argparse.Namespace) -> None:
    """All that is not in the file yet."""
    has_ray = importlib.util.find_spec("ray") is not None
    ways = ["1", "2", *(["ray", TWO_NODES] if has_ray else [])]
    for turn in range(args.repeat):
        for workers in ways:
            point = {**key_of(args), "workers": workers, "turn": turn}
            if any(point.items() <= line.items() for line in stored(args.out)):
                continue
            with two_nodes() if workers == TWO_NODES else contextlib.nullcontext(workers) as name:
                measured(args.out, point, partial(encode, args, name))


@contextlib.contextmanager
def two_nodes() -> Iterator[str]:
    """A cluster of two nodes of a core each; gives its address."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "ray_client_server_port": PORT}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1)
        time.sleep(START_S)
        yield f"ray://127.0.0.1:{PORT}"
    finally:
        cluster.shutdown()


def report(lines: list[Line]) -> str:
    """Medians, and how much faster, as Markdown."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line["workers"], []).append(line)
    same = "yes" if len({line["digest"] for line in lines}) == 1 else "NO"
    rows = [f"same bytes: {same}", "", "| workers | seconds | speed | efficiency | once started |",
            "| --- | --- | --- | --- | --- |"]  # fmt: skip
    alone = [statistics.median(times) for times in _times(found["1"])]
    for workers, each in found.items():
        whole, started = (statistics.median(times) for times in _times(each))
        speed = alone[0] / whole
        share = speed / (1 if workers == "1" else 2)
        rows.append(
            f"| {workers} | {whole:.1f} | {speed:.2f} | {share:.0%} | {alone[1] / started:.2f} |"
        )
    return "\n".join(rows)


def _times(lines: list[Line]) -> tuple[list[float], list[float]]:
    """Seconds from the command on, and from the first step on where that was noted."""
    seconds = [line["seconds"] for line in lines]
    return seconds, [line["seconds"] - line.get("start_s", 0.0) for line in lines]


def main() -> None:
    """Measure, unless told only to report."""
    parser = parser_of(__doc__)
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "scale.jsonl")
    args = parser.parse_args()
    if not args.report:
        measure(args)
    key = key_of(args)
    print(report([line for line in stored(args.out) if key.items() <= line.items()]))


if __name__ == "__main__":
    main()
