"""What has to be known of machine and software to trust a point and to make it again."""

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from nvcodec.bench.baseline import ffmpeg_version
from nvcodec.bench.baselines import load_baseline
from nvcodec.bench.points import BaselineCoder, Coder, NvcCoder
from nvcodec.version import __version__
from nvcodec.video import Chroma, VideoInfo
from nvcodec.video.color import luma_weights

MATRICES = {299: "BT.601", 213: "BT.709", 263: "BT.2020"}
"""By the weight of red in thousandths."""


@functools.cache
def encoder_version(baseline: str) -> str:
    """What a baseline's encoder calls itself.

    Raises:
        ToolMissingError: it is not there.
    """
    return load_baseline(baseline).version()


def versions(coder: Coder) -> dict[str, Any]:
    """Versions of everything that had a part in a point, and nvcodec's git commit."""
    found = {"nvcodec": __version__, "ffmpeg": _ffmpeg()}
    if isinstance(coder, BaselineCoder):
        found[coder.name] = encoder_version(coder.name)
    names = ["torch", "constriction"] if isinstance(coder, NvcCoder) else []
    found |= {name: importlib.metadata.version(name) for name in names}
    return {"versions": found, "commit": _commit()}


def machine(jobs: int | str, num_threads: int | None) -> dict[str, Any]:
    """Where and when a point was made, and how many were made at once."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()}",
        "threads": num_threads or os.environ.get("OMP_NUM_THREADS") or "default",
        "jobs": jobs,
    }


def device_name(coder: Coder) -> str:
    """What a point is computed on; loads torch for one of nvcodec's."""
    if not isinstance(coder, NvcCoder):
        return "cpu"
    import torch

    from nvcodec.segment_decoder import select_device

    device = select_device(coder.device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def matrix_name(info: VideoInfo) -> str:
    """By which matrix YUV becomes RGB when this video is measured."""
    if info.chroma in (Chroma.RGB, Chroma.GRAY):
        return "none"
    return MATRICES.get(round(1000 * luma_weights(info.color)[0]), "other")


@functools.cache
def _ffmpeg() -> str:
    return ffmpeg_version()


@functools.cache
def _commit() -> str | None:
    """Commit of the checkout that runs, with a plus when files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


@functools.cache
def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
