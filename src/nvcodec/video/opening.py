"""What opening each kind of source takes: description and frames, in the range asked for."""

import contextlib
import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from nvcodec.errors import VideoError
from nvcodec.video import images, y4m
from nvcodec.video.arrays import ArrayFrames
from nvcodec.video.ffmpeg import Between, FfmpegFrames, Others, scaled_frames
from nvcodec.video.info import Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size
from nvcodec.video.raw import DEFAULT_RATE, RawGeometry
from nvcodec.video.scaling import Scale, scaled_size


class Opening:
    """The steps of one call of `open_video`; each `from_...` gives description and frames."""

    def __init__(
        self,
        where: str,
        stack: contextlib.ExitStack,
        frames: tuple[int, int | None],
        between: Between | None,
        rate: Fraction | None,
    ) -> None:
        self.where, self.stack, self.between, self.rate = where, stack, between, rate
        self.start, self.stop = frames
        self.is_scaled = False
        self.origin: FfmpegFrames | None = None
        self.others: list[Others] = []

    def at_rate(self, rate: Fraction) -> None:
        """Turn times asked for into numbers of frames that come at this rate."""
        if self.between is not None:
            start, end = self.between
            rate = self.rate or rate
            self.start = math.ceil(start * rate)
            self.stop = None if end is None else math.ceil(end * rate)

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
        """Y4M that can be sought in."""
        header = y4m.read_header(stream, self.where)
        self.at_rate(header.info.frame_rate)
        offsets = y4m.frame_offsets(stream, header.layout, size, self.stop, self.where)
        count = self.num_in_range(len(offsets))
        stream.seek(offsets[self.start])
        info = replace(header.info, num_frames=count)
        return info, self._y4m_frames(stream, header.layout, self.start, self.start + count)

    def from_y4m_stream(self, stream: IO[bytes]) -> tuple[VideoInfo, Iterator[Planes]]:
        """Y4M from front to back."""
        header = y4m.read_header(stream, self.where)
        self.at_rate(header.info.frame_rate)
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
        """Raw planes; a pipe has no size."""
        info, layout = geometry.info(self.where), geometry.layout
        self.at_rate(info.frame_rate)
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
        """Pictures, through ffmpeg."""
        is_rate_given, rate = rate is not None, rate or DEFAULT_RATE
        if missing := images.gaps(paths):
            warnings.warn(f"{self.where}: {missing} numbers left out", VideoWarning, stacklevel=2)
        if not is_rate_given:
            text = f"{self.where}: no frame rate given, taken as {rate}"
            warnings.warn(text, VideoWarning, stacklevel=2)
        self.at_rate(rate)
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
        """Arrays, which say no rate."""
        if not is_rate_given:
            text = f"{self.where}: no frame rate given, taken as {DEFAULT_RATE}"
            warnings.warn(text, VideoWarning, stacklevel=2)
        info = replace(arrays.info, frame_rate=DEFAULT_RATE)
        self.at_rate(info.frame_rate)
        if info.num_frames is not None:
            info = replace(info, num_frames=self.num_in_range(info.num_frames))
        return info, itertools.islice(arrays, self.start, self.stop)

    def from_ffmpeg(
        self, source: Path | None, **options: Any
    ) -> tuple[VideoInfo, Iterator[Planes]]:
        """Anything else, through ffmpeg."""
        if is_video := not options.get("is_image"):
            if self.rate is not None:
                self.at_rate(self.rate)
            options["frames"] = (self.start, self.stop)
            options["between"] = None if self.rate else self.between
        frames = self.stack.enter_context(FfmpegFrames(source, self.where, **options))
        self.is_scaled = True
        if is_video and self.rate is None:
            self.origin = frames
        if is_video:
            self.others.append(frames.others_at(self.rate))
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
