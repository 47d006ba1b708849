"""Where scenes change: ffmpeg's `scdet` over the luma of every frame.

    planes --luma, 8 bits--> ffmpeg scdet --metadata in a file--> SceneChange (frame, score)

Its score is the mean absolute change of luma in percent, less than that where the frame before has
changed as much: motion and fades stay low. `benchmarks/cuts.py` measures how far apart they are.
"""

import tempfile
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from nvcodec.processes import Child, ffmpeg_path
from nvcodec.samples import Chroma
from nvcodec.video.info import Planes, VideoInfo

THRESHOLD = 8
"""Score from which a frame begins a scene."""
_FRAME, _SCORE = "pts:", "lavfi.scd.score="


class SceneChange(NamedTuple):
    """The first frame of a scene, and how much changes there."""

    frame: int
    score: float


class SceneDetector:
    """Told of all frames of a video in order; a context manager that ends its ffmpeg.

    Args:
        info: of the video.
        threshold: score from which a frame counts.
    """

    def __init__(self, info: VideoInfo, threshold: float = THRESHOLD) -> None:
        self._plane = 1 if info.chroma is Chroma.RGB else 0  # green is most of luma
        self._shift = info.depth - 8
        self._folder = tempfile.TemporaryDirectory(prefix="nvc-scenes-")
        self._path = Path(self._folder.name, "changes")
        words = f"-v error -f rawvideo -pixel_format gray -s {info.width}x{info.height} -r 25"
        chain = f"scdet=t={threshold}:sc_pass=1,metadata=print:file={self._path.name}"
        command = [ffmpeg_path(), *words.split(), "-i", "pipe:0", "-vf", chain]
        # There, as no name of a folder is safe among filters.
        self._child = Child([*command, "-f", "null", "-"], stdin=True, folder=self._folder.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()
        self._folder.cleanup()

    def add(self, planes: Planes) -> None:
        """The next frame.

        Raises:
            FfmpegError: it does not take it.
        """
        luma = planes[self._plane] >> self._shift if self._shift > 0 else planes[self._plane]
        self._child.write(np.ascontiguousarray(luma, np.uint8).data)

    def changes(self) -> list[SceneChange]:
        """All of them, after the last frame.

        Raises:
            FfmpegError: ffmpeg has failed.
        """
        self._child.finish()
        found, frame = [], 0
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            if line.startswith("frame:"):
                frame = int(line.split(_FRAME)[1].split()[0])
            elif line.startswith(_SCORE):
                found.append(SceneChange(frame, float(line.removeprefix(_SCORE))))
        return found
