"""What a video is, without its samples: size, pixel format, colour tags, frame rate."""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Planes = tuple[NDArray[np.uint8], ...]
"""One frame in its own samples: (Y,), (Y, U, V) or (R, G, B), each uint8 (H_plane, W_plane)."""

UNSPECIFIED = 2
"""The CICP code (ITU-T H.273) for primaries, transfer or matrix that nobody stated."""


class VideoWarning(UserWarning):
    """Something about a video that the user should know and that does not stop the work."""


class VideoShape(NamedTuple):
    """Shape of the pixel array that a representation stands for."""

    num_frames: int
    height: int
    width: int
    channels: int

    @classmethod
    def of_samples(cls, color: str, num_frames: int, height: int, width: int) -> Self:
        """Shape by the kind of samples: "rgb", "yuv", "gray", or "yuv420", which is packed."""
        if color == "yuv420":
            return cls(num_frames, -(-height // 2), -(-width // 2), 6)
        return cls(num_frames, height, width, 1 if color == "gray" else 3)


class Chroma(StrEnum):
    """How the colour planes of a frame relate to its first plane."""

    GRAY = "gray"
    YUV420 = "420"
    YUV422 = "422"
    YUV444 = "444"
    RGB = "rgb"

    @property
    def num_planes(self) -> int:
        """1 for grey, else 3."""
        return 1 if self is Chroma.GRAY else 3

    @property
    def subsampling(self) -> tuple[int, int]:
        """(vertical, horizontal) factor between luma and chroma planes."""
        return {"420": (2, 2), "422": (1, 2)}.get(self.value, (1, 1))

    def plane_shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Shape of every plane; chroma of odd sizes is rounded up, as Y4M and ffmpeg do."""
        v, h = self.subsampling
        chroma = (-(-height // v), -(-width // h))
        return [(height, width)] + [chroma] * (self.num_planes - 1)


@dataclass(frozen=True)
class ColorTags:
    """Colour description as in ITU-T H.273 (CICP), with the sample range."""

    range: Literal["limited", "full"] = "limited"
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED


@dataclass(frozen=True)
class VideoInfo:
    """Everything about a video but its samples. All videos inside nvcodec have 8 bits a sample."""

    width: int
    height: int
    chroma: Chroma
    frame_rate: Fraction = Fraction(25)
    sample_aspect_ratio: Fraction = Fraction(1)
    color: ColorTags = field(default_factory=ColorTags)
    num_frames: int | None = None
    """None when only reading to the end can tell."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame over all planes."""
        return sum(h * w for h, w in self.chroma.plane_shapes(self.height, self.width))
