"""Several videos as one, concatenated in time, with note of where each begins.

Source: NeRV, section 4.3: one network for all sequences of UVG.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.segments import Part, Segment
from nvcodec.times import VideoTimes
from nvcodec.video import images
from nvcodec.video.info import Planes, VideoInfo, VideoWarning
from nvcodec.video.reader import VideoReader, open_video

SHARED = ("width", "height", "chroma", "depth", "sample_aspect_ratio", "color")


def sources_of(source: str | Path | BinaryIO | Sequence[str | Path]) -> list[Any]:
    """One source, or several, as `open_videos` takes them."""
    if isinstance(source, str) or not isinstance(source, Sequence):
        return [source]
    return [*source]


def open_videos(sources: Sequence[str | Path | BinaryIO], **options: Any) -> VideoReader:
    """Open one video, or several as one.

    Args:
        sources: What `open_video` opens; files, if there are several. Several pictures are the
            frames of one video.
        **options: Those of `open_video`, for every source.

    Returns:
        A reader whose `parts` says, after the last frame, where each source begins, and `times`
        when its frames are shown. `parts` is empty for a single source. The frame rate is that of
        the first one.

    Raises:
        VideoError: One of them cannot be read.
        UnsupportedVideoError: They differ in more than length and frame rate, or one is a stream.
    """
    if not sources:
        raise VideoError("no source given")
    if len(sources) == 1:
        return open_video(sources[0], **options)
    if all(isinstance(s, str | Path) and images.is_picture(Path(s)) for s in sources):
        text = f"{sources[0]} and {len(sources) - 1} more: pictures, taken as frames of one video"
        warnings.warn(text, VideoWarning, stacklevel=2)
        return open_video(
            _in_order([Path(s) for s in sources if isinstance(s, str | Path)]), **options
        )
    infos, others = [], []
    for source in sources:
        if source == "-" or not isinstance(source, str | Path):
            raise UnsupportedVideoError("standard input among several videos; files are needed")
        if os.path.exists(source) and not (os.path.isfile(source) or os.path.isdir(source)):
            raise UnsupportedVideoError(
                f"{source}: a pipe or a device among several videos; files are needed"
            )
        with open_video(source, **options) as video:
            infos.append(video.info)
            others += video.others
        _check_alike(sources[0], infos[0], source, infos[-1])
    counts = [info.num_frames for info in infos if info.num_frames is not None]
    total = sum(counts) if len(counts) == len(infos) else None
    parts: list[Part] = []
    times: list[VideoTimes] = []
    frames = _chained(sources, infos, options, parts, times)
    where = f"{sources[0]} and {len(sources) - 1} more"
    info = replace(infos[0], num_frames=total)
    reader = VideoReader(info, frames, where, contextlib.ExitStack())
    reader.parts, reader.joined, reader.others = parts, times, others
    return reader


def _in_order(pictures: list[Path]) -> list[Path]:
    """By number where a shell sorted them, which puts `f10.png` before `f2.png`."""
    by_name = sorted(pictures, key=str)
    return sorted(pictures, key=images.natural_key) if pictures == by_name else pictures


def _check_alike(
    first: str | Path | BinaryIO, expected: VideoInfo, source: str | Path, seen: VideoInfo
) -> None:
    for name in SHARED:
        ours, theirs = getattr(seen, name), getattr(expected, name)
        if ours != theirs:
            raise UnsupportedVideoError(
                f"{source}: {name} {ours}, {first} has {theirs}; videos of one file must agree",
                "{scale} scales all of them" if name in ("width", "height") else "",
            )


def _chained(
    sources: Sequence[str | Path | BinaryIO],
    infos: Sequence[VideoInfo],
    options: dict[str, Any],
    parts: list[Part],
    times: list[VideoTimes],
) -> Iterator[Planes]:
    """Frames of all sources; `parts` and `times` grow by each that is through."""
    start = stop = 0
    for source, info in zip(sources, infos, strict=True):
        with open_video(source, **options) as video:
            for planes in video:
                yield planes
                stop += 1
            times += video.times
        parts.append(Part(Path(str(source)).stem, Segment(start, stop), info.frame_rate))
        start = stop
