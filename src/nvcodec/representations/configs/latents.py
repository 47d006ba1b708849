"""Settings of pictures as wavelet coefficients and motion, and what follows from them."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from nvcodec import hierarchy
from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import Samples, VideoShape

FINEST_CELL = 8
"""Pixels of the first plane a side that a value of the finest motion grid stands for."""
NUM_MOTION = 5
"""Values of a cell: down and right to the first reference, to the second, and their blend."""
MOST_VALUES = 1 << 26
"""Coefficients and motion of a segment."""
LIFTING_TAPS, WARP_TAPS = 10, 32
"""Multiply-adds of a sample: a level of the transform along both axes; a warp with its flow."""


class Plane(NamedTuple):
    """A plane of the pictures, and where it lies in the channels of the samples."""

    height: int
    width: int
    channels: Sequence[int]
    """Four where they are the four phases of a plane of twice the size, row by row; else one."""
    offset: int
    """Scales of the first plane that it lacks."""


class LatentsConfig(RepresentationConfig):
    """Settings of wavelet coefficients predicted along motion."""

    kind: Literal["latents"] = "latents"
    levels: int = Field(
        3,
        ge=1,
        le=6,
        description="levels of the transform; packed luma, of twice the size, has one more",
    )
    anchor_every: int = Field(
        16, ge=1, le=256, description="frames from one anchor to the next, each predicted from that"
    )

    @property
    def is_predicted(self) -> bool:
        """See the base class."""
        return True

    @property
    def random_access(self) -> str:
        """By the rule of `hierarchy`."""
        depth = 1 + math.ceil(math.log2(self.anchor_every))
        return (
            f"a frame needs the anchors of its segment before it, one each {self.anchor_every} "
            f"frames, one behind it, and at most {max(depth - 2, 0)} frames between"
        )

    def longest_segment(self, shape: VideoShape) -> int | None:
        """As many as a decoder holds, in whole anchors."""
        values = self.num_parameters(shape._replace(num_frames=2)) // 2
        return max(1, MOST_VALUES // values // self.anchor_every * self.anchor_every + 1)

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Rounded up, so that every level halves the planes."""
        unit = 1 << self.levels
        return -(-height // unit) * unit, -(-width // unit) * unit

    def planes(self, shape: VideoShape) -> list[Plane]:
        """Planes on the canvas; packed samples hold luma in their first four channels."""
        height, width = self.canvas(shape.height, shape.width)
        if shape.channels == Samples.PACKED420.num_channels:
            chroma = [Plane(height, width, (c,), 1) for c in (4, 5)]
            return [Plane(2 * height, 2 * width, (0, 1, 2, 3), 0), *chroma]
        return [Plane(height, width, (c,), 0) for c in range(shape.channels)]

    def num_scales(self, shape: VideoShape) -> int:
        """Levels of the first plane."""
        return self.levels + (shape.channels == Samples.PACKED420.num_channels)

    def cells(self, shape: VideoShape) -> list[int]:
        """Pixels a side of the cells of motion grids, finest first, doubled up to the frame's."""
        first = self.planes(shape)[0]
        doublings = math.ceil(math.log2(max(first.height, first.width, FINEST_CELL) / FINEST_CELL))
        return [FINEST_CELL << k for k in range(doublings + 1)]

    def motion_shapes(self, shape: VideoShape) -> list[tuple[int, int]]:
        """(rows, columns) of each motion grid, finest first."""
        first = self.planes(shape)[0]
        return [(-(-first.height // cell), -(-first.width // cell)) for cell in self.cells(shape)]

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """What is left, coefficients of every scale, finest first, and motion where there is any.

        `detail.k` has, of every plane that reaches scale k, three bands: high along x, along y,
        along both.
        """
        planes, frames = self.planes(shape), shape.num_frames
        first, num_scales = planes[0], self.num_scales(shape)
        size = first.height >> num_scales, first.width >> num_scales
        found = [ParameterSpec("base", (frames, len(planes), *size), Role.GRID)]
        for k in range(num_scales):
            size = first.height >> (k + 1), first.width >> (k + 1)
            count = 3 * sum(plane.offset <= k for plane in planes)
            found.append(ParameterSpec(f"detail.{k}", (frames, count, *size), Role.GRID))
        if frames > 1:
            for k, cells in enumerate(self.motion_shapes(shape)):
                found.append(ParameterSpec(f"motion.{k}", (frames, NUM_MOTION, *cells), Role.GRID))
        return found

    def macs_per_frame(self, shape: VideoShape) -> int:
        """The transform and two warps of every plane, references being there."""
        samples = sum(plane.height * plane.width for plane in self.planes(shape))
        return samples * (LIFTING_TAPS + 2 * WARP_TAPS)

    def activations_per_frame(self, shape: VideoShape) -> int:
        """Planes of the references that are kept, two warped ones, coefficients and flow."""
        planes = self.planes(shape)
        samples = sum(plane.height * plane.width for plane in planes)
        return (
            samples * (self.num_kept(shape) + 6)
            + 3 * NUM_MOTION * planes[0].height * planes[0].width
        )

    def num_kept(self, shape: VideoShape) -> int:
        """Frames that are kept while frames are rendered in order: two anchors, one a depth."""
        return hierarchy.num_depths(shape.num_frames, self.anchor_every) + 2
