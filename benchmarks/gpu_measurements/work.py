"""What a measured point is, and what it is given to work with."""

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nvcodec.presets import Preset, load_preset

EMBEDDED = Path(__file__).parents[1] / "clips" / "bbb_320x180_48f.mp4"
TOY = ("representation.channels=24",)
"""Makes any preset small enough for a rehearsal."""
TOY_PAPER = (
    "fitting.patch_size=[60,80]",
    "fitting.batch_size=12",
    "representation.grid_frames=2",
)
"""Besides, for the papers' recipes of HiNeRV and NVRC, which have patches and long grids."""


@dataclass
class Work:
    """What points work with."""

    device: torch.device
    workdir: Path
    """Unfinished fittings and encodings; kept from piece to piece."""
    until: float
    """When this piece ends, on the monotonic clock."""
    clips: Path | None = None
    rehearsal: bool = False
    anchors: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What is measured already."""

    def is_over(self) -> bool:
        """Whether this piece shall end."""
        return time.monotonic() > self.until

    def clip(self, name: str) -> Path:
        """A clip's path; the embedded clip in a rehearsal."""
        path = EMBEDDED if self.rehearsal else find_clip(self.clips, name)
        assert path is not None, name
        return path

    def preset(self, name: str, *changes: str) -> Preset:
        """A preset, at toy size in a rehearsal."""
        toy = TOY if self.rehearsal else ()
        preset = load_preset(name, [*changes, *toy])
        if self.rehearsal and preset.fitting.patch_size is not None:
            preset = load_preset(name, [*changes, *toy, *TOY_PAPER])
        return preset

    def folder(self, *names: str) -> Path:
        """A folder of `workdir`, made where it is missing."""
        path = self.workdir.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def wait(self) -> None:
        """Until the device has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Point:
    """One line of the results."""

    measurement: str
    name: str
    minutes: float
    """Predicted, on an H100."""
    measure: Callable[[Work], dict[str, Any]]
    """Gives the line's values; raises InterruptedEncodeError when the piece ends first."""
    clip: str | None = None
    resumable: bool = False
    """Whether it may be begun with less time left than it takes."""
    anchored: bool = False
    """Whether it compares with the anchors of `clip`."""

    @property
    def key(self) -> str:
        """What `--only` and the results call it."""
        return f"{self.measurement}/{self.name}"


def find_clip(folder: Path | None, name: str) -> Path | None:
    """A clip in a folder, or the same as Y4M, which needs no ffmpeg; None when there is neither."""
    if folder is None:
        return None
    paths = (folder / name, folder / f"{Path(name).stem}.y4m")
    return next((path for path in paths if path.is_file()), None)


def seconds_each(work: Work, act: Callable[[], Any], at_least_s: float) -> float:
    """Mean time of an action, repeated for so long after a first time that does not count."""
    act()
    work.wait()
    started, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - started < at_least_s:
        act()
        count += 1
        if math.log2(count).is_integer():  # a look now and then keeps the queue short
            work.wait()
    work.wait()
    return (time.monotonic() - started) / count


def nvc_command(*words: object) -> list[str]:
    """`nvc` of this checkout as a process, giving JSON lines."""
    return [sys.executable, "-m", "nvcodec", *map(str, words), "--json"]


def check_ended(command: list[str], code: int, said: str) -> None:
    """Raise RuntimeError, with what a process said last, unless it ended well."""
    if code != 0:
        last = "\n".join(said.strip().splitlines()[-8:])
        raise RuntimeError(f"{' '.join(command)}: exit code {code}\n{last}")


def run_nvc(*words: object) -> str:
    """What `nvc` says on standard output when it ends well."""
    command = nvc_command(*words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check_ended(command, done.returncode, done.stderr)
    return done.stdout
