"""Matroska between us and ffmpeg, for the HDR metadata in its `Colour`, both ways.

In: raw frames have no place for a mastering display; in Matroska they bring it, and ffmpeg hands it
on to every encoder and container. One cluster a frame; times are whole numbers, as who reads it
states the frame rate. Out: the header of a file has it to the last digit, which no message has.

Source: RFC 9559 (Matroska), RFC 8794 (EBML).
"""

import struct
from collections.abc import Sequence

from nvcodec.samples import Chroma, MasteringDisplay
from nvcodec.times import FrameTimes
from nvcodec.video.hdr import UNITS, mastering_display
from nvcodec.video.info import VideoInfo

EBML, SEGMENT, INFO, TRACKS, CLUSTER = (
    0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675,
)  # fmt: skip
DOC_TYPE, DOC_VERSION, DOC_READ_VERSION = 0x4282, 0x4287, 0x4285
TIMESTAMP_SCALE, TIMESTAMP, SIMPLE_BLOCK = 0x2AD7B1, 0xE7, 0xA3
TRACK, NUMBER, UID, KIND, CODEC, VIDEO = 0xAE, 0xD7, 0x73C5, 0x83, 0x86, 0xE0
WIDTH, HEIGHT, FOURCC, COLOR = 0xB0, 0xBA, 0x2EB524, 0x55B0
MAX_PIXEL, MAX_FRAME_MEAN, MASTERING = 0x55BC, 0x55BD, 0x55D0
FIRST_OF_MASTERING = 0x55D1
"""Its ten fields are numbered in the order of `MasteringDisplay`."""
LONGEST_MASTERING = 8 + 10 * 11
UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"

_DEEP = {Chroma.YUV420: b"Y3\x0b", Chroma.YUV422: b"Y3\x0a", Chroma.YUV444: b"Y3\x00"}
_DEEP |= {Chroma.GRAY: b"Y1\x00", Chroma.RGB: b"G3\x00"}
_SHALLOW = {Chroma.YUV420: b"I420", Chroma.YUV422: b"Y42B", Chroma.YUV444: b"444P"}
_SHALLOW |= {Chroma.GRAY: b"Y800", Chroma.RGB: b"G3\x00\x08"}


Elements = Sequence[tuple[int, int | bytes]]


class Wrapper:
    """What stands before the frames of a video; their bytes come between.

    Times, where there are some, are in nanoseconds, near enough to find any tick again.
    """

    def __init__(self, info: VideoInfo, times: FrameTimes | None = None) -> None:
        self._info, self._times = info, times
        self._num_frames = 0

    def before_frame(self) -> bytes:
        """What goes before the bytes of the next frame."""
        head = b"" if self._num_frames else _head(self._info, self._times is not None)
        block = 4 + self._info.frame_bytes
        shown = self._num_frames
        if self._times is not None:
            shown = max(0, round(self._times.seconds_at(shown) * 10**9))
        time = _element(TIMESTAMP, shown.to_bytes(8, "big"))
        self._num_frames += 1
        start = _identity(SIMPLE_BLOCK) + _size(block) + b"\x81\x00\x00\x80"
        cluster = _identity(CLUSTER) + _size(len(time) + len(start) - 4 + block)
        return head + cluster + time + start


def mastering_display_in(data: bytes) -> MasteringDisplay | None:
    """The mastering display that the beginning of a file as ffmpeg writes it states, if any."""
    _, found, fields = data.partition(_identity(MASTERING))
    if not found:
        return None
    values, fields = [], fields[:LONGEST_MASTERING]
    for i in range(len(MasteringDisplay._fields)):
        _, stated, number = fields.partition(_identity(FIRST_OF_MASTERING + i) + b"\x88")
        is_whole = stated and len(number) >= 8
        values.append(struct.unpack_from(">d", number)[0] if is_whole else 0.0)
    return mastering_display(values)


def fourcc(info: VideoInfo) -> bytes:
    """What ffmpeg calls raw frames."""
    return _SHALLOW[info.chroma] if info.depth == 8 else _DEEP[info.chroma] + bytes([info.depth])


def _head(info: VideoInfo, is_timed: bool) -> bytes:
    """Everything before the first cluster."""
    document: Elements = [(DOC_TYPE, b"matroska"), (DOC_VERSION, 4), (DOC_READ_VERSION, 2)]
    video: Elements = [
        (WIDTH, info.width),
        (HEIGHT, info.height),
        (FOURCC, fourcc(info)),
        (COLOR, _color(info)),
    ]
    track: Elements = [
        (NUMBER, 1),
        (UID, 1),
        (KIND, 1),
        (CODEC, b"V_UNCOMPRESSED"),
        (VIDEO, _all(video)),
    ]
    tracks = _element(TRACKS, _element(TRACK, _all(track)))
    scale = _element(INFO, _element(TIMESTAMP_SCALE, 1 if is_timed else 1_000_000))
    return _element(EBML, _all(document)) + _identity(SEGMENT) + UNKNOWN_SIZE + scale + tracks


def _color(info: VideoInfo) -> bytes:
    """What is stated of the display and of the light; zeros are not."""
    light, display = info.content_light or (0, 0), info.mastering_display or ()
    mastering = b"".join(
        _element(FIRST_OF_MASTERING + i, struct.pack(">d", value / unit))
        for i, (value, unit) in enumerate(zip(display, UNITS, strict=False))
        if any(display[:8] if i < 8 else display[8:])
    )
    stated: Elements = [(MAX_PIXEL, light[0]), (MAX_FRAME_MEAN, light[1]), (MASTERING, mastering)]
    return _all([(identity, value) for identity, value in stated if value])


def _all(elements: Elements) -> bytes:
    return b"".join(_element(*element) for element in elements)


def _element(identity: int, content: int | bytes) -> bytes:
    data = content.to_bytes(8, "big") if isinstance(content, int) else content
    return _identity(identity) + _size(len(data)) + data


def _identity(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(count: int) -> bytes:
    return (1 << 56 | count).to_bytes(8, "big")
