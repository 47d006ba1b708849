"""Which videos lie in a folder and in those below it."""

import os
from collections.abc import Iterator
from pathlib import Path

from nvcodec.errors import VideoError
from nvcodec.video.images import is_picture, natural_key
from nvcodec.video.raw import RAW_SUFFIXES

VIDEO_SUFFIXES = (
    ".y4m", ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg",
    ".mpeg", ".mxf", ".flv", ".wmv", ".3gp", ".ogv", ".nut", ".ivf", ".obu", ".264", ".h264",
    ".265", ".h265", ".hevc", ".266", ".gif", *RAW_SUFFIXES,
)  # fmt: skip


def is_video(path: Path) -> bool:
    """Whether a name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def videos_below(folder: Path) -> Iterator[Path]:
    """Every video in a folder and below it, in natural order; hidden ones and links are left out.

    A folder in which there are pictures and no videos is a video itself.

    Raises:
        VideoError: One of the folders cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise VideoError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for name, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_key)
        here = [Path(name, f) for f in sorted(files, key=_key) if not f.startswith(".")]
        videos = [path for path in here if is_video(path)]
        if not videos and any(map(is_picture, here)):
            yield Path(name)
        yield from videos


def _key(name: str) -> tuple[list[tuple[int, str]], str]:
    return natural_key(Path(Path(name).stem)), name
