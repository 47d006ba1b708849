"""What ffmpeg says on standard error about the frames that it gives; read here alone."""

import contextlib
import re
import threading
import warnings
from fractions import Fraction

from nvcodec.errors import UnsupportedVideoError
from nvcodec.samples import Chroma, Siting
from nvcodec.streams import PICTURES, Stream, counted
from nvcodec.video import cicp
from nvcodec.video.clock import Clock
from nvcodec.video.hdr import HdrReport
from nvcodec.video.info import UNSPECIFIED, ColorTags, VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size, deinterlacing

_PLANAR = {
    "yuv420p": Chroma.YUV420,
    "yuv422p": Chroma.YUV422,
    "yuv444p": Chroma.YUV444,
    "gray": Chroma.GRAY,
}
_DEPTHS = {"": 8, **{f"{depth}le": depth for depth in (9, 10, 12, 14, 16)}}
_GBR = {f"gbrp{end}": (Chroma.RGB, depth) for end, depth in _DEPTHS.items() if end}
PIXEL_FORMATS: dict[str, tuple[Chroma, int]] = {
    **{name + end: (chroma, d) for name, chroma in _PLANAR.items() for end, d in _DEPTHS.items()},
    "yuvj420p": (Chroma.YUV420, 8),
    "yuvj422p": (Chroma.YUV422, 8),
    "yuvj444p": (Chroma.YUV444, 8),
    "rgb24": (Chroma.RGB, 8),
    **_GBR,
}
"""Formats that may come out of the pipe. Old versions of ffmpeg say yuvj for full range."""


def planar_format(info: VideoInfo, where: str) -> str:
    """Ffmpeg's name of planes such as those of a video; RGB in the order green, blue, red.

    Raises:
        UnsupportedVideoError: It has none of that depth.
    """
    if info.depth not in _DEPTHS.values():
        known = ", ".join(map(str, _DEPTHS.values()))
        raise UnsupportedVideoError(
            f"{where}: ffmpeg takes no {info.depth} bits a sample; it takes {known}"
        )
    if info.chroma is Chroma.RGB:
        return "gbrp" if info.depth == 8 else f"gbrp{info.depth}le"
    return next(n for n, known in PIXEL_FORMATS.items() if known == (info.chroma, info.depth))


YUV_CODECS = (
    "h261", "h263", "h264", "hevc", "vvc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video",
    "mpeg4", "ffv1", "prores", "dnxhd", "dirac", "theora", "vc1", "wmv3", "dvvideo",
)  # fmt: skip
"""Codecs whose grey is luma, of limited range where nothing else is stated."""
_RATE = re.compile(r"config in time_base: \S+ frame_rate: (\d+)/(\d+)")
_FRAME = re.compile(
    r"\bn: *\d+ .*\bfmt:(?P<format>\w+) (?:cl:(?P<siting>\S+) )?"
    r".*\bsar:(?P<sar>\d+/\d+) s:(?P<size>\d+x\d+) i:(?P<scan>\S)"
)
_TRANSFERS = "|".join(sorted({*cicp.TRANSFER.values(), "unknown", "reserved"}, reverse=True))
_COLOR = re.compile(  # ffmpeg may write the words of another thread behind the last one
    rf"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:({_TRANSFERS})"
)
_STREAM = re.compile(
    r"\[info\] +Stream #0:(\d+)(?:\[\w+\])?(?:\((\w+)\))?: (\w+): (\w+).*?(\(attached pic\))?$"
)
_ERROR = re.compile(r"(\[[^]]* @ [^]]*\] )*\[(error|fatal)\] ")
_HARMLESS = "[cache ", "[rawvideo @ "
"""Who complains of what is none: a pipe that cannot seek, equal times, which we do not use."""
_ALPHA = re.compile(r"rgba.*|bgra|argb|abgr|ya(8|16).*|yuva.*|gbrap.*|pal8")


INTERLACED = "is interlaced"


class Report:
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
        self.streams: dict[int, Stream] = {}
        """By number."""
        self.used = self.num_chapters = 0
        self.num_errors = 0
        self.first_error = ""
        self.num_frames = 0
        self.refused: dict[int, str] = {}
        """What is wrong with frames, by number."""
        self.clock = Clock()
        """When the source shows its frames."""
        self._is_scaled = is_scaled
        self._is_listed = False  # what comes then is of the output
        self._given_color: re.Match[str] | None = None
        self._num_given = 0
        self._hdr = HdrReport()

    def on_line(self, line: str) -> bool:
        """Take note of a line; says whether it belongs into an error message."""
        if line.startswith("[Parsed_showinfo_"):
            self._on_showinfo(line, is_first=line.startswith("[Parsed_showinfo_0 "))
            return False
        self._is_listed = self._is_listed or line.startswith("[info] Stream mapping:")
        if (match := _STREAM.match(line)) and not self._is_listed:
            kind = PICTURES[1] if match[5] else match[3].lower()
            language = "" if match[2] in (None, "und") else match[2]
            self.streams.setdefault(int(match[1]), Stream(kind, match[4], language))
        if line.startswith("[info]     Chapter #0:") and not self._is_listed:
            self.num_chapters += 1
        if match := re.match(r"\[info\] +Stream #0:(\d+) -> #0:0 ", line):
            self.used = int(match[1])
        if _ERROR.match(line) and not line.startswith(_HARMLESS):
            self.num_errors += 1
            self.first_error = self.first_error or re.sub(r"^(\[[^]]*\] )+", "", line)
        return True

    def _on_showinfo(self, line: str, is_first: bool) -> None:
        if is_first:
            self.clock.on_config(line)
        if is_first and "side data - " in line:
            self._hdr.on_line(line)
        elif match := _FRAME.search(line):
            if is_first:
                self.clock.on_frame(line)
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
            self._refuse(number, f"{INTERLACED} ({first_field} field first)")
        if not self._is_scaled and match["size"] != first["size"]:
            self._refuse(
                number, f"is {match['size']}, the first is {first['size']}; all must be alike"
            )
        elif match["format"] != first["format"]:
            self._refuse(number, f"is {match['format']}, the first is {first['format']}")

    def _refuse(self, number: int, why: str) -> None:
        self.refused.setdefault(number, why)

    def check(self, number: int, where: str) -> None:
        """Refuse a frame that differs from the first in what is stated once for all."""
        if number in self.refused:
            why = self.refused[number]
            why += f"; {deinterlacing(where)}" if why.startswith(INTERLACED) else ""
            raise UnsupportedVideoError(f"{where}: frame {number} {why}")

    def lost(self) -> list[str]:
        """What of the pictures in the source will not be in the file."""
        others = (stream for number, stream in self.streams.items() if number != self.used)
        lost = counted(stream for stream in others if stream.kind in PICTURES)
        if self.given is not None and _ALPHA.fullmatch(self.given["format"]):
            lost.append("alpha")
        lost += self._hdr.lost
        return lost

    @property
    def others(self) -> dict[int, Stream]:
        """Every stream without pictures, by number; that of QuickTime's chapters is none."""
        known = {n: stream for n, stream in self.streams.items() if stream.kind not in PICTURES}
        if self.num_chapters:
            return {n: stream for n, stream in known.items() if stream.codec != "bin_data"}
        return known

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
            codec = self.streams.get(self.used, Stream("", "")).codec
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
        siting = None
        if self.given is not None and chroma in (Chroma.YUV420, Chroma.YUV422):
            with contextlib.suppress(ValueError):  # not stated
                siting = Siting(self.given["siting"])
        rate = self.rate or Fraction(25)
        info = VideoInfo(
            *(width, height, chroma, rate, sar, color),
            depth=depth,
            siting=siting,
            mastering_display=self._hdr.mastering_display,
            content_light=self._hdr.content_light,
        )
        is_packed = name == "rgb24"
        return info, FrameLayout(width, height, chroma, depth, is_packed, is_gbr=name in _GBR)


def _matrix(chroma: Chroma, name: str) -> int:
    """Code of the matrix; RGB and grey have none, whatever ffmpeg says of them."""
    if chroma is Chroma.RGB:
        return 0
    return UNSPECIFIED if chroma is Chroma.GRAY else cicp.code_of(cicp.MATRIX, name)
