"""Arrays of numpy as a video: all frames at once, or one after the other."""

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from nvcodec.errors import VideoError
from nvcodec.samples import Chroma
from nvcodec.video.color import picture_info
from nvcodec.video.info import Pixels, Planes, VideoInfo

ALLOWED = "uint8 (T, H, W, 3) RGB, (T, H, W) grey, or frames (H, W, 3) or (H, W) one by one"


class ArrayFrames:
    """Frames in RGB or grey, full range; `open_video` reads it.

    Args:
        frames: An array, or an iterable of one frame after the other, all of one shape.

    Raises:
        TypeError: It is neither, or the first frame is not of uint8.
        ValueError: The first frame has another shape.
    """

    name = "frames"

    def __init__(self, frames: Iterable[Any]) -> None:
        if isinstance(frames, np.ndarray) and frames.ndim not in (3, 4):
            raise ValueError(f"frames: shape {frames.shape}; allowed are {ALLOWED}")
        iterator = iter(frames)
        first = next(iterator, None)
        if first is None:
            raise ValueError(f"frames: none; allowed are {ALLOWED}")
        if not isinstance(first, np.ndarray) or first.dtype != np.uint8:
            seen = first.dtype if isinstance(first, np.ndarray) else type(first).__name__
            raise TypeError(f"frames: {seen}; allowed are {ALLOWED}")
        if first.ndim not in (2, 3) or (first.ndim == 3 and first.shape[2] not in (1, 3)):
            raise ValueError(f"frames: one is {first.shape}; allowed are {ALLOWED}")
        self._shape, self._frames = first.shape, itertools.chain([first], iterator)
        is_gray = first.ndim == 2 or first.shape[2] == 1
        count = len(frames) if isinstance(frames, Sized) else None
        height, width = first.shape[:2]
        chroma = Chroma.GRAY if is_gray else Chroma.RGB
        self.info = picture_info(VideoInfo(width, height, chroma, num_frames=count))

    def __iter__(self) -> Iterator[Planes]:
        """Frames in order, once.

        Raises:
            VideoError: One is not as the first.
        """
        for number, frame in enumerate(self._frames):
            yield self._planes(frame, number)

    def _planes(self, frame: Pixels, number: int) -> Planes:
        if (
            not isinstance(frame, np.ndarray)
            or frame.dtype != np.uint8
            or frame.shape != self._shape
        ):
            seen = getattr(frame, "dtype", type(frame).__name__), getattr(frame, "shape", "")
            raise VideoError(
                f"frames: frame {number} is {seen[0]} {seen[1]}, the first is uint8 {self._shape}"
            )
        channels = frame[:, :, None] if frame.ndim == 2 else frame
        return tuple(np.array(channels[:, :, c]) for c in range(channels.shape[2]))
