"""Opening a video of any kind: which reader a source needs, and one face for all of them.

Y4M (by content), raw .yuv      native, y4m.py and raw.py
pictures, all else              ffmpeg.py
arrays of numpy                 arrays.py
`scale` on a native source      its frames go through ffmpeg for this
"""

import contextlib
import io
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from nvcodec.errors import VideoError
from nvcodec.segments import Part
from nvcodec.times import VideoTimes
from nvcodec.video import images, y4m
from nvcodec.video.arrays import ArrayFrames
from nvcodec.video.ffmpeg import Between, FfmpegFrames, Others
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.opening import Opening
from nvcodec.video.planar import STANDARD_INPUT, check_size, rounded_to_8_bits
from nvcodec.video.raw import RAW_SUFFIXES, RawGeometry
from nvcodec.video.scaling import KEPT, Scale

SNIFFED_BYTES = 10
CHUNK_BYTES = 1 << 16


class VideoReader:
    """An open video: `info`, and every frame once when iterated. A context manager."""

    def __init__(
        self,
        info: VideoInfo,
        frames: Iterator[Planes],
        where: str,
        stack: contextlib.ExitStack,
        origin: FfmpegFrames | None = None,
    ) -> None:
        self.info = info
        self.parts: Sequence[Part] = ()
        """Where each of several videos begins, known after the last frame (`open_videos`)."""
        self.joined: Sequence[VideoTimes] = ()
        """Times of each of several videos, known then too."""
        self.others: list[Others] = []
        """What the sources have besides pictures."""
        self._origin, self._num_frames = origin, 0
        self._frames = frames
        self._where = where
        self._stack = stack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free files and processes."""
        self._stack.close()

    @property
    def times(self) -> list[VideoTimes]:
        """Number of frames and times of each video in it, known after the last frame."""
        own = self._num_frames, self._origin.times if self._origin else None
        return [*self.joined] or [own]

    @property
    def cut(self) -> Between | None:
        """From when to when it was cut out of its source, known then; None if it is all of it."""
        return self._origin.cut if self._origin else None

    def first(self, count: int) -> list[Planes]:
        """The first frames, at most `count`; iterating gives them all the same.

        Raises:
            VideoError: The content is broken.
        """
        taken = list(itertools.islice(self._frames, count))
        self._frames = itertools.chain(taken, self._frames)
        return taken

    def __iter__(self) -> Iterator[Planes]:
        """Frames in order.

        Raises:
            VideoError: The content is broken, or not as many frames as announced.
        """
        count = 0
        for planes in self._frames:
            yield planes
            count += 1
        if count == 0:
            raise VideoError(f"{self._where}: no frames in it, or none in the range asked for")
        if self.info.num_frames not in (None, count):
            raise VideoError(f"{self._where}: {count} frames read of {self.info.num_frames}")
        self._num_frames = count


Source = str | Path | BinaryIO | list[Path] | ArrayFrames


def open_video(
    source: Source,
    *,
    frames: slice | None = None,
    scale: Scale | None = None,
    frame_rate: Fraction | None = None,
    raw: RawGeometry | None = None,
    depth: int | None = None,
    between: Between | None = None,
) -> VideoReader:
    """Open a video for reading, in its own samples.

    Args:
        source: A file, a folder of PNG or JPEG pictures, a printf pattern of pictures, a list of
            pictures, a binary stream, `-` for standard input, or arrays.
        frames: Frames wanted, `slice(start, stop)`; a stop behind the end means the end.
        scale: Size to scale to, by ffmpeg with Lanczos; range and matrix stay.
        frame_rate: What to take as frame rate instead of what the source says (pictures: instead of
            25). Frames are neither dropped nor repeated.
        raw: Geometry of a raw planar source, instead of the one in its name.
        depth: 8 rounds deeper samples to 8 bits; None keeps them.
        between: Instead of `frames`: those shown from one time on and before another, in seconds,
            or to the end.

    Raises:
        VideoError: It is not there or cannot be read.
        UnsupportedVideoError: It is understood but not coded here, such as interlaced video.
        ToolMissingError: It needs ffmpeg, and there is none.
    """
    span = _range(frames)
    if between is not None and (between[0] < 0 or (between[1] or between[0] + 1) <= between[0]):
        raise ValueError(f"between {between}; allowed are times >= 0, the second one later")
    if isinstance(scale, tuple) and KEPT not in scale:
        check_size(*scale, "scale")
    if frame_rate is not None and frame_rate <= 0:
        raise ValueError(f"frame rate {frame_rate}; allowed are those above 0")
    if depth not in (None, 8):
        raise ValueError(f"depth {depth}; allowed are 8 and None, the source's own")
    where = _name(source)
    with contextlib.ExitStack() as stack:
        opening = Opening(where, stack, span, between, frame_rate)
        info, planes = _dispatch(opening, source, scale, frame_rate, raw)
        if scale is not None and not opening.is_scaled:
            info, planes = opening.scaled(info, planes, scale)
        if frame_rate is not None:
            info = replace(info, frame_rate=frame_rate)
        if depth == 8 and info.depth > 8:
            info, planes = _rounded(info, planes)
        reader = VideoReader(info, planes, where, stack.pop_all(), opening.origin)
        reader.others = opening.others
        return reader


def _rounded(info: VideoInfo, frames: Iterator[Planes]) -> tuple[VideoInfo, Iterator[Planes]]:
    """The same video with 8 bits a sample."""
    deep, is_full = info.depth, info.color.range == "full"
    rounded = (tuple(rounded_to_8_bits(plane, deep, is_full) for plane in f) for f in frames)
    return replace(info, depth=8), rounded


def _dispatch(
    opening: Opening,
    source: Source,
    scale: Scale | None,
    frame_rate: Fraction | None,
    raw: RawGeometry | None,
) -> tuple[VideoInfo, Iterator[Planes]]:
    """Description and frames of a source; only those read by ffmpeg are scaled already."""
    if raw is not None and frame_rate is not None:
        raw = replace(raw, frame_rate=frame_rate)
    if source == "-":
        return _from_stream(opening, sys.stdin.buffer, scale, raw)
    if isinstance(source, list):
        return opening.from_images(images.checked(source, opening.where), frame_rate, scale)
    if isinstance(source, ArrayFrames):
        return opening.from_arrays(source, frame_rate is not None)
    if not isinstance(source, str | os.PathLike):
        return _from_stream(opening, source, scale, raw)
    path = Path(source)
    try:
        is_there = path.exists()
    except OSError as error:
        raise VideoError(f"{source}: cannot be read: {error.strerror}") from error
    if not is_there:
        if images.is_pattern(str(source)):
            paths = images.checked(images.matching(path), opening.where)
            return opening.from_images(paths, frame_rate, scale)
        raise VideoError(f"{source}: no such file")
    if path.is_dir():
        return opening.from_images(images.pictures_in(path), frame_rate, scale)
    try:
        stream = opening.stack.enter_context(path.open("rb"))
        if not path.is_file():
            return _from_stream(opening, stream, scale, raw)
        first, size = stream.read(SNIFFED_BYTES), os.fstat(stream.fileno()).st_size
        stream.seek(0)
    except OSError as error:
        raise VideoError(f"{source}: cannot be read: {error.strerror}") from error
    if images.is_picture(path):
        return opening.from_images([path], frame_rate, scale)
    if size == 0:
        raise VideoError(f"{source}: the file is empty")
    if y4m.is_y4m(first):
        return opening.from_y4m_file(stream, size)
    if raw is not None or path.suffix.lower() in RAW_SUFFIXES:
        geometry = raw or RawGeometry.from_name(path.name)
        if frame_rate is not None:
            geometry = replace(geometry, frame_rate=frame_rate)
        return opening.from_raw(stream, size, geometry)
    real = Path(os.path.realpath(path))  # a child has other descriptors than /dev/fd/3
    if not os.path.samestat(os.fstat(stream.fileno()), real.stat()):
        return _from_stream(opening, stream, scale, raw)
    return opening.from_ffmpeg(real, scale=scale)


def _from_stream(
    opening: Opening,
    stream: IO[bytes],
    scale: Scale | None,
    raw: RawGeometry | None,
) -> tuple[VideoInfo, Iterator[Planes]]:
    first = b""
    while len(first) < SNIFFED_BYTES and (more := stream.read(SNIFFED_BYTES - len(first))):
        first += more
    if not first:
        raise VideoError(f"{opening.where}: nothing came in")
    whole = io.BufferedReader(_Rejoined(first, stream), CHUNK_BYTES)
    if y4m.is_y4m(first):
        return opening.from_y4m_stream(whole)
    if raw is not None:
        return opening.from_raw(whole, None, raw)
    return opening.from_ffmpeg(None, feed=iter(lambda: whole.read1(CHUNK_BYTES), b""), scale=scale)


class _Rejoined(io.RawIOBase):
    """A stream with the bytes that were taken from it to look at put back; does not close it."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk, self._first = self._first[: len(buffer)], self._first[len(buffer) :]
        if not chunk:
            read = getattr(self._rest, "read1", self._rest.read)
            chunk = read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _name(source: Source) -> str:
    if source == "-":
        return STANDARD_INPUT
    if isinstance(source, list):
        return f"{source[0]} and {len(source) - 1} more"
    is_path = isinstance(source, str | os.PathLike)
    return str(source if is_path else getattr(source, "name", "stream"))


def _range(frames: slice | None) -> tuple[int, int | None]:
    frames = frames or slice(None)
    start, stop = frames.start or 0, frames.stop
    if frames.step not in (None, 1) or start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"frames {frames}; allowed are start and stop >= 0, start < stop, step 1")
    return start, stop
