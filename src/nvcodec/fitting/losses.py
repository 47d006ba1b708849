"""Distortions that fitting minimises. Tensors are (N, h, w, C) in [0, 1], float32."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.fitting.config import LossConfig
from nvcodec.samples import Samples

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales; Wang et al. 2003, Multi-scale structural similarity, section 3.2."""


SAMPLE_WEIGHTS: Mapping[Samples, tuple[float, ...]] = {
    Samples.PACKED420: (1.356 / 4,) * 4 + (1.407, 1.070),
}
"""Weights that turn the mean squared errors of channels into that of RGB, where they differ.

Of packed samples (four times Y, then U, V): squared lengths of the columns of BT.601's matrix from
limited-range YUV, over three channels; as if errors in Y, U and V were independent.
"""


def mean_error(errors: Tensor, samples: Samples) -> Tensor:
    """Mean of squared or absolute errors (N, h, w, C), a scalar; of packed samples as in RGB."""
    weights = SAMPLE_WEIGHTS.get(samples)
    if weights is None:
        return errors.mean()
    return (errors.mean(dim=(0, 1, 2)) * errors.new_tensor(weights)).sum()


def luma_of_packed(samples: Tensor) -> Tensor:
    """Luma at full size, (N, 2 h, 2 w, 1), of packed samples (N, h, w, 6)."""
    return F.pixel_shuffle(samples[..., :4].permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def distortion(output: Tensor, target: Tensor, samples: Samples, config: LossConfig) -> Tensor:
    """The D of one batch, a scalar.

    RGB, grey and packed 4:2:0: the weighted sum of `config`; (MS-)SSIM is luma's in packed.
    YUV: NVRC, section 4.1: weights 6:1:1 as exponents of the planes' MSE, and MS-SSIM of Y.
    """
    if samples is Samples.YUV444:
        mse = (output - target).square().mean(dim=(0, 1, 2)) + 1e-9  # roots need a slope at zero
        y_share = mse[0] ** 0.75 * (mse[1] * mse[2]) ** 0.125
        return 0.99 * y_share + 0.01 * (
            1 - ms_ssim(output[..., :1], target[..., :1], config.ms_ssim_window)
        )
    total = output.new_zeros(())
    if config.l1:
        total = total + config.l1 * mean_error((output - target).abs(), samples)
    if config.l2:
        total = total + config.l2 * mean_error((output - target).square(), samples)
    if samples is Samples.PACKED420 and (config.ms_ssim or config.ssim):
        output, target = luma_of_packed(output), luma_of_packed(target)
    if config.ms_ssim:
        total = total + config.ms_ssim * (1 - ms_ssim(output, target, config.ms_ssim_window))
    if config.ssim:
        total = total + config.ssim * (1 - ssim(output, target, config.ssim_window))
    return total


def num_scales(height: int, width: int, window: int) -> int:
    """Scales that fit a picture, 1 to 5: each needs more than `window - 1` samples a side."""
    side = min(height, width)
    return max(
        [n for n in range(1, len(SCALE_WEIGHTS) + 1) if side > (window - 1) * 2 ** (n - 1)],
        default=1,
    )


def ssim(output: Tensor, target: Tensor, window: int) -> Tensor:
    """Mean SSIM, a scalar: one scale, a Gaussian window of sigma 1.5; Wang et al. 2004."""
    x, y = (image.permute(0, 3, 1, 2) for image in (output, target))
    kernel = _gaussian_kernel(min(window, x.shape[2], x.shape[3]), x.device)
    return _ssim_terms(x, y, kernel)[0].mean()


def ms_ssim(output: Tensor, target: Tensor, window: int) -> Tensor:
    """Mean multi-scale SSIM, a scalar.

    Pictures too small for five scales use fewer, their exponents scaled to sum to one; those of all
    five stay as they are printed (their sum is 1.0001), as in pytorch-msssim, which refuses sides
    up to 16 (window - 1).
    """
    x, y = (image.permute(0, 3, 1, 2) for image in (output, target))
    scales = num_scales(x.shape[2], x.shape[3], window)
    weights = torch.tensor(SCALE_WEIGHTS[:scales], device=x.device)
    if scales < len(SCALE_WEIGHTS):
        weights = weights / weights.sum()
    kernel = _gaussian_kernel(min(window, x.shape[2], x.shape[3]), x.device)
    log_product = torch.zeros(x.shape[:2], device=x.device)
    for scale in range(scales):
        similarity, contrast = _ssim_terms(x, y, kernel)
        term = contrast if scale < scales - 1 else similarity
        log_product = log_product + weights[scale] * term.clamp(min=1e-8).log()
        if scale < scales - 1:
            padding = [side % 2 for side in x.shape[2:]]
            x, y = (F.avg_pool2d(image, 2, padding=padding) for image in (x, y))
    return log_product.exp().mean()


def _ssim_terms(x: Tensor, y: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each channel, (N, C); Wang et al. 2004."""
    maps = torch.cat([x, y, x * x + y * y, x * y], dim=1)
    groups = maps.shape[1]
    # Depth-wise: 15 times as fast on a CPU as one channel an image.
    kernels = kernel.expand(groups, 1, 1, -1)
    maps = F.conv2d(F.conv2d(maps, kernels.mT, groups=groups), kernels, groups=groups)
    mean_x, mean_y, mean_squares, mean_product = maps.chunk(4, dim=1)
    squares, product = mean_x.square() + mean_y.square(), mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * (mean_product - product) + c2) / (mean_squares - squares + c2)
    similarity = contrast * (2 * product + c1) / (squares + c1)
    return similarity.mean(dim=(2, 3)), contrast.mean(dim=(2, 3))


def _gaussian_kernel(window: int, device: torch.device) -> Tensor:
    distance = torch.arange(window, dtype=torch.float32, device=device) - window // 2
    kernel = torch.exp(-distance.square() / (2 * 1.5**2))
    return kernel / kernel.sum()
