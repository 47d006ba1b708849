"""PSNR-RGB with RGB as ffmpeg makes it unless told otherwise, as when papers extract pictures.

That is swscale's quick conversion by BT.601 whatever the tags say. It differs from our exact one by
some hundredths of a dB, and more where the video is tagged BT.709: published numbers compare with
this one.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nvcodec.metrics.quality import mean_squared_error, psnr_db
from nvcodec.processes import Child, ffmpeg_path


def psnr_rgb_ffmpeg_db(reference: Path, decoded: Path, width: int, height: int) -> float:
    """Mean over frames of the PSNR of two Y4M files, 8-bit RGB.

    Raises:
        FfmpegError: a file cannot be read.
    """
    with ExitStack() as stack:
        pair = (_frames(path, width * height * 3, stack) for path in (reference, decoded))
        found = [psnr_db(mean_squared_error(a, b)) for a, b in zip(*pair, strict=True)]
    return float(np.mean(found))


def _frames(path: Path, size: int, stack: ExitStack) -> Iterator[NDArray[np.uint8]]:
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-i", f"file:{path}"]
    target = ["-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    child = stack.enter_context(Child([*command, *target], stdout=True))
    assert child.stdout is not None
    while frame := child.stdout.read(size):
        yield np.frombuffer(frame, np.uint8)
    child.finish()
