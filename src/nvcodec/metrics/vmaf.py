"""VMAF through ffmpeg's libvmaf filter, where the ffmpeg at hand has it."""

import functools
import json
import os
import re
import tempfile
from pathlib import Path

from nvcodec.errors import FfmpegError
from nvcodec.processes import ffmpeg_path, run

MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
"""NEG does not reward enhancement."""
_SCORE = re.compile(r"VMAF score: ([0-9.]+)")


@functools.cache
def has_vmaf() -> bool:
    """Whether this ffmpeg measures VMAF."""
    try:
        return b" libvmaf " in run([ffmpeg_path(), "-hide_banner", "-filters"]).stdout
    except FfmpegError:
        return False


def vmaf(reference: Path, decoded: Path) -> dict[str, float]:
    """Mean VMAF over the frames, 0 to 100, by model; empty where it cannot be measured.

    Args:
        reference: Y4M of the source.
        decoded: Y4M of the same size, samples and depth.
    """
    if not has_vmaf():
        return {}
    models = "|".join(f"version={model}\\:name={name}" for name, model in MODELS.items())
    graph = f"[0:v][1:v]libvmaf=model='{models}':n_threads={os.cpu_count() or 1}"
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", "-nostats", "-v", "info"]
    command += ["-i", f"file:{decoded}", "-i", f"file:{reference}", "-lavfi", graph]
    try:
        lines = run([*command, "-f", "null", "-"]).stderr
    except FfmpegError:  # pictures that are too small for its scales, or no YUV
        return {}
    scores = [float(match[1]) for line in lines if (match := _SCORE.search(line))]
    return dict(zip(MODELS, scores, strict=True)) if len(scores) == len(MODELS) else {}


def vmaf_by_frame(reference: Path, decoded: Path) -> list[float]:
    """VMAF of each frame, 0 to 100, of two Y4M of the same size, samples and depth.

    Raises:
        FfmpegError: it cannot be measured, as pictures are too small for its scales.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "vmaf.json")
        options = f"model='version={MODELS['vmaf']}':n_threads={os.cpu_count() or 1}"
        graph = f"[0:v][1:v]libvmaf={options}:log_fmt=json:log_path='{log}'"
        command = [ffmpeg_path(), "-nostdin", "-hide_banner", "-nostats", "-v", "error"]
        command += ["-i", f"file:{decoded}", "-i", f"file:{reference}", "-lavfi", graph]
        run([*command, "-f", "null", "-"])
        frames = json.loads(log.read_text(encoding="utf-8"))["frames"]
    return [frame["metrics"]["vmaf"] for frame in frames]
