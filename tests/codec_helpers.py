"""Videos by formula, and the command line called in this process or in one of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from nvcodec.video import Chroma, Planes, VideoInfo, create_video

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TINY = str(TESTS / "presets" / "tiny.toml")
TINY_RAW = str(TESTS / "presets" / "tiny-raw.toml")
TIMEOUT_S = 120


def video_info(width: int = 32, height: int = 32, chroma: str = "420") -> VideoInfo:
    """A description at 25 frames a second."""
    return VideoInfo(width, height, Chroma(chroma), Fraction(25))


def moving_frames(info: VideoInfo, num_frames: int, seed: int = 0) -> list[Planes]:
    """Waves that move, different in every plane."""
    frames = []
    for t in range(num_frames):
        planes = []
        for c, (height, width) in enumerate(info.chroma.plane_shapes(info.height, info.width)):
            y, x = np.mgrid[:height, :width]
            phase = 0.3 * t + c + seed
            wave = np.sin(6 * x / width + phase) + np.cos(5 * y / height - phase)
            planes.append(np.round(128 + 45 * wave).astype(np.uint8))
        frames.append(tuple(planes))
    return frames


def write_video(path: Path, info: VideoInfo, frames: Sequence[Planes]) -> Path:
    """Store frames; the path's ending says how."""
    with create_video(path, info) as target:
        for planes in frames:
            target.write(planes)
    return path


def write_y4m(
    path: Path, width: int = 32, height: int = 32, chroma: str = "420", num_frames: int = 8, seed: int = 0
) -> Path:
    """A small moving Y4M file."""
    info = video_info(width, height, chroma)
    return write_video(path, info, moving_frames(info, num_frames, seed))
