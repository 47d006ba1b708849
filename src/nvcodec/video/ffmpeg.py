"""Frames out of anything that ffmpeg reads, through a pipe; no ffprobe.

One process does it all: ffmpeg decodes the default video stream, turns it as its metadata says,
keeps every frame once, and negotiates the pixel format of `PIXEL_FORMATS` that loses least. Its
`showinfo` filter tells on standard error what every frame is: size, format, colour tags, aspect,
time, interlaced or not. Ranges of frames are counted here. Deeper samples come through as they are
and are rounded to 8 bits here, as for every other source. Range and matrix are never converted.

ffmpeg reaches only what it was given: the one file, or the pipe, in formats that hold their frames
themselves.

Writing is in encoders.py.
"""

import collections
import contextlib
import itertools
import re
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import ffmpeg

from nvcodec.errors import FfmpegError, UnsupportedVideoError, VideoError
from nvcodec.processes import Child, ffmpeg_path
from nvcodec.samples import SITINGS, Chroma
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
YUV_CODECS = (
    "h261", "h263", "h264", "hevc", "vvc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video",
    "mpeg4", "ffv1", "prores", "dnxhd", "dirac", "theora", "vc1", "wmv3", "dvvideo",
)  # fmt: skip
"""Codecs whose grey is luma, of limited range where nothing else is stated."""
ROUNDING_S, UNEVEN = 0.0025, 0.1
"""How much the lengths of frames may differ: a container's rounding, a share of the mean."""
FIRST_FRAME_S = 60.0
"""How long a file may take until its first frame is there."""

_RATE = re.compile(r"config in time_base: \S+ frame_rate: (\d+)/(\d+)")
_FRAME = re.compile(
    r"\bn: *\d+ .*\bpts_time:(?P<time>\S+) .*\bfmt:(?P<format>\w+) (?:cl:(?P<siting>\S+) )?"
    r".*\bsar:(?P<sar>\d+/\d+) s:(?P<size>\d+x\d+) i:(?P<scan>\S)"
)
_TRANSFERS = "|".join(sorted({*cicp.TRANSFER.values(), "unknown", "reserved"}, reverse=True))
_COLOR = re.compile(  # ffmpeg may write the words of another thread behind the last one
    rf"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:({_TRANSFERS})"
)
_STREAM = re.compile(r"\[info\] +Stream #0:(\d+)\S*: (\w+): (\w+)")
_ERROR = re.compile(r"(\[[^]]* @ [^]]*\] )*\[(error|fatal)\] ")
_HARMLESS = "[cache ", "[rawvideo @ "
"""Who complains of what is none: a pipe that cannot seek, equal times, which we do not use."""
_ALPHA = re.compile(r"rgba.*|bgra|argb|abgr|ya(8|16).*|yuva.*|gbrap.*|pal8")


class _Report:
    """What ffmpeg says on standard error, picked up line by line on the draining thread.

    `showinfo` stands at both ends of the filters: at the first every frame is looked at as the
    source has it, from the last one we learn what comes out of the pipe.
    """

    def __init__(self, is_scaled: bool) -> None:
        self.is_ready = threading.Event()
        self.rate: Fraction | None = None
        self.given: re.Match[str] | None = None
        """First frame of the source."""
        self.frame: re.Match[str] | None = None
        """The same as it comes out of the pipe."""
        self.color: re.Match[str] | None = None
        self.streams: dict[int, tuple[str, str]] = {}
        """Kind and codec by number."""
        self.used = 0
        self.num_errors = 0
        self.first_error = ""
        self.num_frames = 0
        self.refused: dict[int, str] = {}
        """What is wrong with frames, by number."""
        self.times: list[float] = []
        """When the source shows its frames, in seconds."""
        self._is_scaled = is_scaled
        self._given_color: re.Match[str] | None = None
        self._num_given = 0

    def on_line(self, line: str) -> bool:
        """Take note of a line; says whether it belongs into an error message."""
        if line.startswith("[Parsed_showinfo_"):
            self._on_showinfo(line, is_first=line.startswith("[Parsed_showinfo_0 "))
            return False
        if (match := _STREAM.match(line)) and not self.is_ready.is_set():
            self.streams.setdefault(int(match[1]), (match[2], match[3]))
        if match := re.match(r"\[info\] +Stream #0:(\d+) -> #0:0 ", line):
            self.used = int(match[1])
        if _ERROR.match(line) and not line.startswith(_HARMLESS):
            self.num_errors += 1
            self.first_error = self.first_error or re.sub(r"^(\[[^]]*\] )+", "", line)
        return True

    def _on_showinfo(self, line: str, is_first: bool) -> None:
        if match := _FRAME.search(line):
            if is_first:
                self._on_given(match)
            else:
                self.frame = self.frame or match
                self.num_frames += 1
        elif match := _COLOR.search(line):
            if is_first:
                self._given_color = self._given_color or match
                if match.groups() != self._given_color.groups():
                    names = ", ".join(name for name in match.groups() if name != "unknown")
                    self._refuse(self._num_given - 1, f"has other colours: {names}")
            elif self.color is None and self.frame is not None:
                self.color = match
                self.is_ready.set()
        elif (match := _RATE.search(line)) and self.rate is None and int(match[1]) * int(match[2]):
            self.rate = Fraction(int(match[1]), int(match[2]))

    def _on_given(self, match: re.Match[str]) -> None:
        number = self._num_given
        self._num_given += 1
        self.given = first = self.given or match
        if match["scan"] in "TB":
            first_field = "top" if match["scan"] == "T" else "bottom"
            self._refuse(
                number,
                f"is interlaced ({first_field} field first); only progressive is coded: "
                "deinterlace it first, for example with ffmpeg -vf bwdif",
            )
        if not self._is_scaled and match["size"] != first["size"]:
            self._refuse(
                number, f"is {match['size']}, the first is {first['size']}; all must be alike"
            )
        elif match["format"] != first["format"]:
            self._refuse(number, f"is {match['format']}, the first is {first['format']}")
        with contextlib.suppress(ValueError):  # no time
            self.times.append(float(match["time"]))

    def _refuse(self, number: int, why: str) -> None:
        self.refused.setdefault(number, why)

    def check(self, number: int, where: str) -> None:
        """Refuse a frame that differs from the first in what is stated once for all."""
        if number in self.refused:
            raise UnsupportedVideoError(f"{where}: frame {number} {self.refused[number]}")

    @property
    def is_uneven(self) -> bool:
        """Whether some frames are shown longer than others, by more than times are rounded."""
        lengths = [b - a for a, b in itertools.pairwise(self.times)]
        if not lengths:
            return False
        return max(lengths) - min(lengths) > max(ROUNDING_S, UNEVEN * self.times[-1] / len(lengths))

    def lost(self) -> list[str]:
        """What of the source will not be in the file."""
        counts = collections.Counter(
            kind.lower() for number, (kind, _) in self.streams.items() if number != self.used
        )
        lost = [f"{count} {kind} stream{'s' * (count > 1)}" for kind, count in counts.items()]
        if self.given is not None and _ALPHA.fullmatch(self.given["format"]):
            lost.append("alpha")
        return lost

    def describe(self, where: str, is_image: bool) -> tuple[VideoInfo, FrameLayout]:
        """Description and layout of the frames, from the first one's line."""
        assert self.frame is not None
        assert self.color is not None
        name = self.frame["format"]
        width, height = (int(side) for side in self.frame["size"].split("x"))
        check_size(width, height, where)
        chroma, depth = PIXEL_FORMATS[name]
        span, matrix, primaries, transfer = self.color.groups()
        is_full = chroma is Chroma.RGB or span == "pc" or name.startswith("yuvj")
        if chroma is Chroma.GRAY and span != "tv":
            codec = self.streams.get(self.used, ("", ""))[1]
            is_full = is_full or is_image or codec not in YUV_CODECS
        color = ColorTags(
            "full" if is_full else "limited",
            cicp.code_of(cicp.PRIMARIES, primaries),
            cicp.code_of(cicp.TRANSFER, transfer),
            _matrix(chroma, matrix),
        )
        sar = Fraction(1)
        with contextlib.suppress(ZeroDivisionError):
            sar = Fraction(self.frame["sar"]) or sar
        if self.rate is None:
            warnings.warn(f"{where}: no frame rate, taken as 25", VideoWarning, stacklevel=2)
        given = self.given["siting"] if self.given is not None else None
        siting = given if given in SITINGS and chroma in (Chroma.YUV420, Chroma.YUV422) else None
        rate = self.rate or Fraction(25)
        info = VideoInfo(width, height, chroma, rate, sar, color, siting=siting)
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
        self._where, self._start, self._stop = where, *frames
        self._report = _Report(scale is not None)
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
        command = (
            ffmpeg.input(_SOURCE, **options)
            .output("pipe:1", format="rawvideo", fps_mode="passthrough", vf=_filters(scale))
            .compile(cmd=[ffmpeg_path(), *GLOBAL_OPTIONS])
        )
        command[command.index(_SOURCE)] = name  # which need not be text
        self._child = Child(
            command, stdin=feed is not None, stdout=True, on_stderr=self._report.on_line
        )
        try:
            if feed is not None:
                self._child.feed(feed)
            self._await_frame(None if source is None else FIRST_FRAME_S)
            self._report.check(0, where)
            self.info, self._layout = self._report.describe(where, is_image)
        except BaseException:
            self.close()
            raise
        if self._layout.depth > 8:
            warn_depth(self._layout.depth, where)
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
                self._finish()
                break
            while report.num_frames <= number and not self._child.has_ended:
                time.sleep(0.001)  # its line is on the way
            if number >= self._start:
                report.check(number, self._where)
                yield planes
            number += 1
        if report.is_uneven:
            self._warn(
                f"frames are not evenly timed; taken as {float(self.info.frame_rate):g} a second"
            )
        if report.num_errors:
            self._warn(
                f"ffmpeg met {report.num_errors} errors while decoding, the first: "
                f"{report.first_error}"
            )

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


def _matrix(chroma: Chroma, name: str) -> int:
    """Code of the matrix; RGB and grey have none, whatever ffmpeg says of them."""
    if chroma is Chroma.RGB:
        return 0
    return UNSPECIFIED if chroma is Chroma.GRAY else cicp.code_of(cicp.MATRIX, name)


def _filters(scale: tuple[int, int] | None) -> str:
    chain = ["showinfo=checksum=0"]
    if scale is not None:
        chain.append(f"scale={scale[0]}:{scale[1]}:flags={SCALE_FLAGS}")
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
