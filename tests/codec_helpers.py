"""Videos by formula, and the command line called in this process or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nvcodec.fitting.batches import Batches
from nvcodec.video import Chroma, Planes, VideoInfo, create_video

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TINY = str(TESTS / "presets" / "tiny.toml")
TINY_RAW = str(TESTS / "presets" / "tiny-raw.toml")
TINY_NERV = str(TESTS / "presets" / "tiny-nerv.toml")
TINY_ROUND = str(TESTS / "presets" / "tiny-round.toml")
TINY_NVRC = str(TESTS / "presets" / "tiny-nvrc.toml")
TINY_LATENTS = str(TESTS / "presets" / "tiny-latents.toml")
TIMEOUT_S = 120


def video_info(width: int = 32, height: int = 32, chroma: str = "420", depth: int = 8) -> VideoInfo:
    """A description at 25 frames a second."""
    return VideoInfo(width, height, Chroma(chroma), Fraction(25), depth=depth)


def moving_frames(info: VideoInfo, num_frames: int, seed: int = 0) -> list[Planes]:
    """Waves that move, different in every plane."""
    frames = []
    for t in range(num_frames):
        planes = []
        for c, (height, width) in enumerate(info.chroma.plane_shapes(info.height, info.width)):
            y, x = np.mgrid[:height, :width]
            phase = 0.3 * t + c + seed
            wave = np.sin(6 * x / width + phase) + np.cos(5 * y / height - phase)
            plane = (128 + 45 * wave) * 2 ** (info.depth - 8)
            planes.append(np.round(plane).astype(info.sample_type))
        frames.append(tuple(planes))
    return frames


def write_video(path: Path, info: VideoInfo, frames: Sequence[Planes]) -> Path:
    """Store frames; the path's ending says how."""
    with create_video(path, info) as target:
        for planes in frames:
            target.write(planes)
    return path


def write_y4m(
    path: Path,
    width: int = 32,
    height: int = 32,
    chroma: str = "420",
    num_frames: int = 8,
    seed: int = 0,
) -> Path:
    """A small moving Y4M file."""
    info = video_info(width, height, chroma)
    return write_video(path, info, moving_frames(info, num_frames, seed))


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def environment() -> dict[str, str]:
    """One thread, and the package of this checkout."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}


def nvc_command(*words: object) -> list[str]:
    """The command line as a process of its own."""
    return [sys.executable, "-m", "nvcodec", *map(str, words)]


def nvc(*words: object, stdin: bytes | None = None, **options: Any) -> Outcome:
    """Run the command line as a process."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    fed = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        nvc_command(*words), env=environment(), timeout=TIMEOUT_S, check=False, **fed, **options
    )
    return Outcome(done.returncode, done.stdout or b"", (done.stderr or b"").decode())


def python(script: str, *words: object) -> str:
    """Run a script in a fresh interpreter and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        env=environment(), timeout=TIMEOUT_S, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def decoded_elsewhere(path: Path, num_threads: int, has_onednn: bool) -> tuple[list[str], Any]:
    """Hashes of a file's integers and its pixels, decoded in float32 in a fresh process."""
    script = """
import json, sys, torch
torch.set_num_threads(int(sys.argv[2]))
torch.backends.mkldnn.enabled = sys.argv[3] == "True"
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.decoder import Decoder
from nvcodec.segment_values import unpack_segment
with Decoder(sys.argv[1], device="cpu", precision="fp32") as decoder:
    digests = []
    for _, segment in decoder.segments():
        digests.append(unpack_segment(decoder.head, segment).digest().hex())
with Decoder(sys.argv[1], device="cpu", precision="fp32") as decoder:
    print(json.dumps([digests, [frame.tolist() for frame in decoder]]))
"""
    digests, pixels = json.loads(python(script, path, num_threads, has_onednn))
    return digests, np.array(pixels)


def whole_batch(batches: Batches, stage: int, step: int, frame: int | None = None) -> Any:
    """Coordinates and pixels of a step's batch, all at once."""
    ((_, patches, target),) = batches.parts(stage, step, frame, batches.batch_size)
    return patches, target


def decoded_planes(path: Path, **options: Any) -> list[Planes]:
    """All frames of a file, in the samples of its source."""
    from nvcodec.decoder import Decoder

    with Decoder(path, device="cpu", **options) as decoder:
        return list(decoder.planes())


def assert_same_frames(frames: Sequence[Planes], others: Sequence[Planes]) -> None:
    """Every sample of every plane."""
    assert len(frames) == len(others)
    for planes, other in zip(frames, others, strict=True):
        for a, b in zip(planes, other, strict=True):
            np.testing.assert_array_equal(a, b)
