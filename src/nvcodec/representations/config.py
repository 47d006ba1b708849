"""Settings of representations, free of torch: what is stored is known before a network is built.

`RepresentationConfig.tensors` is the one place that states which tensors a family stores. Names are
part of the format: they read like a path through the network, with `grid` for learned grids,
`weight` and `bias` for layers, and a number for the place in a list.
"""

import abc
from collections.abc import Sequence
from typing import Self

from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.config import Config
from nvcodec.samples import VideoShape


def layer(name: str, *shape: int, is_prunable: bool = True) -> list[ParameterSpec]:
    """Weight of that shape, outputs first, and bias of a linear or convolutional layer."""
    return [
        ParameterSpec(f"{name}.weight", shape, Role.WEIGHT, is_prunable),
        ParameterSpec(f"{name}.bias", shape[:1], Role.BIAS),
    ]


def cell_multiples(base_size: Sequence[int], scale: int) -> tuple[list[int], list[int]]:
    """Heights and widths, in pixels, of blocks of base cells that divide the canvas, rising."""
    heights, widths = ([scale * k for k in range(1, n + 1) if n % k == 0] for n in base_size)
    return heights, widths


class RepresentationConfig(Config, abc.ABC):
    """Settings of a representation; `kind` is the name of its file."""

    kind: str

    @property
    def random_access(self) -> str:
        """What a frame needs besides the segment's header, for people."""
        return "any frame of a segment alone"

    @property
    def is_predicted(self) -> bool:
        """Whether frames are predicted from others, which are kept from one frame to the next."""
        return False

    def resolve(self, height: int, width: int) -> Self:
        """These settings with what follows from the picture's size filled in: what HEAD stores.

        What follows from the number of frames stays open, for segments differ in length; its rule
        is part of the format.
        """
        return self

    @abc.abstractmethod
    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """Every tensor that is stored for one segment, in the order in which they are coded.

        Raises:
            ValueError: these settings do not suit such a video.
        """

    def num_parameters(self, shape: VideoShape) -> int:
        """Entries of all parameters for one segment."""
        return sum(spec.num_values for spec in self.tensors(shape))

    def num_sparse_parameters(self, shape: VideoShape) -> int:
        """How many of them are zero for the most part; to tell people what size to expect."""
        return sum(spec.num_values for spec in self.tensors(shape) if spec.role is Role.DELTA)

    def longest_segment(self, shape: VideoShape) -> int | None:
        """Most frames that a segment of such pictures should have; None: as many as wanted."""
        return None

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that the network produces, at least those of the video."""
        return height, width

    def patch_sizes(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Heights and widths that patches may have, rising; the canvas itself is the last."""
        rows, columns = self.canvas(height, width)
        return [rows], [columns]

    @abc.abstractmethod
    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of one frame."""

    @abc.abstractmethod
    def activations_per_frame(self, shape: VideoShape) -> int:
        """Values held at once while one frame is rendered, at most; for memory estimates."""

    def activations_per_band(self, shape: VideoShape) -> int:
        """Those of them that every band needs whole, however low it is."""
        return 0
