"""Frames into movie files, through a pipe into ffmpeg.

Movies are visually lossless unless told otherwise; depth, colour tags, HDR metadata, aspect and
frame rate are written. What a codec cannot take is adapted here and said: RGB becomes 4:4:4 BT.709
for codecs without RGB, odd sizes become 4:4:4 for codecs that want even chroma. A depth that it
does not have is refused. Pictures are in pictures.py, reading is in ffmpeg.py.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ffmpeg

from nvcodec.errors import OutputError, UnsupportedVideoError
from nvcodec.processes import Child, ffmpeg_path
from nvcodec.samples import Chroma
from nvcodec.streams import Streams
from nvcodec.times import FrameTimes
from nvcodec.video import cicp, copying, matroska, timed
from nvcodec.video.color import (
    planes_to_yuv444,
    yuv444_to_planes,
    yuv_info_of_rgb,
    yuv_planes_of_rgb,
)
from nvcodec.video.copying import Companion
from nvcodec.video.ffmpeg import GLOBAL_OPTIONS
from nvcodec.video.ffmpeg_report import planar_format
from nvcodec.video.hdr import has_hdr, movie_hdr
from nvcodec.video.info import UNSPECIFIED, Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import plane_chunks

MOVIE_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi")

_ALL_YUV = frozenset({Chroma.GRAY, Chroma.YUV420, Chroma.YUV422, Chroma.YUV444})
_FULL_DISK = ("No space left", "Permission denied", "Read-only file system", "Is a directory")


@dataclass(frozen=True)
class Encoder:
    """One of ffmpeg's encoders, with our settings for it."""

    options: dict[str, Any]
    chromas: frozenset[Chroma] = _ALL_YUV
    takes_odd: bool = False
    """Whether subsampled frames of odd size are taken as they are."""
    depths: tuple[int, ...] = (8, 10)
    """Bits a sample that it stores."""
    pixel_format: dict[Chroma, str] = field(default_factory=dict)
    """Formats that ffmpeg has to convert 8 bits to, losslessly, where they differ from ours."""
    quality: str = "crf"
    """The option of its quality number; empty: it is lossless."""
    worst: int = 63
    """The highest quality number, from 0."""
    speed: str = "preset"
    """The option of its speed; empty: it has one only."""
    speeds: tuple[str, ...] = ()
    """What that may be."""


_X26X_SPEEDS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    "placebo",
)  # fmt: skip
ENCODERS = {
    "x264": Encoder(
        {"vcodec": "libx264", "crf": 12, "preset": "medium"}, worst=51, speeds=_X26X_SPEEDS
    ),
    "x265": Encoder(
        {"vcodec": "libx265", "crf": 13, "preset": "medium", "x265-params": "log-level=error"},
        depths=(8, 10, 12),
        worst=51,
        speeds=_X26X_SPEEDS,
    ),
    "svt-av1": Encoder(
        {"vcodec": "libsvtav1", "crf": 18, "preset": 6, "svtav1-params": "lp=2"},
        frozenset({Chroma.YUV420}),
        speeds=tuple(map(str, range(14))),
    ),
    "vvenc": Encoder(
        {"vcodec": "libvvenc", "qp": 18, "preset": "medium"},
        frozenset({Chroma.YUV420}),
        pixel_format={Chroma.YUV420: "yuv420p10le"},
        quality="qp",
        speeds=("faster", "fast", "medium", "slow", "slower"),
    ),
    "vp9": Encoder(
        {"vcodec": "libvpx-vp9", "crf": 12, "video_bitrate": 0, "cpu-used": 2},
        frozenset({Chroma.YUV420, Chroma.YUV422, Chroma.YUV444}),
        takes_odd=True,
        depths=(8, 10, 12),
        speed="cpu-used",
        speeds=tuple(map(str, range(6))),
    ),
    "ffv1": Encoder(
        {"vcodec": "ffv1", "level": 3, "slicecrc": 1},
        _ALL_YUV | {Chroma.RGB},
        takes_odd=True,
        depths=(8, 9, 10, 12, 14, 16),
        pixel_format={Chroma.RGB: "bgr0"},
        quality="",
        speed="",
    ),
}
"""Encoders by the name that users give."""

MAX_ASPECT = 2**31 - 1
"""Largest term of an aspect, which ffmpeg would round to 100."""
HIGHEST_RATES = {".avi": 600, ".gif": 50, ".mkv": 1000, ".webm": 1000}
"""Frames a second that a container's times tell apart, as ffmpeg writes it and players show it."""


@dataclass(frozen=True)
class MovieSettings:
    """How a movie is encoded, as far as somebody asked."""

    codec: str | None = None
    crf: int | None = None
    speed: str | None = None

    @property
    def asked(self) -> list[str]:
        """Names of what somebody asked for."""
        return [name for name in ("codec", "crf", "speed") if getattr(self, name) is not None]

    def options(self, name: str, encoder: Encoder) -> dict[str, Any]:
        """Ffmpeg's options for this encoder.

        Raises:
            UnsupportedVideoError: It has no such setting, or not this value.
        """
        options = dict(encoder.options)
        if self.crf is not None:
            if not encoder.quality:
                raise UnsupportedVideoError(f"crf {self.crf}: {name} is lossless and has none")
            if not 0 <= self.crf <= encoder.worst:
                raise UnsupportedVideoError(
                    f"crf {self.crf}: {name} has 0, the best, to {encoder.worst}"
                )
            options[encoder.quality] = self.crf
        if self.speed is not None:
            if self.speed not in encoder.speeds:
                allowed = ", ".join(encoder.speeds) or "none"
                raise UnsupportedVideoError(f"speed {self.speed!r}: {name} has {allowed}")
            options[encoder.speed] = self.speed
        return options


Conversion = Callable[[Planes], Planes]


class FfmpegSink:
    """A running ffmpeg that takes frames and writes a file.

    Args:
        info: Description of the frames as they go into the pipe.
        outputs: ffmpeg's output options.
        path: File or pattern that it writes.
        where: Name of the target, for messages.
        times: When each frame is shown, if not evenly at the frame rate.
        companion: Streams to be written beside them.
    """

    def __init__(
        self,
        info: VideoInfo,
        outputs: dict[str, Any],
        path: str,
        where: str,
        times: FrameTimes | None = None,
        companion: Companion | None = None,
    ) -> None:
        self.where, self._companion = where, companion
        rate = f"{info.frame_rate.numerator}/{info.frame_rate.denominator}"
        self._is_rgb = info.chroma is Chroma.RGB
        inputs: dict[str, Any] = {
            "format": "rawvideo",
            "pixel_format": planar_format(info, where),
            "s": f"{info.width}x{info.height}",
            "framerate": rate,
        }
        self._headers: Iterator[bytes] | None = None
        if has_hdr(info):
            self._headers = iter(matroska.Wrapper(info, times).before_frame, b"")
            inputs = {"format": "matroska", **({"r": rate} if times is None else timed.INPUTS)}
        elif times is not None:
            self._headers = timed.headers(info, times)
            inputs = {"format": "ivf", "vcodec": "rawvideo", **timed.INPUTS}
        if times is not None:
            outputs = outputs | timed.outputs(times, path)
        others = []
        if companion is not None:  # whose times do not begin anew
            inputs, outputs = inputs | timed.INPUTS, outputs | copying.OUTPUTS
            beside = ffmpeg.input(f"file:{companion.path}", **copying.INPUTS)
            others = [beside[str(number)] for number in companion.numbers] or [beside["t?"]]
        command = (
            ffmpeg.output(ffmpeg.input("pipe:0", **inputs), *others, f"file:{path}", **outputs)
            .overwrite_output()
            .compile(cmd=[ffmpeg_path(), *GLOBAL_OPTIONS])
        )
        self._child = Child(command, stdin=True)

    def write(self, planes: Planes) -> None:
        """Append a frame."""
        if self._is_rgb:
            planes = planes[1], planes[2], planes[0]  # ffmpeg's planar order is G, B, R
        try:
            if self._headers is not None:
                self._child.write(next(self._headers))
            for chunk in plane_chunks(planes):
                self._child.write(chunk)
        except OSError as error:
            raise OutputError(f"{self.where}: cannot be written: {error.strerror}") from error
        except Exception as error:
            raise self._explained(error) from error

    def finish(self) -> None:
        """Wait until ffmpeg has written everything."""
        try:
            self._child.finish()
        except Exception as error:
            raise self._explained(error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """End ffmpeg at once."""
        self._child.close()
        if self._companion is not None:
            self._companion.close()

    def _explained(self, error: Exception) -> Exception:
        """A full disk or a missing right as what it is, instead of as a failure of ffmpeg."""
        for reason in _FULL_DISK:
            if any(reason in line for line in self._child.tail):
                return OutputError(f"{self.where}: cannot be written: {reason}")
        return error


def movie_sink(
    info: VideoInfo,
    path: Path,
    where: str,
    settings: MovieSettings,
    times: FrameTimes | None = None,
    streams: Streams | None = None,
) -> tuple[FfmpegSink, VideoInfo, Conversion]:
    """Sink for a movie file, with what it stores and how frames are made fit for it.

    Raises:
        UnsupportedVideoError: The codec is unknown, or cannot take this video.
    """
    name = settings.codec or _default_codec(info, path.suffix.lower())
    if name not in ENCODERS:
        raise UnsupportedVideoError(f"codec {name!r}; allowed are {', '.join(ENCODERS)}")
    encoder = ENCODERS[name]
    stored, convert = _fitted(info, encoder, name, where)
    stored = movie_hdr(stored, path.suffix.lower(), where)
    outputs = settings.options(name, encoder)
    outputs["pix_fmt"] = planar_format(stored, where)
    if stored.depth == 8:
        outputs["pix_fmt"] = encoder.pixel_format.get(stored.chroma, outputs["pix_fmt"])
    outputs.update(_tag_options(stored))
    warn_rate(info, path.suffix.lower(), where)
    if name == "x265" and path.suffix.lower() in (".mp4", ".mov"):
        outputs["vtag"] = "hvc1"  # the tag that players of Apple ask for
    if times is not None and path.suffix.lower() == ".avi":
        warn_times(where)
        times = None
    companion = None if streams is None else Companion(streams, path.suffix.lower(), where)
    try:
        sink = FfmpegSink(stored, outputs, str(path), where, times, companion)
    except BaseException:
        if companion is not None:
            companion.close()
        raise
    return sink, stored, convert


def warn_times(where: str) -> None:
    """Say that a target cannot keep the times of frames."""
    text = f"{where}: keeps no times of frames; .mp4, .mov and .mkv do"
    warnings.warn(text, VideoWarning, stacklevel=2)


def _default_codec(info: VideoInfo, suffix: str) -> str:
    """What players of that kind of file take: H.264 has no players for more than 8 bits."""
    if suffix == ".webm":
        return "vp9"
    return "x264" if info.depth == 8 else "x265"


def warn_rate(info: VideoInfo, suffix: str, where: str) -> None:
    """Say where a kind of file has not the times for a frame rate."""
    highest = HIGHEST_RATES.get(suffix)
    if highest is not None and info.frame_rate > highest:
        warnings.warn(
            f"{where}: {float(info.frame_rate):g} frames/s, {suffix} keeps up to {highest} apart",
            VideoWarning,
            stacklevel=2,
        )


def _fitted(
    info: VideoInfo, encoder: Encoder, name: str, where: str
) -> tuple[VideoInfo, Conversion]:
    """What the encoder stores of this video, and the conversion of its frames."""
    if info.depth not in encoder.depths:
        allowed = ", ".join(map(str, encoder.depths))
        raise UnsupportedVideoError(
            f"{where}: {name} cannot store {info.depth} bits a sample; it takes {allowed}",
            "{codec} ffv1, in .mkv, takes up to 16; so do .y4m, .yuv and .png",
        )
    if info.chroma is Chroma.RGB and Chroma.RGB not in encoder.chromas:
        if Chroma.YUV444 in encoder.chromas:
            yuv = yuv_info_of_rgb(info)
            return yuv, lambda planes: yuv_planes_of_rgb(planes, yuv)
    elif info.chroma in encoder.chromas:
        v, h = info.chroma.subsampling
        if encoder.takes_odd or not (info.height % v or info.width % h):
            return info, lambda planes: planes
        if Chroma.YUV444 in encoder.chromas:
            warnings.warn(
                f"{where}: {name} takes no {info.chroma} of odd size {info.width}x{info.height}; "
                "written as 4:4:4, chroma repeated",
                VideoWarning,
                stacklevel=2,
            )
            wide = replace(info, chroma=Chroma.YUV444)
            return wide, lambda planes: yuv444_to_planes(planes_to_yuv444(planes, info), wide)
    allowed = ", ".join(sorted(encoder.chromas))
    raise UnsupportedVideoError(
        f"{where}: {name} cannot store {info.chroma} of {info.width}x{info.height}; "
        f"it takes {allowed}{'' if encoder.takes_odd else ', subsampled ones of even size'}"
    )


def _tag_options(info: VideoInfo) -> dict[str, Any]:
    """Options for colour tags and aspect.

    They go on the frames by filter, and on the output too, which older versions of ffmpeg look at.
    """
    span = "pc" if info.color.range == "full" else "tv"
    options: dict[str, Any] = {"color_range": span}
    filters = [f"range={span}"]
    for option, key, names, code in (
        ("color_primaries", "color_primaries", cicp.PRIMARIES, info.color.primaries),
        ("color_trc", "color_trc", cicp.TRANSFER, info.color.transfer),
        ("colorspace", "colorspace", cicp.MATRIX, info.color.matrix),
    ):
        if code != UNSPECIFIED and code in names and info.chroma is not Chroma.RGB:
            options[option] = names[code]
            filters.append(f"{key}={names[code]}")
    if info.siting is not None and info.chroma is not Chroma.RGB:
        options["chroma_sample_location"] = info.siting
    aspect = info.sample_aspect_ratio
    shape = f"setsar={aspect.numerator}/{aspect.denominator}:max={MAX_ASPECT}"
    options["vf"] = f"setparams={':'.join(filters)},{shape}"
    if info.chroma is Chroma.RGB:
        options.pop("color_range")
        options["vf"] = shape
    return options
