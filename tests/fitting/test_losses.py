"""Distortions against pytorch-msssim and hand-computed values."""

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as reference
from pytorch_msssim import ssim as reference_ssim

from nvcodec.fitting.config import LossConfig
from nvcodec.fitting.losses import (
    distortion,
    luma_of_packed,
    mean_error,
    ms_ssim,
    num_scales,
    ssim,
)
from nvcodec.samples import Chroma, Samples
from nvcodec.video.color import planes_to_packed, planes_to_rgb
from nvcodec.video.info import VideoInfo


@pytest.mark.parametrize(
    ("height", "width", "window"), [(180, 320, 5), (177, 181, 11), (65, 90, 5)]
)
def test_ms_ssim_agrees_with_pytorch_msssim(height, width, window):
    torch.manual_seed(0)
    x = torch.rand(2, height, width, 3)
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    planes = (image.permute(0, 3, 1, 2) for image in (x, y))
    expected = reference(*planes, data_range=1, win_size=window)
    assert float(ms_ssim(x, y, window)) == pytest.approx(float(expected), abs=2e-6)


@pytest.mark.parametrize("window", [5, 11])
def test_ssim_agrees_with_pytorch_msssim(window):
    torch.manual_seed(0)
    x = torch.rand(2, 60, 70, 3)
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    planes = (image.permute(0, 3, 1, 2) for image in (x, y))
    expected = float(reference_ssim(*planes, data_range=1, win_size=window))
    assert float(ssim(x, y, window)) == pytest.approx(expected, abs=1e-5)
    config = LossConfig(l1=0.7, l2=0, ms_ssim=0, ssim=0.3, ssim_window=window)  # NeRV, Eq. 2
    total = 0.7 * float((x - y).abs().mean()) + 0.3 * (1 - expected)
    assert float(distortion(x, y, Samples.RGB, config)) == pytest.approx(total, abs=1e-5)


def test_small_pictures_use_the_scales_that_fit():
    assert [num_scales(side, 640, 5) for side in (16, 17, 33, 64, 65, 1080)] == [2, 3, 4, 4, 5, 5]
    assert num_scales(3, 3, 5) == 1
    x = torch.rand(1, 16, 16, 3)
    assert float(ms_ssim(x, x, 5)) == pytest.approx(1, abs=1e-5)


def test_rgb_distortion_is_the_weighted_sum():
    x, y = torch.full((1, 70, 70, 3), 0.5), torch.full((1, 70, 70, 3), 0.75)
    assert float(distortion(x, y, Samples.RGB, LossConfig(l1=1, l2=0, ms_ssim=0))) == pytest.approx(
        0.25
    )
    assert float(distortion(x, y, Samples.RGB, LossConfig(l1=0, l2=2, ms_ssim=0))) == pytest.approx(
        0.125
    )
    full = distortion(x, y, Samples.RGB, LossConfig())
    similarity = 0.3 * (1 - ms_ssim(x, y, 5))
    assert float(full) == pytest.approx(0.7 * 0.25 + float(similarity), abs=1e-6)


def test_yuv_distortion_weighs_planes_by_exponents():
    """NVRC, section 4.1: 0.99 MSE_Y^(6/8) MSE_U^(1/8) MSE_V^(1/8) + 0.01 (1 - MS-SSIM_Y)."""
    x = torch.zeros(1, 70, 70, 3)
    y = x + torch.tensor([0.1, 0.2, 0.4])
    luma = 1 - ms_ssim(x[..., :1], y[..., :1], 5)
    expected = 0.99 * 0.01**0.75 * 0.04**0.125 * 0.16**0.125 + 0.01 * float(luma)
    assert float(distortion(x, y, Samples.YUV444, LossConfig())) == pytest.approx(
        expected, rel=1e-5
    )


def test_packed_error_is_that_of_rgb():
    """One step of one luma, of U, of V through the integer conversion, as 4:2:0 pictures."""
    info = VideoInfo(8, 8, Chroma.YUV420)
    gray = tuple(np.full(shape, 128, np.uint8) for shape in info.chroma.plane_shapes(8, 8))
    for plane in range(3):
        other = [p.copy() for p in gray]
        other[plane][0, 0] += 60  # far from clipping
        rgb = [planes_to_rgb(p, info).astype(float) / 255 for p in (gray, other)]
        packed = [
            torch.from_numpy(planes_to_packed(p, info)).float()[None] / 255 for p in (gray, other)
        ]
        seen = float(mean_error((packed[0] - packed[1]).square(), Samples.PACKED420))
        assert seen == pytest.approx(np.square(rgb[0] - rgb[1]).mean(), rel=0.03)


def test_packed_luma_comes_back_at_full_size():
    info = VideoInfo(6, 4, Chroma.YUV420)
    luma = np.arange(24, dtype=np.uint8).reshape(4, 6)
    chroma = np.zeros((2, 3), np.uint8)
    packed = torch.from_numpy(planes_to_packed((luma, chroma, chroma), info))[None]
    assert luma_of_packed(packed)[0, :, :, 0].tolist() == luma.tolist()
    loss = LossConfig(l1=0, l2=0, ms_ssim=1)
    x, y = torch.rand(2, 1, 20, 20, 6)
    expected = 1 - ms_ssim(luma_of_packed(x), luma_of_packed(y), loss.ms_ssim_window)
    assert float(distortion(x, y, Samples.PACKED420, loss)) == pytest.approx(float(expected))
