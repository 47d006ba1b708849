"""Geometry of raw video files (`.yuv`), from their names or from the user.

Names are read as UVG and others write them: `Beauty_1920x1080_120fps_420_8bit_YUV.yuv`,
`sparks_480x270_420p10le.yuv`, `racehorses_832x480_2f.yuv`. Only the size has to be there.
"""

import contextlib
import re
import warnings
from dataclasses import dataclass
from fractions import Fraction

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.samples import DEPTHS, Chroma
from nvcodec.video.info import VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size

RAW_SUFFIXES = (".yuv", ".raw", ".i420")
DEFAULT_RATE = Fraction(25)
LIMITS = "allowed are 420, 422, 444, gray and 8, 9, 10, 12, 14 or 16 bits"

SIZE = re.compile(r"(?<![0-9])([0-9]{1,5})[xX]([0-9]{1,5})(?![0-9])")
NOT_READ = re.compile(
    r"(?<![a-z0-9])(nv\d\d|p[0246]1[0-6]|yuyv|uyvy|yvyu|y?vyu|yv12|yv16|v210|y210|y410|ayuv|xyz12"
    r"|yuvj4\d\dp|yuva4\d\dp|yuv41[01]p|yuv440p|gbrp|gbrap|(?:rgb|bgr)(?:a|0|24|32|48|64)?|[ax](?:rgb|bgr))"
    r"(?:422|\d\d)?(?:le|be)?(?![a-z0-9])",
    re.IGNORECASE,
)
"""Words for formats that are known and not read."""
RATE = re.compile(r"(?<![0-9.])([0-9]{1,3}(?:\.[0-9]{1,3})?)_?(?:fps|hz)(?![a-z])", re.IGNORECASE)
FORMAT = re.compile(
    r"(?:(?<![a-z0-9])|yuv)(420|422|444|400|gray)p?(?:(8|9|10|12|14|16)(?:le|be|bit|b)?)?"
    r"(?![0-9a-z])",
    re.IGNORECASE,
)
DEPTH = re.compile(r"(?<![0-9])(8|9|10|12|14|16) ?_?-?bits?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class RawGeometry:
    """What has to be known to read a raw planar file; deep samples are 16-bit little-endian."""

    width: int
    height: int
    frame_rate: Fraction | None = None
    """None: nobody said; read as 25, with a warning."""
    chroma: Chroma = Chroma.YUV420
    depth: int = 8

    def __post_init__(self) -> None:
        check_size(self.width, self.height, "raw video")
        if self.depth not in DEPTHS or self.chroma is Chroma.RGB:
            raise UnsupportedVideoError(f"raw video: {self.chroma} of {self.depth} bits; {LIMITS}")

    @property
    def words(self) -> str:
        """The same for people."""
        rate = "" if self.frame_rate is None else f", {float(self.frame_rate):g} frames/s"
        return f"{self.width}x{self.height}, {self.chroma.words}, {self.depth} bits{rate}"

    @property
    def layout(self) -> FrameLayout:
        """Layout of one frame."""
        return FrameLayout(self.width, self.height, self.chroma, self.depth)

    def info(self, where: str) -> VideoInfo:
        """Description without the number of frames; warns when the rate is a guess."""
        if self.frame_rate is None:
            warnings.warn(
                f"{where}: no frame rate given, taken as {DEFAULT_RATE}", VideoWarning, stacklevel=2
            )
        rate = self.frame_rate or DEFAULT_RATE
        return VideoInfo(self.width, self.height, self.chroma, rate, depth=self.depth)

    @classmethod
    def from_name(cls, name: str) -> "RawGeometry":
        """Geometry from a file name.

        Raises:
            VideoError: The name has no size.
            UnsupportedVideoError: The name tells of a format that is not read.
        """
        sizes = list(SIZE.finditer(name))
        size = max(sizes, key=lambda m: int(m[1]) * int(m[2]), default=None)
        if size is None:
            raise VideoError(
                f"{name}: a raw video without its size in the name, such as "
                "Name_1920x1080_25fps_420.yuv; rename it or give its geometry"
            )
        rest = name[: size.start()] + "_" + name[size.end() :]
        if unread := NOT_READ.search(rest):
            raise UnsupportedVideoError(f"{name}: samples of the kind {unread[0]}; {LIMITS}")
        rate, form, bits = (_last(word, name, size) for word in (RATE, FORMAT, DEPTH))
        if re.search(r"1[0-6]be(?![a-z])", rest, re.IGNORECASE):
            raise UnsupportedVideoError(f"{name}: big-endian samples; {LIMITS}, little-endian")
        depth = form[2] if form and form[2] else bits[1] if bits else 8
        chroma = form[1].lower() if form else "420"
        found = cls(
            *(int(size[1]), int(size[2]), _nominal_rate(rate[1]) if rate else None),
            *(Chroma("gray" if chroma == "400" else chroma), int(depth)),
        )
        warnings.warn(f"{name}: by its name {found.words}", VideoWarning, stacklevel=2)
        return found

    @classmethod
    def parse(cls, text: str) -> "RawGeometry":
        """Geometry from `WxH[:fps[:pixfmt]]`, such as `1920x1080:29.97:yuv420p10le`.

        Raises:
            VideoError: The text is not of this form.
        """
        size, _, rest = text.partition(":")
        rate, _, form = rest.partition(":")
        size_match, form_match = SIZE.fullmatch(size), FORMAT.fullmatch(form)
        rate_match = re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6}|/[0-9]{1,9})?", rate)
        is_rate_good = not rate or (rate_match is not None and not re.search(r"/0+$", rate))
        if size_match is None or not is_rate_good or (form and form_match is None):
            raise VideoError(f"raw geometry {text!r}; allowed is WxH[:fps[:pixfmt]]; {LIMITS}")
        if form.lower().endswith("be"):
            raise UnsupportedVideoError(f"raw geometry {text!r}: big-endian samples are not read")
        chroma = form_match[1].lower() if form_match else "420"
        depth = int(form_match[2] or 8) if form_match else 8
        return cls(
            *(int(size_match[1]), int(size_match[2]), _nominal_rate(rate) if rate else None),
            *(Chroma("gray" if chroma == "400" else chroma), depth),
        )


def parse_rate(text: str) -> Fraction:
    """A frame rate such as 25, 30000/1001, or 29.97 for the NTSC rate it means.

    Raises:
        ValueError: The text is not of this form, or 0.
    """
    rate = None
    with contextlib.suppress(VideoError):
        rate = RawGeometry.parse(f"16x16:{text}").frame_rate if ":" not in text else None
    if rate is None:
        raise ValueError("expected a rate such as 25, 29.97 or 30000/1001")
    return rate


def _last(word: re.Pattern[str], name: str, size: re.Match[str]) -> re.Match[str] | None:
    """What a name says behind its size, where such words stand, or else before it."""
    return word.search(name, size.end()) or word.search(name[: size.start()])


def _nominal_rate(text: str) -> Fraction | None:
    """The rate that a text means: 29.97, 23.976, 59.94 are the NTSC rates; 0 is unknown."""
    rate = Fraction(text)
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    is_ntsc = "." in text and abs(ntsc - rate) < Fraction(1, 100)
    return (ntsc if is_ntsc else rate) or None
