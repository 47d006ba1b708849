"""Which frames a page shows of all that pass by: the worst, the best and the first."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nvcodec.pages.report import Pair

Pictures = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A frame of two videos, uint8 (H, W, 3) each."""


class Chosen:
    """Is told of every frame, and keeps the pictures of three at most."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, float, Pictures]] = {}

    def add(self, frame: int, psnr_db: float, pictures: Callable[[], Pictures]) -> None:
        """A frame, and what gives its pictures if they are wanted."""
        kept = self._kept
        names = [name for name in ("worst", "best", "first") if name not in kept]
        if kept:
            names = ["worst"] * (psnr_db < kept["worst"][1]) + ["best"] * (
                psnr_db > kept["best"][1]
            )
        if names:
            kept |= dict.fromkeys(names, (frame, psnr_db, pictures()))

    def pairs(self, left: str = "source", right: str = "decoded") -> list[Pair]:
        """What was kept, one pair a frame, under the names of the two videos."""
        names: dict[int, list[str]] = {}
        for name, (frame, _, _) in self._kept.items():
            names.setdefault(frame, []).append(name)
        shown = {frame: (psnr_db, pictures) for frame, psnr_db, pictures in self._kept.values()}
        return [
            Pair(
                label=f"{', '.join(own)}: frame {frame}, {shown[frame][0]:.2f} dB",
                frame=frame,
                left=shown[frame][1][0],
                right=shown[frame][1][1],
                left_label=left,
                right_label=f"{right}, {shown[frame][0]:.2f} dB",
            )
            for frame, own in names.items()
        ]
