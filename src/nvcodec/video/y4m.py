r"""YUV4MPEG2 (Y4M) read and written natively, frame by frame, without ffmpeg.

    YUV4MPEG2 W352 H288 F30000:1001 Ip A128:117 C420jpeg XCOLORRANGE=FULL\n
    FRAME\n <Y> <U> <V>   FRAME\n ...

Progressive 4:2:0, 4:2:2, 4:4:4 and mono of 8 to 16 bits. The format has no words for colour
primaries, transfer and matrix, and none for the siting of chroma of more than 8 bits, so we write
them, when they are known, as comments of our own, `XCICP=1-1-1` (ITU-T H.273 codes) and
`XSITING=left`; others skip them. It has none for HDR metadata either, which are lost.
"""

import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Literal

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.samples import DEPTHS, Chroma, Siting
from nvcodec.video.info import ColorTags, Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import FrameLayout, check_size, deinterlacing, plane_chunks

SIGNATURE = b"YUV4MPEG2"
MAX_HEADER_BYTES = 1024
MAX_FRAME_LINE_BYTES = 256
FFMPEG_HEADER_BYTES = 90
"""ffmpeg refuses headers of 96 bytes and more: above this we leave our comment out."""

CHROMA_WORDS = {
    Chroma.GRAY: b"mono",
    Chroma.YUV420: b"420jpeg",
    Chroma.YUV422: b"422",
    Chroma.YUV444: b"444",
}
CHROMA_PATTERN = re.compile(r"(420|422|444|mono)(jpeg|paldv|mpeg2)?(?:p?(\d{1,2}))?")
SITINGS = {"jpeg": Siting.CENTER, "paldv": Siting.TOPLEFT, "mpeg2": Siting.LEFT}
"""By the end of the word for 4:2:0."""


def is_y4m(first_bytes: bytes) -> bool:
    """Whether a stream that begins with these bytes (10 are enough) is Y4M."""
    return first_bytes.startswith(SIGNATURE + b" ") or first_bytes.startswith(SIGNATURE + b"\n")


@dataclass(frozen=True)
class Y4mHeader:
    """What the first line of a Y4M stream says."""

    info: VideoInfo
    layout: FrameLayout


def _line(stream: IO[bytes], limit: int, what: str) -> bytes:
    line = stream.readline(limit + 1)
    if len(line) > limit:
        raise VideoError(f"{what}: a line of more than {limit} bytes is no Y4M")
    if line and not line.endswith(b"\n"):
        raise VideoError(f"{what}: ends after {len(line)} bytes, inside a line")
    return line.rstrip(b"\n")


def _number(text: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) >= 1 << 32:
        raise VideoError(f"{where}: {text!r} is not a number below 2^32")
    return int(text)


def _ratio(text: str, where: str) -> Fraction | None:
    """The ratio, or None for one that says "unknown" with a zero."""
    first, colon, second = text.partition(":")
    if not colon:
        raise VideoError(f"{where}: {text!r} is not a ratio such as 25:1")
    a, b = _number(first, where), _number(second, where)
    return Fraction(a, b) if a and b else None


def _chroma(word: str, where: str) -> tuple[Chroma, int, Siting | None]:
    match = CHROMA_PATTERN.fullmatch(word)
    depth = int(match[3] or 8) if match else 0
    if match is None or depth not in DEPTHS:
        raise UnsupportedVideoError(
            f"{where}: chroma C{word}; allowed are 420, 422, 444 and mono of 8 to 16 bits"
        )
    return Chroma(match[1].replace("mono", "gray")), depth, SITINGS.get(match[2] or "")


def _color(comments: list[str]) -> ColorTags:
    """Range and colour codes from the X fields; unknown ones are comments and mean nothing."""
    span: Literal["limited", "full"] = "full" if "COLORRANGE=FULL" in comments else "limited"
    for comment in comments:
        if match := re.fullmatch(r"CICP=(\d{1,3})-(\d{1,3})-(\d{1,3})", comment):
            primaries, transfer, matrix = (int(code) for code in match.groups())
            if max(primaries, transfer, matrix) < 256:
                return ColorTags(span, primaries, transfer, matrix)
    return ColorTags(span)


def _siting(comments: list[str]) -> Siting | None:
    """Where chroma samples lie, from our own comment."""
    stated = [c.removeprefix("SITING=") for c in comments if c.startswith("SITING=")]
    return next((siting for siting in Siting if siting.value in stated), None)


def read_header(stream: IO[bytes], where: str) -> Y4mHeader:
    """Read the first line of a Y4M stream.

    Args:
        stream: Positioned at its beginning.
        where: Name of the source, for messages.

    Raises:
        VideoError: It is not Y4M, or malformed.
        UnsupportedVideoError: It is interlaced, or of a size or chroma that is not read.
    """
    line = _line(stream, MAX_HEADER_BYTES, f"{where}: Y4M header")
    if not is_y4m(line + b"\n"):
        raise VideoError(f"{where}: not Y4M, it begins with {line[:10]!r} instead of YUV4MPEG2")
    fields: dict[str, str] = {}
    comments = []
    for word in line.decode("latin-1").split(" ")[1:]:
        if word[:1] == "X":
            comments.append(word[1:])
        elif word:
            fields[word[0]] = word[1:]
    for letter, name in (("W", "width"), ("H", "height")):
        if letter not in fields:
            raise VideoError(f"{where}: Y4M header: no {name} ({letter})")
    width = _number(fields["W"], f"{where}: Y4M header: width")
    height = _number(fields["H"], f"{where}: Y4M header: height")
    check_size(width, height, where)
    if fields.get("I", "p") not in ("p", "?", ""):
        raise UnsupportedVideoError(
            f"{where}: interlaced video (I{fields['I']}); {deinterlacing(where)}"
        )
    chroma, depth, siting = _chroma(fields.get("C", "420"), where)
    siting = siting or _siting(comments)
    color = _color(comments)
    rate = _ratio(fields.get("F", "0:0"), f"{where}: Y4M header: frame rate")
    if rate is None:
        warnings.warn(f"{where}: no frame rate, taken as 25", VideoWarning, stacklevel=2)
    aspect = _ratio(fields.get("A", "0:0"), f"{where}: Y4M header: aspect")
    info = VideoInfo(
        *(width, height, chroma, rate or Fraction(25), aspect or Fraction(1), color),
        depth=depth,
        siting=siting,
    )
    return Y4mHeader(info, FrameLayout(width, height, chroma, depth))


def _frame_line(stream: IO[bytes], number: int, where: str) -> bool:
    """Read a FRAME line, whose parameters mean nothing to us; False at the end of the stream."""
    line = _line(stream, MAX_FRAME_LINE_BYTES, f"{where}: frame {number}")
    if not line and not stream.read(1):
        return False
    if line != b"FRAME" and not line.startswith(b"FRAME "):
        raise VideoError(f"{where}: frame {number}: begins with {line[:10]!r} instead of FRAME")
    return True


def read_frame(stream: IO[bytes], layout: FrameLayout, number: int, where: str) -> Planes | None:
    """Next frame, or None at the end of the stream.

    Raises:
        VideoError: The stream is malformed or cut off.
    """
    if not _frame_line(stream, number, where):
        return None
    planes = layout.read(stream, number, where)
    if planes is None:
        raise VideoError(
            f"{where}: frame {number} is cut off: 0 bytes of {layout.num_bytes} are there"
        )
    return planes


def frame_offsets(
    stream: IO[bytes], layout: FrameLayout, size_bytes: int, stop: int | None, where: str
) -> list[int]:
    """Where the frames of a seekable stream begin, found by going from FRAME line to FRAME line.

    Args:
        stream: Positioned behind the header.
        layout: From the header.
        size_bytes: Size of the file.
        stop: How many frames to look for at most; None for all.
        where: Name of the source, for messages.

    Raises:
        VideoError: A frame that was looked for is malformed or cut off.
    """
    offsets: list[int] = []
    while stop is None or len(offsets) < stop:
        offset = stream.tell()
        if not _frame_line(stream, len(offsets), where):
            break
        left = size_bytes - stream.tell()
        if left < layout.num_bytes:
            raise VideoError(
                f"{where}: frame {len(offsets)} is cut off: "
                f"{max(left, 0)} bytes of {layout.num_bytes} are there"
            )
        offsets.append(offset)
        stream.seek(layout.num_bytes, 1)
    return offsets


def header_bytes(info: VideoInfo) -> bytes:
    """First line of a Y4M stream for a video that is not RGB."""
    rate, aspect, color = info.frame_rate, info.sample_aspect_ratio, info.color
    line = b"%s W%d H%d F%d:%d Ip A%d:%d C%s" % (
        *(SIGNATURE, info.width, info.height, rate.numerator, rate.denominator),
        *(aspect.numerator, aspect.denominator, _chroma_word(info)),
    )
    if color.range == "full":
        line += b" XCOLORRANGE=FULL"
    comments = []
    if color != ColorTags(color.range):
        comments.append(b" XCICP=%d-%d-%d" % (color.primaries, color.transfer, color.matrix))
    if info.siting is not None and info.siting not in _stated_siting(info):
        comments.append(b" XSITING=" + info.siting.encode())
    for comment in comments:
        if len(line + comment) <= FFMPEG_HEADER_BYTES:
            line += comment
    return line + b"\n"


def _stated_siting(info: VideoInfo) -> Collection[Siting]:
    """Sitings that a word for this chroma tells."""
    return SITINGS.values() if info.chroma is Chroma.YUV420 and info.depth == 8 else ()


def _chroma_word(info: VideoInfo) -> bytes:
    """The word for the chroma; 4:2:0 of unknown siting is jpeg's, as ffmpeg writes it too."""
    if info.depth > 8:
        word, between = info.chroma.value.replace("gray", "mono"), "p" * (info.chroma != "gray")
        return f"{word}{between}{info.depth}".encode()
    if info.chroma is Chroma.YUV420:
        for ending, siting in SITINGS.items():
            if siting is info.siting:
                return b"420" + ending.encode()
    return CHROMA_WORDS[info.chroma]


def write_frame(stream: IO[bytes], planes: Planes) -> None:
    """Append one frame to a Y4M stream."""
    stream.write(b"FRAME\n")
    for chunk in plane_chunks(planes):
        stream.write(chunk)
