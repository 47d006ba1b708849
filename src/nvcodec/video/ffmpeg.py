"""Frames out of anything that ffmpeg reads, through a pipe; no ffprobe.

One process does it all: ffmpeg decodes the default video stream, turns it as its metadata says,
keeps every frame once, and negotiates the pixel format of `PIXEL_FORMATS` that loses least. Its
`showinfo` filter then tells on standard error what comes out of the pipe: size, format, colour
tags, aspect, frame rate. Deeper samples come through as they are and are rounded to 8 bits here, as
for every other source. Range and matrix are never converted.

Writing is in encoders.py.
"""

import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import ffmpeg

from nvcodec.errors import FfmpegError, UnsupportedVideoError, VideoError
from nvcodec.processes import Child, ffmpeg_path
from nvcodec.samples import Chroma
from nvcodec.video import cicp
from nvcodec.video.info import UNSPECIFIED, ColorTags, Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size, plane_chunks, warn_depth

GLOBAL_OPTIONS = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
SCALE_FLAGS = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"

_PLANAR = {
    "yuv420p": Chroma.YUV420,
    "yuv422p": Chroma.YUV422,
    "yuv444p": Chroma.YUV444,
    "gray": Chroma.GRAY,
}
_DEPTHS = {"": 8, "10le": 10, "12le": 12, "16le": 16}
PIXEL_FORMATS: dict[str, tuple[Chroma, int]] = {
    **{name + end: (chroma, d) for name, chroma in _PLANAR.items() for end, d in _DEPTHS.items()},
    "yuvj420p": (Chroma.YUV420, 8),
    "yuvj422p": (Chroma.YUV422, 8),
    "yuvj444p": (Chroma.YUV444, 8),
    "rgb24": (Chroma.RGB, 8),
    "rgb48le": (Chroma.RGB, 16),
}
"""Formats that may come out of the pipe. Old versions of ffmpeg say yuvj for full range."""

_RATE = re.compile(r"config in time_base: \S+ frame_rate: (\d+)/(\d+)")
_FRAME = re.compile(r"\bn: *(\d+) .*\bfmt:(\w+) .*\bsar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\S)")
_COLOR = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")


class _Report:
    """What ffmpeg says on standard error, picked up line by line on the draining thread."""

    def __init__(self) -> None:
        self.is_ready = threading.Event()
        self.rate: Fraction | None = None
        self.frame: re.Match[str] | None = None
        self.color: re.Match[str] | None = None
        self.num_audio = 0
        self.num_errors = 0
        self.first_error = ""
        self.num_frames = 0
        self.change = ""
        self.changed_at = 0

    def on_line(self, line: str) -> bool:
        """Take note of a line; says whether it belongs into an error message."""
        if "[Parsed_showinfo" in line:
            self._on_showinfo(line)
            return False
        if re.search(r"Stream #0:\d.*: Audio:", line):
            self.num_audio += 1
        is_cache = line.startswith("[cache ")  # it tries to seek in a pipe, and does without
        if ("[error]" in line or "[fatal]" in line) and not is_cache:
            self.num_errors += 1
            self.first_error = self.first_error or re.sub(r"^(\[[^]]*\] )+", "", line)
        return True

    def _on_showinfo(self, line: str) -> None:
        if match := _FRAME.search(line):
            if self.frame is None:
                self.frame = match
            elif match.group(2, 5, 6) != self.frame.group(2, 5, 6) and not self.change:
                self.changed_at = self.num_frames
                self.change = f"{match[5]}x{match[6]} {match[2]}"
            self.num_frames += 1
        elif (match := _COLOR.search(line)) and self.color is None and self.frame is not None:
            self.color = match
            self.is_ready.set()
        elif (match := _RATE.search(line)) and self.rate is None and int(match[1]) * int(match[2]):
            self.rate = Fraction(int(match[1]), int(match[2]))

    def describe(self, where: str, is_image: bool) -> tuple[VideoInfo, FrameLayout]:
        """Description and layout of the frames, from the first one's line."""
        assert self.frame is not None
        assert self.color is not None
        name, scan = self.frame[2], self.frame[7]
        width, height = int(self.frame[5]), int(self.frame[6])
        check_size(width, height, where)
        if scan in "TB":
            raise UnsupportedVideoError(
                f"{where}: interlaced video ({'top' if scan == 'T' else 'bottom'} field first); "
                "only progressive is coded: deinterlace it first, for example with ffmpeg -vf bwdif"
            )
        chroma, depth = PIXEL_FORMATS[name]
        span, matrix, primaries, transfer = self.color.groups()
        is_full = (chroma is Chroma.RGB or span == "pc" or name.startswith("yuvj")) or (
            is_image and chroma is Chroma.GRAY
        )
        color = ColorTags(
            "full" if is_full else "limited",
            cicp.code_of(cicp.PRIMARIES, primaries),
            cicp.code_of(cicp.TRANSFER, transfer),
            _matrix(chroma, matrix),
        )
        aspect = int(self.frame[3]), int(self.frame[4])
        sar = Fraction(*aspect) if all(aspect) else Fraction(1)
        if self.rate is None:
            warnings.warn(f"{where}: no frame rate, taken as 25", VideoWarning, stacklevel=2)
        info = VideoInfo(width, height, chroma, self.rate or Fraction(25), sar, color)
        is_packed = chroma is Chroma.RGB
        return info, FrameLayout(width, height, chroma, depth, is_full, is_packed)


class FfmpegFrames:
    """Frames that a running ffmpeg decodes; a context manager and an iterator of planes.

    Args:
        source: A file, or None to feed ffmpeg through its standard input.
        where: Name of the source, for messages.
        feed: Bytes for its standard input, when there is no file.
        input_options: ffmpeg options of the input, such as its format.
        frames: First frame and the one to stop before; None for the end.
        scale: Width and height to scale to.
        is_image: Whether the source is made of still images.

    Raises:
        VideoError: Nothing in there that ffmpeg reads as video.
        UnsupportedVideoError: Interlaced, or of a size that is not read.
    """

    def __init__(
        self,
        source: Path | None,
        where: str,
        *,
        feed: Iterable[bytes | memoryview] | None = None,
        input_options: dict[str, Any] | None = None,
        frames: tuple[int, int | None] = (0, None),
        scale: tuple[int, int] | None = None,
        is_image: bool = False,
    ) -> None:
        self._where = where
        self._report = _Report()
        name = "cache:pipe:0" if source is None and not input_options else "pipe:0"
        if source is not None:
            name = f"file:{source}"
        command = (
            ffmpeg.input(name, **(input_options or {}))
            .output("pipe:1", format="rawvideo", fps_mode="passthrough", vf=_filters(frames, scale))
            .compile(cmd=[ffmpeg_path(), *GLOBAL_OPTIONS])
        )
        self._child = Child(
            command, stdin=feed is not None, stdout=True, on_stderr=self._report.on_line
        )
        try:
            if feed is not None:
                self._child.feed(feed)
            while not self._report.is_ready.wait(0.02) and not self._child.has_ended:
                pass
            if not self._report.is_ready.is_set():
                self._finish()
                raise VideoError(f"{where}: no video frames in it, or none in the range asked for")
            self.info, self._layout = self._report.describe(where, is_image)
        except BaseException:
            self.close()
            raise
        if self._layout.depth > 8:
            warn_depth(self._layout.depth, where)
        if self._report.num_audio:
            warnings.warn(f"{where}: audio ignored", VideoWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End ffmpeg."""
        self._child.close()

    def __iter__(self) -> Iterator[Planes]:
        assert self._child.stdout is not None
        number = 0
        while True:
            planes = self._layout.read(self._child.stdout, number, self._where)
            if planes is None:
                break
            if self._report.change and self._report.changed_at <= number:
                break
            yield planes
            number += 1
        if planes is None:
            self._finish()
        self._refuse_change()
        if self._report.num_errors:
            warnings.warn(
                f"{self._where}: ffmpeg met {self._report.num_errors} errors while decoding, "
                f"the first: {self._report.first_error}",
                VideoWarning,
                stacklevel=2,
            )

    def _finish(self) -> None:
        try:
            self._child.finish()
        except FfmpegError as error:
            raise FfmpegError(f"{self._where}: cannot be read: {error}") from error

    def _refuse_change(self) -> None:
        if self._report.change:
            raise UnsupportedVideoError(
                f"{self._where}: frame {self._report.changed_at} is {self._report.change}, "
                f"the first is {self.info.width}x{self.info.height}; all frames must be alike"
            )


def _matrix(chroma: Chroma, name: str) -> int:
    """Code of the matrix; RGB and grey have none, whatever ffmpeg says of them."""
    if chroma is Chroma.RGB:
        return 0
    return UNSPECIFIED if chroma is Chroma.GRAY else cicp.code_of(cicp.MATRIX, name)


def _filters(frames: tuple[int, int | None], scale: tuple[int, int] | None) -> str:
    start, stop = frames
    chain = []
    if start or stop is not None:
        chain.append(f"trim=start_frame={start}" + ("" if stop is None else f":end_frame={stop}"))
    if scale is not None:
        chain.append(f"scale={scale[0]}:{scale[1]}:flags={SCALE_FLAGS}")
    chain += [f"format={'|'.join(PIXEL_FORMATS)}", "showinfo=checksum=0"]
    chain += ["setpts=N/FRAME_RATE/TB"]  # even times, so that no two frames of a VFR source collide
    return ",".join(chain)


def probe(source: Path) -> VideoInfo:
    """Description of a file's default video stream, without its number of frames."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        with FfmpegFrames(source, str(source), frames=(0, 1)) as frames:
            return frames.info


def scaled_frames(
    frames: Iterable[Planes], info: VideoInfo, scale: tuple[int, int], where: str
) -> FfmpegFrames:
    """Frames of another source, scaled as those that ffmpeg reads itself.

    The `info` of the result knows size and chroma only.
    """
    name = next(n for n, known in PIXEL_FORMATS.items() if known == (info.chroma, 8))
    is_rgb = info.chroma is Chroma.RGB
    options = {
        "format": "rawvideo",
        "pixel_format": "gbrp" if is_rgb else name,
        "s": f"{info.width}x{info.height}",
    }
    order = (1, 2, 0) if is_rgb else range(info.chroma.num_planes)
    chunks = (c for planes in frames for c in plane_chunks(tuple(planes[i] for i in order)))
    return FfmpegFrames(None, where, feed=chunks, input_options=options, scale=scale)
