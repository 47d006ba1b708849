"""What the codec does on a GPU: a list of named measurements, each line of results on its own.

    python benchmarks/gpu.py --clips FOLDER --list
    python benchmarks/gpu.py --clips FOLDER --dry-run
    python benchmarks/gpu.py --clips FOLDER                  # until it exits with 0
    python benchmarks/gpu.py --only steps --only decode      # these need no clips
    python benchmarks/gpu.py --cpu-rehearsal

Works for `--minutes` and exits with 75 when there is more to do: the same command goes on, where
the last one stopped, with what `--workdir` keeps. Points that `--out` holds are not measured again.
A point that fails is reported, and the others go on; then the exit code is 1.
"""

import argparse
import datetime
import json
import shlex
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from common import circumstances, parser_of, stored
from gpu_measurements import all_points
from gpu_measurements.work import Point, Work, find_clip
from nvcodec.errors import InterruptedEncodeError
from nvcodec.segment_decoder import select_device

HERE = Path(__file__).resolve().parent
MORE_TO_DO = 75  # EX_TEMPFAIL
LEAST_S = 20.0
"""Nothing is begun with less time left than this."""


def key_of(line: dict[str, Any]) -> str:
    """Which point a line is of."""
    return f"{line['measurement']}/{line['point']}"


def wanted_points(points: list[Point], only: list[str], anchors: dict[str, Any]) -> list[Point]:
    """Points of the measurements asked for, all by default; `steps/720p` names a part of one.

    Raises:
        ValueError: a name fits nothing.
    """
    for name in only:
        if not any(f"{point.key}/".startswith(f"{name}/") for point in points):
            known = ", ".join(dict.fromkeys(point.measurement for point in points))
            raise ValueError(f"--only {name}: unknown; there are {known}")
    return [
        point
        for point in points
        if (not only or any(f"{point.key}/".startswith(f"{name}/") for name in only))
        and (not point.anchored or Path(point.clip or "").stem in anchors)
    ]


def missing_clips(points: list[Point], folder: Path | None) -> list[str]:
    """Clips that points need and the folder does not have."""
    names = {point.clip for point in points if point.clip}
    return sorted(name for name in names if find_clip(folder, name) is None)


def facts(device: torch.device) -> dict[str, Any]:
    """What has to be known to trust a line."""
    found = circumstances()
    found["date"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found["command"] = shlex.join(["python", *sys.argv])
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
        found["versions"]["cuda"] = torch.version.cuda
    return found


def run_piece(points: list[Point], work: Work, out: Path) -> int:
    """Measure what `out` does not hold until the piece is over; the exit code."""
    code, is_first = 0, True
    work.lines = stored(out)
    done = {key_of(line) for line in work.lines}
    for point in points:
        if point.key in done:
            continue
        needed_s = LEAST_S if point.resumable else 60 * point.minutes
        if work.is_over() or (not is_first and time.monotonic() + needed_s > work.until):
            say(f"{point.key}: in the next piece")
            return MORE_TO_DO
        started, is_first = time.monotonic(), False
        try:
            values = point.measure(work)
        except InterruptedEncodeError:
            say(f"{point.key}: goes on in the next piece")
            return MORE_TO_DO
        except Exception:  # one point's failure must not cost the others
            traceback.print_exc()
            say(f"{point.key}: failed")
            code = 1
            continue
        line = {"measurement": point.measurement, "point": point.name, **values}
        line |= {"took_s": time.monotonic() - started, **facts(work.device)}
        work.lines.append(line)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        say(f"{point.key}: {line['took_s']:.1f} s")
    return code


def rehearse() -> int:
    """Every measurement at toy size on the CPU; a fitting and an encoding are cut in pieces."""
    with tempfile.TemporaryDirectory() as folder:
        anchors = {"bigbuckbunny": {"x": [{"bpp": 0.1, "psnr_rgb": 9.0}] * 2}}
        points = wanted_points(all_points(rehearsal=True), [], anchors)

        def piece(name: str, seconds: float) -> int:
            chosen = [point for point in points if point.key.startswith(name)]
            until = time.monotonic() + seconds
            work = Work(torch.device("cpu"), Path(folder), until, rehearsal=True, anchors=anchors)
            return run_piece(chosen, work, Path(folder) / "results.jsonl")

        for name, seconds in (("bunny-xxs-paper", 0.1), ("rd-bunny-hinerv", 3.0)):
            if piece(name, seconds) != MORE_TO_DO:
                say(f"{name}: did not stop at the end of its piece")
                return 1
        return piece("", 3600)


def show(points: list[Point], out: Path) -> None:
    """Every point with its minutes and whether it is done, and what is left."""
    done = {key_of(line): line for line in stored(out)}
    left = 0.0
    for point in points:
        line = done.get(point.key)
        left += 0.0 if line else point.minutes
        state = f"done on {line['device']}, {line['date']}" if line else "open"
        print(f"{point.key:<44} {point.minutes:5.1f} min  {state}")
    print(f"{left:.0f} minutes left, by the guess for an H100")


def say(text: str) -> None:
    """One line to people."""
    print(text, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--list", action="store_true", help="measurements and their minutes")
    parser.add_argument("--dry-run", action="store_true", help="points, their minutes, their state")
    parser.add_argument("--only", action="append", default=[], metavar="NAME[/POINT]")
    parser.add_argument("--clips", type=Path, metavar="FOLDER")
    parser.add_argument("--anchors", type=Path, metavar="FILE", help="other codecs' rate points")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "gpu" / "results.jsonl")
    parser.add_argument("--workdir", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, default=8.5, help="time for this piece")
    parser.add_argument("--cpu-rehearsal", action="store_true", help="all of it at toy size")
    args = parser.parse_args()
    anchors = json.loads(args.anchors.read_text(encoding="utf-8")) if args.anchors else {}
    try:
        args.points = wanted_points(all_points(rehearsal=False), args.only, anchors)
    except ValueError as error:
        parser.error(str(error))
    args.anchors = anchors
    if not (args.list or args.dry_run or args.cpu_rehearsal):
        check_possible(parser, args)
    return args


def check_possible(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with an error, before any time is spent, when something needed is not there."""
    done = {key_of(line) for line in stored(args.out)}
    points = [p for p in args.points if p.key not in done and not p.anchored]
    missing = missing_clips(points, args.clips)
    if missing:
        parser.error(
            f"--clips {args.clips or 'FOLDER'}: {', '.join(missing)} must be there; "
            "--only picks measurements that do without"
        )
    if points and args.device == "auto" and not torch.cuda.is_available():
        parser.error(
            "no CUDA device: --cpu-rehearsal runs everything at toy size, --device cpu in full"
        )


def main() -> int:
    """Do what the command line says; the exit code."""
    started = time.monotonic()
    args = parse()
    if args.cpu_rehearsal:
        return rehearse()
    if args.list:
        for name in dict.fromkeys(point.measurement for point in args.points):
            minutes = sum(p.minutes for p in args.points if p.measurement == name)
            print(f"{name:<20} {minutes:5.1f} min")
        return 0
    if args.dry_run:
        show(args.points, args.out)
        return 0
    args.out.parent.mkdir(parents=True, exist_ok=True)
    until = started + 60 * args.minutes
    device = select_device(args.device)
    work = Work(device, args.workdir, until, clips=args.clips, anchors=args.anchors)
    return run_piece(args.points, work, args.out)


if __name__ == "__main__":
    raise SystemExit(main())
