"""What a video is, without its samples: size, pixel format, colour tags, frame rate."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nvcodec.samples import (
    DEPTHS,
    Chroma,
    ContentLight,
    MasteringDisplay,
    Siting,
    max_sample,
)

Plane = NDArray[np.unsignedinteger[Any]]
"""Samples of one plane, (H_plane, W_plane), of the type that `sample_type` names."""
Planes = tuple[Plane, ...]
"""One frame in its own samples: (Y,), (Y, U, V) or (R, G, B)."""
Pixels = NDArray[np.unsignedinteger[Any]]
"""Samples of a frame side by side, (H, W, C), of the type that `sample_type` names."""

UNSPECIFIED = 2
"""The CICP code (ITU-T H.273) for primaries, transfer or matrix that nobody stated."""


def sample_type(depth: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Type of arrays of samples of so many bits."""
    return np.dtype(np.uint8 if depth == 8 else np.uint16)


def widened(samples: Pixels) -> NDArray[np.signedinteger[Any]]:
    """Samples as integers that hold sums of their products: 32 bits for samples of 8, else 64."""
    return samples.astype(np.int32 if samples.dtype == sample_type(8) else np.int64)


class VideoWarning(UserWarning):
    """Something about a video that the user should know and that does not stop the work."""


@dataclass(frozen=True)
class ColorTags:
    """Colour description as in ITU-T H.273 (CICP), with the sample range."""

    range: Literal["limited", "full"] = "limited"
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED


@dataclass(frozen=True)
class VideoInfo:
    """Everything about a video but its samples."""

    width: int
    height: int
    chroma: Chroma
    frame_rate: Fraction = Fraction(25)
    sample_aspect_ratio: Fraction = Fraction(1)
    color: ColorTags = field(default_factory=ColorTags)
    num_frames: int | None = None
    """None when only reading to the end can tell."""
    depth: int = 8
    """Bits a sample, one of `DEPTHS`."""
    siting: Siting | None = None
    """Where chroma samples lie; None where nobody said."""
    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(
                f"video: depth {self.depth}; allowed are {DEPTHS[0]} to {DEPTHS[-1]} bits"
            )

    @property
    def max_sample(self) -> int:
        """The largest value of a sample."""
        return max_sample(self.depth)

    @property
    def sample_type(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Type of arrays of samples: uint8, or uint16 for more than 8 bits."""
        return sample_type(self.depth)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame over all planes."""
        num_samples = sum(h * w for h, w in self.chroma.plane_shapes(self.height, self.width))
        return num_samples * self.sample_type.itemsize
