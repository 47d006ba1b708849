"""Frames out of anything that ffmpeg reads, through a pipe; no ffprobe.

One process does it all: ffmpeg decodes the default video stream, turns it as its metadata says,
keeps every frame once, and negotiates the pixel format of `PIXEL_FORMATS` that loses least. Its
`showinfo` filter tells on standard error what every frame is: size, format, colour tags, aspect,
time, interlaced or not. Ranges of frames are counted here. Range, matrix and depth are never
converted.

ffmpeg reaches only what it was given: the one file, or the pipe, in formats that hold their frames
themselves.

Writing is in encoders.py.
"""

import contextlib
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Self

import ffmpeg

from nvcodec.errors import FfmpegError, UnsupportedVideoError, VideoError
from nvcodec.processes import Child, ffmpeg_path, run
from nvcodec.samples import Chroma
from nvcodec.streams import Stream
from nvcodec.times import FrameTimes
from nvcodec.video.ffmpeg_report import PIXEL_FORMATS, Report, planar_format
from nvcodec.video.info import Planes, VideoInfo, VideoWarning
from nvcodec.video.matroska import mastering_display_in
from nvcodec.video.planar import plane_chunks
from nvcodec.video.scaling import Scale, scale_filter

GLOBAL_OPTIONS = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
SCALE_FLAGS = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"

READ_FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "mxf", "flv", "asf", "ogg",
    "nut", "ivf", "obu", "av1", "h261", "h263", "h264", "hevc", "vvc", "avs2", "avs3",
    "cavsvideo", "dirac", "dnxhd", "vc1", "vc1test", "mjpeg", "mjpeg_2000", "dv", "gif", "apng",
    "webp_anim", "jpegxl_anim", "wtv", "rm", "swf", "yuv4mpegpipe", "image2", "bmp_pipe",
    "dpx_pipe", "exr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "pam_pipe",
    "pbm_pipe", "pcx_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "psd_pipe", "qoi_pipe",
    "sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe", "xbm_pipe", "xpm_pipe", "xwd_pipe",
    "hdr_pipe", "pfm_pipe",
)  # fmt: skip
"""Formats that hold their frames themselves; lists of other files or of hosts are none."""
FIRST_FRAME_S = 60.0
"""How long a file may take until its first frame is there."""


Between = tuple[Fraction, Fraction | None]
"""From when to when, in seconds, the end excluded; None for the end of the source."""


class Others(NamedTuple):
    """What is in a source besides pictures."""

    where: str
    """Name of the source, for messages."""
    path: Path | None
    """The file; None for a pipe."""
    streams: dict[int, Stream]
    """By number."""
    num_chapters: int
    why_not: str = ""
    """Why none of it can be kept; empty if it can."""


class FfmpegFrames:
    """Frames that a running ffmpeg decodes; a context manager and an iterator of planes.

    Args:
        source: A file, or None to feed ffmpeg through its standard input.
        where: Name of the source, for messages.
        feed: Bytes for its standard input, when there is no file.
        input_options: ffmpeg options of the input, such as its format.
        frames: First frame and the one to stop before; None for the end.
        between: Times of the frames wanted, in seconds, the second excluded; None for the end.
        scale: Size to scale to.
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
        between: Between | None = None,
        scale: Scale | None = None,
        is_image: bool = False,
    ) -> None:
        self._where, self._start, self._stop = where, *frames
        self._between, self._source, self._is_image = between, source, is_image
        self._given = range(0)
        self._is_whole = False
        self._report = Report(scale is not None)
        is_forced = bool(input_options)
        name = "pipe:0" if is_forced else "cache:pipe:0"
        protocols = "pipe" if is_forced else "cache,pipe"
        if source is not None:
            name, protocols = f"file:{source}", "file"
        options = {"protocol_whitelist": protocols, **(input_options or {})}
        if not is_forced:
            # In "%" the reader of single pictures sees a pattern, for other files than this one.
            allowed = [f for f in READ_FORMATS if f != "image2" or "%" not in name]
            options["format_whitelist"] = ",".join(allowed)
        outputs = {"format": "rawvideo", "fps_mode": "passthrough", "vf": _filters(scale)}
        command = _command(name, options, outputs)
        self._child = Child(
            command, stdin=feed is not None, stdout=True, on_stderr=self._report.on_line
        )
        try:
            if feed is not None:
                self._child.feed(feed)
            self._await_frame(None if source is None else FIRST_FRAME_S)
            self._report.check(0, where)
            self.info, self._layout = self._report.describe(where, is_image)
            if source is not None and self.info.mastering_display is not None:
                with contextlib.suppress(FfmpegError):
                    corner = run(_command(name, options, _CORNER)).stdout
                    display = mastering_display_in(corner) or self.info.mastering_display
                    self.info = replace(self.info, mastering_display=display)
        except BaseException:
            self.close()
            raise
        if lost := self._report.lost():
            text = f"{where}: not in the file: {', '.join(lost)}"
            warnings.warn(text, VideoWarning, stacklevel=2)

    def _await_frame(self, limit_s: float | None) -> None:
        """Wait until the first frame is described."""
        began = time.monotonic()
        while not self._report.is_ready.wait(0.02) and not self._child.has_ended:
            if limit_s is not None and time.monotonic() > began + limit_s:
                raise VideoError(f"{self._where}: no frame after {limit_s:.0f} s")
        if not self._report.is_ready.is_set():
            self._finish()
            raise VideoError(f"{self._where}: no video frames in it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End ffmpeg."""
        self._child.close()

    def __iter__(self) -> Iterator[Planes]:
        assert self._child.stdout is not None
        number, report = 0, self._report
        while self._stop is None or number < self._stop:
            planes = self._layout.read(self._child.stdout, number, self._where)
            if planes is None:
                self._is_whole = True
                self._finish()
                break
            while report.num_frames <= number and not self._child.has_ended:
                time.sleep(0.001)  # its line is on the way
            place = self._place(number)
            if place > 0:
                break
            if place == 0:
                report.check(number, self._where)
                self._given = range(self._given.start if self._given else number, number + 1)
                yield planes
            number += 1
        if self._given and not self._is_image and not self._raw_times:
            self._warn(
                "frames without times, or with times that do not rise; taken as "
                f"{float(self.info.frame_rate):g} a second"
            )
        if report.num_errors:
            self._warn(
                f"ffmpeg met {report.num_errors} errors while decoding, the first: "
                f"{report.first_error}"
            )

    def _place(self, number: int) -> int:
        """Where a frame lies: -1 before those wanted, 0 among them, 1 behind."""
        if number < self._start:
            return -1
        if self._between is None:
            return 0
        seconds, (start, end) = self._report.clock.seconds(number), self._between
        if seconds is None:
            raise VideoError(
                f"{self._where}: frame {number} has no time", "{frames} goes by number"
            )
        return -1 if seconds < start else int(end is not None and seconds >= end)

    @property
    def _raw_times(self) -> FrameTimes | None:
        return self._report.clock.times(self._given.start, self._given.stop)

    @property
    def times(self) -> FrameTimes | None:
        """When the frames given are shown; None for evenly at the frame rate.

        Known after the last frame. If frames before were cut off, from the first one given on.
        """
        times, first, rate = self._raw_times, self._given.start, self.info.frame_rate
        if self._is_image or times is None or times.is_even(rate, first):
            return None
        times = times.from_first() if first else times
        return None if times.is_even(rate) else times

    @property
    def cut(self) -> Between | None:
        """From when to when the frames given are shown; None if they are all there are."""
        clock, given = self._report.clock, self._given
        if self._is_whole and not given.start:
            return None
        start = clock.seconds(given.start) if given.start else None
        return start or Fraction(0), clock.end(given.stop - 1, self.info.frame_rate)

    def others_at(self, rate: Fraction | None) -> Others:
        """What is in the source besides pictures; under another frame rate it does not fit."""
        why_not = "" if self._source else "from a pipe; a file keeps them"
        if rate is not None:
            why_not = "under another frame rate"
        report = self._report
        return Others(self._where, self._source, report.others, report.num_chapters, why_not)

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self._where}: {text}", VideoWarning, stacklevel=3)

    def _finish(self) -> None:
        try:
            self._child.finish()
        except FfmpegError as error:
            if "not on whitelist" in str(error):
                raise UnsupportedVideoError(
                    f"{self._where}: not a video that is read: a list of other files, a stream "
                    "from a host, or of an unknown kind"
                ) from error
            raise FfmpegError(f"{self._where}: cannot be read: {error}") from error


_SOURCE = "SOURCE"
"""Stands for the input's name while a command is made."""
_CORNER = {
    "format": "matroska",
    "fflags": "+bitexact",  # no random numbers, in which anything could be found
    "vcodec": "ffv1",
    "vframes": 1,
    "vf": "crop=min(16\\,iw):min(16\\,ih)",
}
"""The least that says what is stated beside the frames."""


def _command(name: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> list[str]:
    """From one input to standard output."""
    command: list[str] = (
        ffmpeg.input(_SOURCE, **inputs)
        .output("pipe:1", **outputs)
        .compile(cmd=[ffmpeg_path(), *GLOBAL_OPTIONS])
    )
    command[command.index(_SOURCE)] = name  # which need not be text
    return command


def _filters(scale: Scale | None) -> str:
    chain = ["showinfo=checksum=0"]
    if scale is not None:
        chain.append(f"scale={scale_filter(scale)}:flags={SCALE_FLAGS}")
    chain += [f"format={'|'.join(PIXEL_FORMATS)}", "showinfo=checksum=0"]
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
    is_rgb = info.chroma is Chroma.RGB
    options = {
        "format": "rawvideo",
        "pixel_format": planar_format(info, where),
        "s": f"{info.width}x{info.height}",
    }
    order = (1, 2, 0) if is_rgb else range(info.chroma.num_planes)
    chunks = (c for planes in frames for c in plane_chunks(tuple(planes[i] for i in order)))
    return FfmpegFrames(None, where, feed=chunks, input_options=options, scale=scale)
