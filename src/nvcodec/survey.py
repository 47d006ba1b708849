"""What reading a source to its end tells: how many frames it has, and what it has beside them.

VideoReader, read --beside--> chunks of videos, times and streams, for the end of a file
sources --survey--> Survey: number of frames, bytes of those chunks
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nvcodec.container.chunks import FRAMING_SIZE
from nvcodec.container.kinds import KINDS
from nvcodec.encode_types import EncodeOptions
from nvcodec.video import VideoReader, VideoWarning, open_videos
from nvcodec.video.copying import gather
from nvcodec.video.info import VideoInfo


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


class Survey(NamedTuple):
    """What was found without encoding anything."""

    num_frames: int | None
    """None where only reading would tell, which can be done once."""
    beside_bytes: int = 0
    """Of the chunks behind the segments, where a size asked for has to hold them too."""


def survey(info: VideoInfo, sources: Sequence[Any], options: EncodeOptions) -> Survey:
    """What has to be known before segments share something; reads files where that tells it.

    A stream, which can be read once only, is left alone.
    """
    is_sized = options.goal is not None and options.goal.size_bytes is not None
    paths = [source for source in sources if isinstance(source, str | Path) and source != "-"]
    is_stream = len(paths) < len(sources) or not all(map(_is_stored, paths))
    if is_stream or not (is_sized or info.num_frames is None):
        return Survey(info.num_frames)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # the other reading says the same
        with open_videos(sources, **options.of_source()) as video:
            num_frames = sum(1 for _ in video)
            chunks = beside(video, options) if is_sized else []
    sizes = (FRAMING_SIZE + len(KINDS[kind].pack(value)) for kind, value in chunks)
    return Survey(num_frames, sum(sizes))


def _is_stored(path: str | Path) -> bool:
    return Path(path).is_file() or Path(path).is_dir()
