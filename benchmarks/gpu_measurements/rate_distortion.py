"""`rd-*`: rate and quality of whole files made by `nvc encode`, and BD-rate against anchors.

    nvc encode (again and again, until it is done) -> nvc verify --against, in a process of its own

An encoding is interrupted at the end of a piece, and continued by the same command.
"""

import functools
import json
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu_measurements.work import TOY, Point, Work, check_ended, nvc_command, run_nvc
from nvcodec.errors import InterruptedEncodeError
from nvcodec.metrics.bdrate import Delta, delta

CLIPS = {
    "bunny": "bigbuckbunny.mp4",
    "tractor": "tractor_800x540.mkv",
    "flower": "flower_1280x720.264",
}
FIT_S = 200
PRESETS = {
    "hinerv": ("hinerv-xxs", "hinerv-xs", "hinerv-s"),
    "nvrc": ("nvrc-s1", "nvrc-s2", "nvrc-s3"),
}
"""A curve each; NVRC's presets have lambdas of their own, 100, 200 and 500."""
GRACE_S = 60
INTERRUPTED = 130


def points(rehearsal: bool) -> list[Point]:
    """Two curves of every clip, each with its BD-rates; a rehearsal has one point of each codec."""
    found = []
    for title, clip in CLIPS.items():
        for codec, presets in PRESETS.items():
            measurement = f"rd-{title}-{codec}"
            if rehearsal and title != "bunny":
                continue
            for preset in presets[:1] if rehearsal else presets:
                measure = functools.partial(
                    measure_file, clip=clip, measurement=measurement, preset=preset
                )
                minutes = FIT_S / 60 + 0.5
                found.append(Point(measurement, preset, minutes, measure, clip, resumable=True))
            compare = functools.partial(compare_curve, measurement=measurement, clip=clip)
            found.append(Point(measurement, "bd-rate", 0.0, compare, clip, anchored=True))
    return found


def measure_file(work: Work, clip: str, measurement: str, preset: str) -> dict[str, Any]:
    """One file: its size, and the quality that a fresh process finds."""
    source = work.clip(clip)
    path = work.folder(measurement) / f"{preset}.nvc"
    words: list[object] = ["-p", preset, "--device", work.device.type]
    cut: list[object] = []
    if work.rehearsal:
        cut = ["--frames", "0:2"]
        words += ["--epochs", "3", "--set", *TOY, *cut]
    else:
        words += ["--max-time", f"{FIT_S}s"]
    log = path.with_suffix(".jsonl")
    if not path.exists() or not ended(log):
        run_until(work, nvc_command("encode", source, "-o", path, *words), log)
    verified = json.loads(run_nvc("verify", path, "--against", source, *cut).splitlines()[-1])
    encoded, steps = events(log, "done")[-1], events(log, "fit")
    return {
        "encode": " ".join(["nvc", "encode", source.name, *map(str, words)]),
        "parameters": events(log, "segment")[-1]["parameters"],
        "size_bytes": encoded["size_bytes"],
        "rate_bpp": encoded["rate_bpp"],
        "fit_s": encoded["fit_s"],
        "steps": steps[-1]["step"] if steps else None,
        **{name: value for name, value in verified.items() if "psnr" in name or "ssim" in name},
    }


def run_until(work: Work, command: list[str], log: Path) -> None:
    """Run a command, its output appended to `log`; at the end of the piece, have it save and stop.

    Raises:
        InterruptedEncodeError: it was stopped, and goes on next time.
    """
    with log.open("a", encoding="utf-8") as out, log.with_suffix(".err").open("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)
        try:
            process.wait(max(0.0, work.until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait(GRACE_S)
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode in (INTERRUPTED, -signal.SIGINT):
            raise InterruptedEncodeError(f"{log.stem}: to be continued")
        errors.seek(0)
        check_ended(command, process.returncode, errors.read())


def events(log: Path, name: str) -> list[dict[str, Any]]:
    """What `nvc encode` told, over all its runs."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]


def ended(log: Path) -> bool:
    """Whether the encoding is done."""
    return bool(events(log, "done"))


def compare_curve(work: Work, measurement: str, clip: str) -> dict[str, Any]:
    """BD-rate of this curve against every anchor of the clip, on PSNR-RGB."""
    lines = [line for line in work.lines if line["measurement"] == measurement]
    curve = [(line["rate_bpp"], line["psnr_rgb_db"]) for line in lines if "rate_bpp" in line]
    num_wanted = 1 if work.rehearsal else len(PRESETS[measurement.rpartition("-")[2]])
    if len(curve) < num_wanted:
        raise RuntimeError(f"{measurement}: {len(curve)} of {num_wanted} points are measured")
    found: dict[str, Any] = {}
    for codec, anchor in work.anchors[Path(clip).stem].items():
        result = delta([(point["bpp"], point["psnr_rgb"]) for point in anchor], curve)
        found[codec] = asdict(result) if isinstance(result, Delta) else result
    return {"bd_rate": found}
