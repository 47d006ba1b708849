"""A video as a sequence of frames: what Python and numpy ask of one."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, overload

import numpy as np

from nvcodec.errors import VideoError
from nvcodec.samples import Chroma
from nvcodec.video.info import Pixels, VideoInfo


class PixelSequence(ABC):
    """Frames by index, by time, or all at once: (H, W, 3) RGB, or (H, W, 1) grey, full range.

    They are uint8, or uint16 at the depth of the video, `info.depth`, where that is above 8.
    """

    info: VideoInfo

    @abstractmethod
    def __len__(self) -> int:
        """Number of frames."""

    @abstractmethod
    def __iter__(self) -> Iterator[Pixels]:
        """Frames in order."""

    @abstractmethod
    def frame(self, t: int) -> Pixels:
        """Frame `t`, from 0 to the number of frames less one."""

    @property
    @abstractmethod
    def num_frames(self) -> int | None:
        """Number of frames as far as it is known; None when only the end can tell."""

    @overload
    def __getitem__(self, t: int) -> Pixels: ...
    @overload
    def __getitem__(self, t: slice) -> list[Pixels]: ...
    def __getitem__(self, t: int | slice) -> Pixels | list[Pixels]:
        """A frame by its index, negative ones from the end; a list of frames for a slice."""
        if isinstance(t, slice):
            return [self.frame(i) for i in range(*t.indices(len(self)))]
        t, count = operator.index(t), len(self)
        if not -count <= t < count:
            raise IndexError(f"frame {t} is not in the video, which has {count}")
        return self.frame(t % count)

    def frame_at(self, seconds: Fraction | float) -> int:
        """Index of the frame that is shown at a time.

        Raises:
            VideoError: it is before the first frame, or after the last one's time.
        """
        t, count = math.floor(seconds * self.info.frame_rate), self.num_frames
        if t < 0 or (count is not None and t >= count):
            end = "" if count is None else f", which lasts {float(count / self.info.frame_rate):g}"
            raise VideoError(f"{float(seconds):g} seconds: not in the video{end}")
        return t

    @property
    def fps(self) -> float:
        """Frames a second; `info.frame_rate` is the exact ratio."""
        return float(self.info.frame_rate)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(frames, height, width, channels)."""
        channels = 1 if self.info.chroma is Chroma.GRAY else 3
        return len(self), self.info.height, self.info.width, channels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        """All frames, (T, H, W, C)."""
        if copy is False:
            raise ValueError("frames are computed: there is no array without a copy")
        pixels = np.empty(self.shape, self.info.sample_type)
        for t in range(len(pixels)):
            pixels[t] = self.frame(t)
        return pixels if dtype is None else pixels.astype(dtype)

    def __repr__(self) -> str:
        count = "?" if self.num_frames is None else self.num_frames
        return (
            f"<{type(self).__name__}: {count} frames, {self.info.width}x{self.info.height} "
            f"{self.info.chroma.words}, {self.fps:g} frames/s>"
        )
