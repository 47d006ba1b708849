"""Frames as runs of bytes: plane after plane, as Y4M, raw files and pipes carry them.

Samples of more than 8 bits are 16-bit little-endian, the value in the low bits. Reading never
reserves more memory than the stream has bytes for.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.samples import Chroma, max_sample
from nvcodec.video.info import Pixels, Planes, VideoInfo, sample_type

MAX_SIDE = 32768
MAX_PIXELS = 1 << 27
"""Limits on the size of a frame, 16K by 8K, so that a hostile header cannot ask for all memory."""


def check_size(width: int, height: int, where: str) -> None:
    """Refuse a frame size that is not one.

    Raises:
        UnsupportedVideoError: A side is not in 1..MAX_SIDE, or the area above MAX_PIXELS.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise UnsupportedVideoError(
            f"{where}: frame size {width}x{height}; allowed are sides of 1 to {MAX_SIDE} "
            f"and at most {MAX_PIXELS} pixels"
        )


STANDARD_INPUT = "standard input"
"""What a pipe is called in messages."""


def deinterlacing(where: str) -> str:
    """What to do about an interlaced source: a whole command."""
    if where == STANDARD_INPUT:
        line = "put ffmpeg -i - -vf bwdif -f yuv4mpegpipe - before this command in the pipe"
    else:
        line = f"ffmpeg -i {shlex.quote(where)} -c copy -vf bwdif -c:v ffv1 progressive.mkv"
    return f"only progressive is coded: deinterlace it first: {line}"


def rounded_to_8_bits(samples: Pixels, depth: int, is_full: bool) -> NDArray[np.uint8]:
    """Samples of more than 8 bits as 8 bits, halves rounded up.

    Limited range divides by 2^(depth - 8), as BT.709 and BT.2100 relate their depths; full range
    maps the largest value to the largest.
    """
    peak = max_sample(depth)
    wide = samples.astype(np.uint32)
    if is_full:
        wide = (wide * max_sample(8) + peak // 2) // peak
    else:
        wide = np.minimum((wide + (1 << (depth - 9))) >> (depth - 8), max_sample(8))
    return wide.astype(np.uint8)


@dataclass(frozen=True)
class FrameLayout:
    """How the bytes of one frame lie in a stream."""

    width: int
    height: int
    chroma: Chroma
    depth: int = 8
    is_packed: bool = False
    """RGB only: samples of a pixel side by side, instead of plane after plane."""
    is_gbr: bool = False
    """RGB only: planes in the order green, blue, red."""

    @property
    def num_samples(self) -> int:
        """Samples of one frame over all planes."""
        return sum(h * w for h, w in self.chroma.plane_shapes(self.height, self.width))

    @property
    def num_bytes(self) -> int:
        """Bytes of one frame."""
        return self.num_samples * sample_type(self.depth).itemsize

    def planes(self, data: NDArray[np.uint8]) -> Planes:
        """Planes of one frame from its `num_bytes` bytes; samples are limited to the depth."""
        samples: Pixels = data
        if self.depth > 8:
            samples = np.minimum(data.view("<u2"), np.uint16(max_sample(self.depth)))
        if self.is_packed:
            pixels = samples.reshape(self.height, self.width, 3)
            return tuple(np.ascontiguousarray(pixels[:, :, c]) for c in range(3))
        planes: list[Pixels] = []
        offset = 0
        for height, width in self.chroma.plane_shapes(self.height, self.width):
            planes.append(samples[offset : offset + height * width].reshape(height, width))
            offset += height * width
        return (planes[2], planes[0], planes[1]) if self.is_gbr else tuple(planes)

    def read(self, stream: IO[bytes], number: int, where: str) -> Planes | None:
        """Next frame of a stream, or None at its end.

        Args:
            stream: Positioned at the first byte of a frame.
            number: Frame number, for messages.
            where: Name of the source, for messages.

        Raises:
            VideoError: The stream ends inside the frame.
        """
        data = np.empty(self.num_bytes, np.uint8)
        got = read_into(stream, data)
        if got == 0:
            return None
        if got < self.num_bytes:
            raise VideoError(
                f"{where}: frame {number} is cut off: {got} bytes of {self.num_bytes} are there"
            )
        return self.planes(data)


def read_into(stream: IO[bytes], data: NDArray[np.uint8]) -> int:
    """Fill an array from a stream; returns the bytes read, fewer than asked only at the end."""
    view, got = data.data, 0
    while got < len(view):
        count = stream.readinto(view[got : got + (1 << 22)])  # type: ignore[attr-defined]
        if not count:
            break
        got += count
    return got


def check_planes(planes: Planes, info: VideoInfo) -> None:
    """Refuse planes that are not a frame of that video, which is a mistake of the caller.

    Raises:
        ValueError: Number, shape or type of the planes differ.
    """
    allowed = info.chroma.plane_shapes(info.height, info.width)
    seen = [plane.shape for plane in planes]
    if seen != allowed or any(plane.dtype != info.sample_type for plane in planes):
        raise ValueError(f"planes {seen} do not fit, need {info.sample_type} {allowed}")


def plane_chunks(planes: Planes) -> Iterator[memoryview]:
    """Bytes of a frame, plane after plane."""
    for plane in planes:
        stored = plane.dtype.newbyteorder("<")
        yield np.ascontiguousarray(plane, dtype=stored).view(np.uint8).data.cast("B")
