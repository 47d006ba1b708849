"""What samples are: how planes relate, what a representation gives, and how deep they go.

The words stand in presets, in HEAD and on the command line; nothing here needs more than the
standard library.
"""

from enum import StrEnum
from typing import NamedTuple

DEPTHS = range(8, 17)
"""Bits a sample may have."""


def max_sample(depth: int) -> int:
    """The largest value of a sample of `depth` bits."""
    return (1 << depth) - 1


class MasteringDisplay(NamedTuple):
    """The display a picture was graded on (SMPTE ST 2086), as HEVC, AVC and PNG store it.

    Chromaticities in 1/50000, luminances in 1/10000 cd/m2; those that nobody stated are 0.
    """

    red_x: int
    red_y: int
    green_x: int
    green_y: int
    blue_x: int
    blue_y: int
    white_x: int
    white_y: int
    max_luminance: int
    min_luminance: int

    @property
    def words(self) -> str:
        """The same for people."""
        names = zip("RGBW", self[:8:2], self[1:8:2], strict=True)
        places = " ".join(f"{name} {x / 50000:g},{y / 50000:g}" for name, x, y in names)
        return f"{places}, {self.min_luminance / 1e4:g} to {self.max_luminance / 1e4:g} cd/m2"


class ContentLight(NamedTuple):
    """How light the content is (CTA-861.3), in cd/m2; 0: nobody said."""

    max_pixel: int
    """MaxCLL: the lightest pixel."""
    max_frame_mean: int
    """MaxFALL: the highest mean of a frame."""


class VideoShape(NamedTuple):
    """Shape of the pixel array that a representation stands for."""

    num_frames: int
    height: int
    width: int
    channels: int


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
        return {Chroma.YUV420: (2, 2), Chroma.YUV422: (1, 2)}.get(self, (1, 1))

    @property
    def words(self) -> str:
        """Its name for people: RGB, grey, 4:2:0."""
        names = {Chroma.GRAY: "grey", Chroma.RGB: "RGB"}
        return names.get(self) or ":".join(self.value)

    def plane_shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Shape of every plane; chroma of odd sizes is rounded up, as Y4M and ffmpeg do."""
        v, h = self.subsampling
        chroma = (-(-height // v), -(-width // h))
        return [(height, width)] + [chroma] * (self.num_planes - 1)


class Siting(StrEnum):
    """Where chroma samples lie among those of luma, in FFmpeg's words."""

    LEFT = "left"
    CENTER = "center"
    TOPLEFT = "topleft"
    TOP = "top"
    BOTTOMLEFT = "bottomleft"
    BOTTOM = "bottom"


class Samples(StrEnum):
    """What a representation gives for a pixel; `video.conversion` turns planes into it and back."""

    RGB = "rgb"
    """Red, green, blue in full range, whatever the source has."""
    YUV444 = "yuv"
    """The source's own Y, U, V, chroma repeated to full size."""
    PACKED420 = "yuv420"
    """The source's own 4:2:0 at half size, rounded up: four of luma (row by row), U, V."""
    GRAY = "gray"
    """Luma in full range."""

    @property
    def num_channels(self) -> int:
        """Values a position."""
        return {Samples.GRAY: 1, Samples.PACKED420: 6}.get(self, 3)

    @property
    def pixels_per_position(self) -> int:
        """Pixels of the video that one position stands for."""
        return 4 if self is Samples.PACKED420 else 1

    def is_allowed_for(self, chroma: Chroma) -> bool:
        """Whether a source with such planes can be given in these samples."""
        if self is Samples.GRAY:
            return chroma is Chroma.GRAY
        if self is Samples.RGB:
            return chroma is not Chroma.GRAY
        if self is Samples.PACKED420:
            return chroma is Chroma.YUV420
        return chroma not in (Chroma.GRAY, Chroma.RGB)

    @classmethod
    def allowed_for(cls, chroma: Chroma) -> list["Samples"]:
        """All kinds that a source with such planes can be given in."""
        return [samples for samples in cls if samples.is_allowed_for(chroma)]

    def shape(self, num_frames: int, height: int, width: int) -> VideoShape:
        """Shape of a video's pixel array; the size is that of its frames."""
        if self is Samples.PACKED420:
            height, width = -(-height // 2), -(-width // 2)
        return VideoShape(num_frames, height, width, self.num_channels)
