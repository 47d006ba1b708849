"""Quality at any depth: the peak is that of the samples, sums of squares do not overflow."""

import math

import numpy as np
import pytest

from nvcodec.metrics.quality import QualityMeter, mean_squared_error, ms_ssim, psnr_db
from nvcodec.samples import Chroma, max_sample
from nvcodec.video.info import ColorTags, VideoInfo


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_psnr_goes_by_the_peak_of_the_depth(depth):
    info = VideoInfo(16, 16, Chroma.RGB, color=ColorTags("full"), depth=depth)
    black = (np.zeros((16, 16), info.sample_type),) * 3
    one, white = (tuple(plane + v for plane in black) for v in (1, info.max_sample))
    assert mean_squared_error(black[0], white[0]) == max_sample(depth) ** 2
    assert psnr_db(max_sample(depth) ** 2, depth) == 0
    meter = QualityMeter(info)
    meter.add(black, one)
    quality = meter.quality()
    assert quality.psnr_rgb_db == pytest.approx(20 * math.log10(max_sample(depth)))
    assert quality.psnr_planes_db == pytest.approx((quality.psnr_rgb_db,) * 3)


def test_the_same_picture_scores_the_same_at_8_and_16_bits():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (176, 176, 1), np.uint8)
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    deep = [x.astype(np.uint16) * 257 for x in (a, b)]
    assert ms_ssim(*deep, 16) == pytest.approx(ms_ssim(a, b), abs=1e-5)
    assert psnr_db(mean_squared_error(*deep), 16) == pytest.approx(
        psnr_db(mean_squared_error(a, b))
    )
