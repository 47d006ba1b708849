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
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from nvcodec.errors import VideoError
from nvcodec.segments import Part
from nvcodec.video import images, y4m
from nvcodec.video.arrays import ArrayFrames
from nvcodec.video.ffmpeg import FfmpegFrames, scaled_frames
from nvcodec.video.info import Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size, rounded_to_8_bits
from nvcodec.video.raw import DEFAULT_RATE, RAW_SUFFIXES, RawGeometry
from nvcodec.video.scaling import KEPT, Scale, scaled_size

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
        parts: Sequence[Part] = (),
    ) -> None:
        self.info = info
        self.parts = parts
        """Where each of several videos begins, known after the last frame (`open_videos`)."""
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


class _Opening:
    """The steps of one call of `open_video`; each `from_...` gives description and frames."""

    def __init__(
        self, where: str, stack: contextlib.ExitStack, start: int, stop: int | None
    ) -> None:
        self.where, self.stack, self.start, self.stop = where, stack, start, stop
        self.is_scaled = False

    def num_in_range(self, total: int) -> int:
        """How many of so many frames are asked for."""
        stop = total if self.stop is None else min(self.stop, total)
        if stop <= self.start:
            raise VideoError(
                f"{self.where}: frames {self.start}:{'' if self.stop is None else self.stop} "
                f"asked for, it has {total}"
            )
        return stop - self.start

    def from_y4m_file(self, stream: IO[bytes], size: int) -> tuple[VideoInfo, Iterator[Planes]]:
        header = y4m.read_header(stream, self.where)
        offsets = y4m.frame_offsets(stream, header.layout, size, self.stop, self.where)
        count = self.num_in_range(len(offsets))
        stream.seek(offsets[self.start])
        info = replace(header.info, num_frames=count)
        return info, self._y4m_frames(stream, header.layout, self.start, self.start + count)

    def from_y4m_stream(self, stream: IO[bytes]) -> tuple[VideoInfo, Iterator[Planes]]:
        header = y4m.read_header(stream, self.where)
        return header.info, self._y4m_frames(stream, header.layout, 0, self.stop)

    def _y4m_frames(
        self, stream: IO[bytes], layout: FrameLayout, number: int, stop: int | None
    ) -> Iterator[Planes]:
        while stop is None or number < stop:
            planes = y4m.read_frame(stream, layout, number, self.where)
            if planes is None:
                return
            if number >= self.start:
                yield planes
            number += 1

    def from_raw(
        self, stream: IO[bytes], size: int | None, geometry: RawGeometry
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        info, layout = geometry.info(self.where), geometry.layout
        number = 0
        if size is not None:
            total, rest = divmod(size, layout.num_bytes)
            if rest and (self.stop is None or self.stop > total):
                raise VideoError(
                    f"{self.where}: frame {total} is cut off: {rest} bytes of {layout.num_bytes} "
                    f"are there; or the geometry is not {info.width}x{info.height} {info.chroma}"
                )
            info = replace(info, num_frames=self.num_in_range(total))
            stream.seek(self.start * layout.num_bytes)
            number = self.start
        return info, self._raw_frames(stream, layout, number)

    def _raw_frames(self, stream: IO[bytes], layout: FrameLayout, number: int) -> Iterator[Planes]:
        while self.stop is None or number < self.stop:
            planes = layout.read(stream, number, self.where)
            if planes is None:
                return
            if number >= self.start:
                yield planes
            number += 1

    def from_images(
        self, paths: list[Path], rate: Fraction | None, scale: Scale | None
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        is_rate_given, rate = rate is not None, rate or DEFAULT_RATE
        if missing := images.gaps(paths):
            warnings.warn(f"{self.where}: {missing} numbers left out", VideoWarning, stacklevel=2)
        if not is_rate_given:
            text = f"{self.where}: no frame rate given, taken as {rate}"
            warnings.warn(text, VideoWarning, stacklevel=2)
        count = self.num_in_range(len(paths))
        paths = paths[self.start : self.start + count]
        options = {
            "format": "image2pipe",
            "vcodec": images.DECODERS[paths[0].suffix.lower()],
            "framerate": f"{rate.numerator}/{rate.denominator}",
        }
        info, frames = self.from_ffmpeg(
            None, feed=images.contents(paths), input_options=options, scale=scale, is_image=True
        )
        return replace(info, num_frames=count, frame_rate=rate), frames

    def from_arrays(
        self, arrays: ArrayFrames, is_rate_given: bool
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        if not is_rate_given:
            text = f"{self.where}: no frame rate given, taken as {DEFAULT_RATE}"
            warnings.warn(text, VideoWarning, stacklevel=2)
        info = replace(arrays.info, frame_rate=DEFAULT_RATE)
        if info.num_frames is not None:
            info = replace(info, num_frames=self.num_in_range(info.num_frames))
        return info, itertools.islice(arrays, self.start, self.stop)

    def from_ffmpeg(
        self, source: Path | None, **options: Any
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        if not options.get("is_image"):
            options["frames"] = (self.start, self.stop)
        frames = self.stack.enter_context(FfmpegFrames(source, self.where, **options))
        self.is_scaled = True
        return frames.info, iter(frames)

    def scaled(
        self, info: VideoInfo, frames: Iterator[Planes], scale: Scale
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        """The same video in another size and of the same shape on the screen."""
        scale = scaled_size(scale, info.width, info.height)
        if scale == (info.width, info.height):
            return info, frames
        check_size(*scale, "scale")
        through = self.stack.enter_context(scaled_frames(frames, info, scale, self.where))
        width, height = scale
        stretch = Fraction(info.width * height, info.height * width)
        info = replace(
            info,
            width=width,
            height=height,
            sample_aspect_ratio=info.sample_aspect_ratio * stretch,
        )
        return info, iter(through)


Source = str | Path | BinaryIO | list[Path] | ArrayFrames


def open_video(
    source: Source,
    *,
    frames: slice | None = None,
    scale: Scale | None = None,
    frame_rate: Fraction | None = None,
    raw: RawGeometry | None = None,
    depth: int | None = None,
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

    Raises:
        VideoError: It is not there or cannot be read.
        UnsupportedVideoError: It is understood but not coded here, such as interlaced video.
        ToolMissingError: It needs ffmpeg, and there is none.
    """
    start, stop = _range(frames)
    if isinstance(scale, tuple) and KEPT not in scale:
        check_size(*scale, "scale")
    if frame_rate is not None and frame_rate <= 0:
        raise ValueError(f"frame rate {frame_rate}; allowed are those above 0")
    if depth not in (None, 8):
        raise ValueError(f"depth {depth}; allowed are 8 and None, the source's own")
    where = _name(source)
    with contextlib.ExitStack() as stack:
        opening = _Opening(where, stack, start, stop)
        info, planes = _dispatch(opening, source, scale, frame_rate, raw)
        if scale is not None and not opening.is_scaled:
            info, planes = opening.scaled(info, planes, scale)
        if frame_rate is not None:
            info = replace(info, frame_rate=frame_rate)
        if depth == 8 and info.depth > 8:
            info, planes = _rounded(info, planes)
        return VideoReader(info, planes, where, stack.pop_all())


def _rounded(info: VideoInfo, frames: Iterator[Planes]) -> tuple[VideoInfo, Iterator[Planes]]:
    """The same video with 8 bits a sample."""
    deep, is_full = info.depth, info.color.range == "full"
    rounded = (tuple(rounded_to_8_bits(plane, deep, is_full) for plane in f) for f in frames)
    return replace(info, depth=8), rounded


def _dispatch(
    opening: _Opening,
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
    opening: _Opening,
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
        return "standard input"
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
