"""PSNR and MS-SSIM between a video and its decoded twin, frame by frame.

PSNR-RGB is the mean over frames of each frame's PSNR on RGB of the source's depth, both videos
converted alike. The PSNR of a plane comes from its squared error over the whole clip, in the
source's own samples, as ffmpeg's `psnr` filter sums it; PSNR-YUV weighs the planes 6:1:1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nvcodec.samples import Chroma, max_sample
from nvcodec.video.color import planes_to_rgb
from nvcodec.video.info import Pixels, Planes, VideoInfo, widened

NEAR_DB = 40.0
"""So near, a picture is that of its source, also where this is almost constant."""
MS_SSIM_WINDOW = 11
MIN_MS_SSIM_SIDE = (MS_SSIM_WINDOW - 1) * 2**4 + 1
"""Five scales of an 11x11 window need a side of more than 160."""
LOSSLESS_DB = 100.0
"""What stands for the infinite PSNR of equal frames."""


@dataclass(frozen=True)
class Quality:
    """Quality of a decoded video; PSNR in dB, MS-SSIM None for pictures too small for it."""

    num_frames: int
    psnr_rgb_db: float
    psnr_planes_db: tuple[float, ...]
    """Y, U, V of a YUV video; Y of a grey one; R, G, B of an RGB one."""
    psnr_yuv_db: float | None
    """(6 Y + U + V) / 8; None for an RGB video, Y for a grey one."""
    ms_ssim_rgb: float | None


def psnr_db(mean_squared_error: float, depth: int = 8) -> float:
    """PSNR of samples of `depth` bits, at most `LOSSLESS_DB`."""
    if mean_squared_error <= 0:
        return LOSSLESS_DB
    return min(10 * math.log10(max_sample(depth) ** 2 / mean_squared_error), LOSSLESS_DB)


def mean_squared_error(a: Pixels, b: Pixels) -> float:
    """Mean squared difference of two arrays of one shape."""
    difference = widened(a) - widened(b)
    return float(np.mean(difference * difference))


def flat_psnr_db(frames: Sequence[Planes], info: VideoInfo) -> float:
    """Mean PSNR-RGB of the picture without content nearest to all frames: each plane at its mean.

    A video that is fitted worse has not been fitted.
    """
    flat = tuple(
        np.full_like(planes[0], round(float(np.mean([plane.mean() for plane in planes]))))
        for planes in zip(*frames, strict=True)
    )
    picture = planes_to_rgb(flat, info)
    errors = [mean_squared_error(planes_to_rgb(frame, info), picture) for frame in frames]
    return float(np.mean([psnr_db(error, info.depth) for error in errors]))


def ms_ssim(a: Pixels, b: Pixels, depth: int = 8) -> float:
    """MS-SSIM of two pictures (H, W, C), five scales, window 11, by pytorch-msssim."""
    import torch
    from pytorch_msssim import ms_ssim as measure

    pair = (torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (a, b))
    return float(measure(*pair, data_range=max_sample(depth), win_size=MS_SSIM_WINDOW))


class QualityMeter:
    """Takes pairs of frames and gives the quality of the whole."""

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self._psnr_rgb: list[float] = []
        self._plane_errors: list[list[float]] = []
        self._ms_ssim: list[float] = []

    @property
    def num_frames(self) -> int:
        """Pairs of frames compared so far."""
        return len(self._psnr_rgb)

    @property
    def frames_psnr_db(self) -> list[float]:
        """PSNR-RGB of each of them."""
        return list(self._psnr_rgb)

    def add(self, reference: Planes, decoded: Planes) -> None:
        """Compare one frame with its decoded twin."""
        self._plane_errors.append(
            [mean_squared_error(a, b) for a, b in zip(reference, decoded, strict=True)]
        )
        depth = self.info.depth
        rgb = planes_to_rgb(reference, self.info), planes_to_rgb(decoded, self.info)
        self._psnr_rgb.append(psnr_db(mean_squared_error(*rgb), depth))
        if min(self.info.height, self.info.width) >= MIN_MS_SSIM_SIDE:
            self._ms_ssim.append(ms_ssim(*rgb, depth))

    def quality(self) -> Quality:
        """The quality of all frames so far; at least one."""
        planes = tuple(
            psnr_db(float(e), self.info.depth) for e in np.mean(self._plane_errors, axis=0)
        )
        yuv = None
        if self.info.chroma is not Chroma.RGB:
            yuv = planes[0] if len(planes) == 1 else (6 * planes[0] + planes[1] + planes[2]) / 8
        return Quality(
            num_frames=self.num_frames,
            psnr_rgb_db=float(np.mean(self._psnr_rgb)),
            psnr_planes_db=planes,
            psnr_yuv_db=yuv,
            ms_ssim_rgb=float(np.mean(self._ms_ssim)) if self._ms_ssim else None,
        )

    def state(self) -> list[list[float]]:
        """Everything measured so far, as plain numbers; `restore` takes it back."""
        return [self._psnr_rgb, self._ms_ssim, *self._plane_errors]

    def restore(self, state: list[list[float]]) -> None:
        """Add what another meter measured."""
        self._psnr_rgb += state[0]
        self._ms_ssim += state[1]
        self._plane_errors += state[2:]
