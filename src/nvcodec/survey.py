"""What reading a source to its end tells: how many frames it has, how fast, what is beside them.

VideoReader, read --beside--> chunks of videos, times and streams, for the end of a file
sources --survey--> Survey, before anything is encoded
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from nvcodec.container.chunks import FRAMING_SIZE
from nvcodec.container.kinds import KINDS
from nvcodec.encode_types import EncodeOptions
from nvcodec.errors import InterruptedEncodeError, VideoError
from nvcodec.times import mean_rate
from nvcodec.video import VideoReader, VideoWarning, open_videos
from nvcodec.video.copying import gather
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.scenes import SceneDetector


def beside(video: VideoReader, options: EncodeOptions) -> list[tuple[str, Any]]:
    """Kinds and values of the chunks behind the segments, of a video that has been read."""
    chunks: list[tuple[str, Any]] = []
    if video.parts:
        chunks.append(("clip", video.parts))
    if any(times for _, times in video.times):
        chunks.append(("tstm", video.times))
    streams = gather(video, options.limits.segment_bytes) if options.audio else None
    if streams is not None:
        chunks.append(("mkvs", streams))
    return chunks


@dataclass(frozen=True)
class Survey:
    """What is known of the whole before anything is encoded."""

    num_frames: int | None
    """None where only reading would tell, which can be done once."""
    frame_rate: Fraction
    """Mean of the whole where it was read, else as the source states it."""
    beside_bytes: int = 0
    """Of the chunks behind the segments that a size or a bitrate asked for has to hold too."""
    cuts: tuple[int, ...] | None = None
    """First frames of scenes, those that change most first; None where nobody asked."""


def survey(
    info: VideoInfo,
    sources: Sequence[Any],
    options: EncodeOptions,
    is_counted: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Survey:
    """What has to be known before segments share something; reads files where that tells it.

    A stream, which can be read once only, is left alone.

    Args:
        info: of the open video.
        sources: of it.
        options: what is asked for.
        is_counted: whether the number of frames is needed in any case.
        should_stop: asked before each frame.

    Raises:
        VideoError: scene cuts are asked for, of what can be read once only.
        InterruptedEncodeError: asked to stop.
    """
    goal = options.goal
    is_sized = goal is not None and goal.has_size
    is_counted = is_sized or ((is_counted or options.needs_count) and info.num_frames is None)
    paths = [source for source in sources if isinstance(source, str | Path) and source != "-"]
    is_stream = len(paths) < len(sources) or not all(map(_is_stored, paths))
    if options.at_cuts and is_stream:
        raise VideoError(
            "scene cuts are looked for beforehand, which takes a file: neither a stream nor arrays",
            "leave {at_cuts} out",
        )
    if is_stream or not (is_counted or options.at_cuts):
        return Survey(info.num_frames, info.frame_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # the other reading says the same
        with open_videos(sources, **options.of_source()) as video:
            frames = _until(should_stop, video)
            if options.at_cuts:
                num_frames, cuts = _cuts(video.info, frames)
            else:
                num_frames, cuts = sum(1 for _ in frames), None
            chunks = beside(video, options) if is_sized else []
            rate = mean_rate(video.times, [part.frame_rate for part in video.parts])
    sizes = {kind: FRAMING_SIZE + len(KINDS[kind].pack(value)) for kind, value in chunks}
    if goal is not None and goal.size_bytes is None:
        sizes.pop("mkvs", None)  # in no rate
    return Survey(num_frames, rate or info.frame_rate, sum(sizes.values()), cuts)


def _until(should_stop: Callable[[], bool], frames: Iterable[Planes]) -> Iterator[Planes]:
    """The same frames, unless somebody wants to stop."""
    for planes in frames:
        if should_stop():
            raise InterruptedEncodeError("stopped on request; nothing was begun")
        yield planes


def _cuts(info: VideoInfo, frames: Iterable[Planes]) -> tuple[int, tuple[int, ...]]:
    """Number of frames, and the first ones of scenes."""
    num_frames = 0
    with SceneDetector(info) as detector:
        for planes in frames:
            detector.add(planes)
            num_frames += 1
        changes = detector.changes()
    changes.sort(key=lambda change: -change.score)
    return num_frames, tuple(change.frame for change in changes)


def _is_stored(path: str | Path) -> bool:
    return Path(path).is_file() or Path(path).is_dir()
