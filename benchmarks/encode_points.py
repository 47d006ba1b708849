"""Encode clips at several settings, decode in fresh processes, store one JSON line a point.

    python benchmarks/encode_points.py CLIP --out results/points.jsonl \
        --point mini="-p hinerv-mini" --point tiny="-p hinerv-tiny --epochs 40"

A point is a name and what follows `nvc encode CLIP`. Size is the file's, quality is measured by
`nvc verify --against CLIP` in a process of its own. Points that OUT already holds for this clip and
command are skipped, and one that was interrupted goes on from its job in OUT's `.work` folder, so
that the same command continues, in pieces of any length (`timeout 540 python ...`).
"""

import argparse
import hashlib
import json
import resource
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from result_lines import circumstances, store, stored


def nvc(*words: str) -> list[dict]:
    """Run a command with --json and give its records."""
    command = [sys.executable, "-m", "nvcodec", *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(clip: str, words: list[str], folder: Path) -> dict:
    """One point: encode, then verify against the source in a fresh process."""
    source_words = []
    for option in ("--frames", "--scale"):
        if option in words:
            source_words += [option, words[words.index(option) + 1]]
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "out.nvc")
    started, used_s = time.monotonic(), _children_cpu_s()
    *events, encoded = nvc("encode", clip, "-o", path, "-y", *words)
    encode_s, cpu_s = time.monotonic() - started, _children_cpu_s() - used_s
    verified = nvc("verify", path, "--against", clip, *source_words)[-1]
    info = nvc("info", path)[-1]
    shutil.rmtree(folder)
    fitted = [event for event in events if event["event"] == "fit"][-1]
    sections: dict[str, int] = {}
    for entry in info["bytes"]:
        for part in entry["parts"] or [entry]:
            sections[part["kind"]] = sections.get(part["kind"], 0) + part["size"]
    announced = [event for event in events if event["event"] == "segment"]
    return {
        "parameters": sum(event["parameters"] for event in announced),
        "size_bytes": encoded["size_bytes"],
        "rate_bpp": encoded["rate_bpp"],
        "quality": {k: v for k, v in verified.items() if "psnr" in k or "ssim" in k},
        "encode_s": encode_s,
        "encode_cpu_s": cpu_s,
        "fit_s": encoded["fit_s"],
        "steps": fitted["step"],
        "decode_s": encoded["decode_s"],
        "bytes_by_kind": sections,
        "estimated_bits": fitted["estimated_bits"],
        "coded_bits": fitted["coded_bits"],
    }


def _children_cpu_s() -> float:
    """Processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_all(
    clip: str, points: list[tuple[str, str]], out: Path, facts: dict | None = None
) -> None:
    """Measure points, a name and words each, that `out` does not hold; lines get `facts` too."""
    done = {(line["clip"], line["command"]) for line in stored(out)}
    for name, text in points:
        command = f"nvc encode {Path(clip).name} {text}"
        if (Path(clip).name, command) in done:
            continue
        digest = hashlib.sha256(f"{Path(clip).resolve()} {text}".encode()).hexdigest()[:16]
        folder = out.with_suffix(".work") / digest
        line = {
            "name": name,
            "clip": Path(clip).name,
            "command": command,
            **measure(clip, shlex.split(text), folder),
            **(facts or {}),
            **circumstances(),
        }
        print(json.dumps(line), flush=True)
        store(line, out)


def main() -> None:
    """Measure the points of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--point", action="append", required=True, metavar="NAME=WORDS")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    points = [(name, text) for name, _, text in (point.partition("=") for point in args.point)]
    measure_all(args.clip, points, args.out)


if __name__ == "__main__":
    main()
