"""Settings of representations, free of torch: sizes are told before anything heavy is loaded."""

import abc
from typing import Self

from nvcodec.config import Config
from nvcodec.video.info import VideoShape


class RepresentationConfig(Config, abc.ABC):
    """Settings of a representation; `kind` is the name of its file."""

    kind: str

    @property
    def random_access(self) -> str:
        """What a frame needs besides the segment's header, for people."""
        return "any frame of a segment alone"

    def resolve(self, height: int, width: int) -> Self:
        """These settings with what follows from the picture's size filled in: what HEAD stores.

        What follows from the number of frames stays open, for segments differ in length; its rule
        is part of the format.
        """
        return self

    @property
    def has_patches(self) -> bool:
        """Whether parts of a frame can be rendered alone, so that memory is bounded by bands."""
        return True

    @abc.abstractmethod
    def num_parameters(self, shape: VideoShape) -> int:
        """Entries of all parameters for one segment."""

    def num_sparse_parameters(self, shape: VideoShape) -> int:
        """How many of them are zero for the most part; to tell people what size to expect."""
        return 0

    @abc.abstractmethod
    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of one frame."""

    @abc.abstractmethod
    def activations_per_frame(self, shape: VideoShape) -> int:
        """Values held at once while one frame is rendered, at most; for memory estimates."""

    def activations_per_band(self, shape: VideoShape) -> int:
        """Those of them that every band needs whole, however low it is."""
        return 0
