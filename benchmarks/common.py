"""What measurements inside a process share: a clip's samples, `nvc` as a process, lines of results.

Whole points, that is an encoding, its decoding and its quality, are the business of `nvc bench`:
`experiments/*.toml`.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nvcodec.samples import Samples
from nvcodec.version import __version__
from nvcodec.video import open_video
from nvcodec.video.conversion import from_planes


def frames_of(path: str, samples: Samples, num_frames: int | None = None) -> Tensor:
    """A clip's first frames, all by default, as they are fitted: uint8 (T, H, W, C)."""
    with open_video(path, frames=slice(0, num_frames)) as video:
        return torch.from_numpy(
            np.stack([from_planes(samples, planes, video.info) for planes in video])
        )


def nvc(*words: str) -> list[dict[str, Any]]:
    """Run a command of `nvc` with --json, in a process of its own, and give its records."""
    command = [sys.executable, "-m", "nvcodec", *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def circumstances() -> dict[str, Any]:
    """Date, device, threads and versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {"nvcodec": __version__, "torch": torch.__version__},
    }


def stored(path: Path) -> list[dict[str, Any]]:
    """All lines of a file; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def store(line: dict[str, Any], path: Path) -> None:
    """Append a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
