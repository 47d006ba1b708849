from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_helpers import assert_same, make_frames, make_info

from nvcodec.errors import UnsupportedVideoError
from nvcodec.samples import max_sample
from nvcodec.video import Chroma, ColorTags
from nvcodec.video.color import (
    LUMA_WEIGHTS,
    packed_to_planes,
    planes_to_packed,
    planes_to_rgb,
    planes_to_yuv444,
    rgb_to_planes,
    yuv444_to_planes,
    yuv_info_of_rgb,
    yuv_planes_of_rgb,
)

YUV = [Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]


def pixel(info, *values):
    return tuple(np.full((1, 1), value, np.uint8) for value in values)


@pytest.mark.parametrize(
    ("matrix", "span", "rgb", "yuv"),
    [
        (6, "limited", (255, 255, 255), (235, 128, 128)),
        (6, "limited", (0, 0, 0), (16, 128, 128)),
        (6, "limited", (255, 0, 0), (81, 90, 240)),
        (6, "limited", (0, 255, 0), (145, 54, 34)),
        (6, "limited", (0, 0, 255), (41, 240, 110)),
        (1, "limited", (255, 255, 255), (235, 128, 128)),
        (1, "limited", (255, 0, 0), (63, 102, 240)),
        (1, "limited", (0, 255, 0), (173, 42, 26)),
        (1, "limited", (0, 0, 255), (32, 240, 118)),
        (6, "full", (255, 255, 255), (255, 128, 128)),
        (6, "full", (255, 0, 0), (76, 85, 255)),
        (6, "full", (0, 255, 0), (150, 44, 21)),
        (1, "full", (255, 0, 0), (54, 99, 255)),
        (1, "full", (0, 0, 255), (18, 255, 116)),
    ],
)
def test_known_colors(matrix, span, rgb, yuv):
    info = make_info(1, 1, Chroma.YUV444, color=ColorTags(span, matrix=matrix))
    pixels = np.array(rgb, np.uint8).reshape(1, 1, 3)
    assert tuple(int(p[0, 0]) for p in rgb_to_planes(pixels, info)) == yuv
    back = planes_to_rgb(pixel(info, *yuv), info)
    assert np.abs(back.astype(int) - pixels).max() <= 2  # YUV is rounded, its steps are wider


def test_untagged_is_bt601():
    untagged = make_info(8, 8, Chroma.YUV444)
    planes = make_frames(untagged, 1)[0]
    for code in (5, 6):
        tagged = make_info(8, 8, Chroma.YUV444, color=ColorTags(matrix=code))
        np.testing.assert_array_equal(
            planes_to_rgb(planes, untagged), planes_to_rgb(planes, tagged)
        )


def extreme_frame(info):
    """Random planes whose corners are every choice of least and largest samples."""
    planes = make_frames(info, 1)[0]
    for c, plane in enumerate(planes):
        plane[0, :8] = [info.max_sample * (n >> c & 1) for n in range(8)]
    return planes


def allowance(depth):
    """Half a step, and what four coefficients, each rounded to 20 bits, add at most."""
    return 0.5 + 4 * max_sample(depth) * 2**-21


def spans(info):
    """Black, luma, chroma and middle; ITU-T H.273, 8.3."""
    scale = 1 << info.depth - 8
    if info.color.range == "full":
        return 0, info.max_sample, info.max_sample, 128 * scale
    return 16 * scale, 219 * scale, 224 * scale, 128 * scale


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("span", ["limited", "full"])
@pytest.mark.parametrize("matrix", sorted(LUMA_WEIGHTS))
def test_against_formulas_in_float64(matrix, span, depth):
    """Both ways, at every depth, as far as rounded coefficients allow; BT.2020 overflows 32 bits.

    Sums of large samples times 20-bit coefficients would be off by far more than a step.
    """
    info = make_info(16, 16, Chroma.YUV444, color=ColorTags(span, matrix=matrix), depth=depth)
    k_r, k_b = map(float, LUMA_WEIGHTS[matrix])
    k_g = 1 - k_r - k_b
    black, luma, chroma, middle = spans(info)
    planes = extreme_frame(info)

    y, u, v = (plane.astype(np.float64) for plane in planes)
    e, cb, cr = (y - black) / luma, (u - middle) / chroma, (v - middle) / chroma
    red, blue = e + 2 * (1 - k_r) * cr, e + 2 * (1 - k_b) * cb
    rgb = np.stack([red, (e - k_r * red - k_b * blue) / k_g, blue], axis=-1)
    seen = planes_to_rgb(planes, info)
    assert seen.dtype == info.sample_type
    exact = np.clip(rgb * info.max_sample, 0, info.max_sample)
    assert np.abs(seen - exact).max() <= allowance(depth)

    pixels = np.stack(planes, axis=-1)
    red, green, blue = np.moveaxis(pixels / info.max_sample, -1, 0)
    e = k_r * red + k_g * green + k_b * blue
    cb, cr = (blue - e) / (2 * (1 - k_b)), (red - e) / (2 * (1 - k_r))
    wanted = e * luma + black, cb * chroma + middle, cr * chroma + middle
    for exact, plane in zip(wanted, rgb_to_planes(pixels, info), strict=True):
        assert plane.dtype == info.sample_type
        clipped = np.clip(exact, 0, info.max_sample)
        assert np.abs(plane - clipped).max() <= allowance(depth)


@pytest.mark.parametrize("chroma", [*YUV, Chroma.GRAY])
@pytest.mark.parametrize("size", [(17, 23), (16, 8), (1, 1), (427, 239)])
def test_up_and_down_is_the_identity(chroma, size):
    info = make_info(*size, chroma)
    planes = make_frames(info, 1)[0]
    yuv = planes_to_yuv444(planes, info)
    assert yuv.shape == (size[1], size[0], 1 if chroma is Chroma.GRAY else 3)
    assert_same([planes], [yuv444_to_planes(yuv, info)])


@pytest.mark.parametrize("size", [(17, 23), (16, 8), (1, 1), (427, 239)])
def test_packed_and_back_is_the_identity(size):
    info = make_info(*size, Chroma.YUV420)
    planes = make_frames(info, 1)[0]
    packed = planes_to_packed(planes, info)
    assert packed.shape == (*planes[1].shape, 6)
    assert_same([planes], [packed_to_planes(packed, info)])


def test_packed_channels_are_lumas_row_by_row_then_chroma():
    info = make_info(3, 2, Chroma.YUV420)
    luma = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    packed = planes_to_packed((luma, np.uint8([[7, 8]]), np.uint8([[9, 10]])), info)
    assert packed.tolist() == [[[1, 2, 4, 5, 7, 9], [3, 3, 6, 6, 8, 10]]]


def test_down_is_the_mean_rounded_half_up():
    info = make_info(3, 2, Chroma.YUV420)
    yuv = np.zeros((2, 3, 3), np.uint8)
    yuv[:, :, 1] = [[0, 0, 7], [1, 1, 8]]
    _, u, _ = yuv444_to_planes(yuv, info)
    assert u.tolist() == [[1, 8]]  # 0.5 -> 1; the edge is repeated: 7.5 -> 8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 9]), st.sampled_from(["limited", "full"]))
def test_rgb_through_444_loses_little(seed, matrix, span):
    info = make_info(24, 16, Chroma.YUV444, color=ColorTags(span, matrix=matrix))
    rgb = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    back = planes_to_rgb(rgb_to_planes(rgb, info), info)
    assert np.abs(back.astype(int) - rgb).max() <= 2


def test_gray_keeps_one_channel_and_limited_gray_comes_back():
    info = make_info(220, 1, Chroma.GRAY)
    planes = (np.arange(16, 236, dtype=np.uint8)[None],)
    rgb = planes_to_rgb(planes, info)
    assert rgb.shape == (1, 220, 1)
    assert (rgb[0, 0, 0], rgb[0, -1, 0]) == (0, 255)
    assert_same([planes], [rgb_to_planes(rgb, info)])


def test_gray_pixels_stay_gray():
    for matrix in LUMA_WEIGHTS:
        info = make_info(256, 1, Chroma.YUV444, color=ColorTags("full", matrix=matrix))
        rgb = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        planes = rgb_to_planes(rgb, info)
        assert (planes[1] == 128).all()
        assert (planes[2] == 128).all()
        np.testing.assert_array_equal(planes_to_rgb(planes, info), rgb)


def test_rgb_planes_pass_through_and_become_bt709():
    info = make_info(4, 4, Chroma.RGB, color=ColorTags("full", 1, 13, 0))
    planes = make_frames(info, 1)[0]
    rgb = planes_to_rgb(planes, info)
    np.testing.assert_array_equal(rgb[:, :, 0], planes[0])
    assert_same([planes], [rgb_to_planes(rgb, info)])
    assert yuv_info_of_rgb(info).color == ColorTags("limited", 1, 13, 1)
    assert_same(
        [yuv_planes_of_rgb(planes, yuv_info_of_rgb(info))],
        [rgb_to_planes(rgb, yuv_info_of_rgb(info))],
    )


def test_matrix_without_conversion_is_refused():
    info = make_info(4, 4, Chroma.YUV444, color=ColorTags(matrix=14))
    with pytest.raises(UnsupportedVideoError, match="matrix 14"):
        planes_to_rgb(make_frames(info, 1)[0], info)


@pytest.mark.parametrize("depth", [10, 12, 16])
def test_deeper_samples_come_back_unchanged(depth):
    for chroma in YUV:
        info = make_info(9, 7, chroma, depth=depth)
        planes = make_frames(info, 1)[0]
        again = yuv444_to_planes(planes_to_yuv444(planes, info), info)
        assert all(np.array_equal(a, b) for a, b in zip(planes, again, strict=True))
    info = make_info(9, 7, depth=depth)
    planes = make_frames(info, 1)[0]
    again = packed_to_planes(planes_to_packed(planes, info), info)
    assert all(np.array_equal(a, b) for a, b in zip(planes, again, strict=True))
    assert again[0].dtype == np.uint16


@pytest.mark.parametrize(("depth", "most"), [(8, 2), (10, 2), (12, 2)])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_colors_come_back_at_any_depth(depth, most, span):
    """RGB to YUV and back: off by what rounding YUV costs, two steps at most."""
    info = make_info(32, 32, Chroma.YUV444, color=ColorTags(span, matrix=1), depth=depth)
    kind = np.uint8 if depth == 8 else np.uint16
    pixels = np.random.default_rng(depth).integers(0, 1 << depth, (32, 32, 3), kind)
    planes = rgb_to_planes(pixels, info)
    back = planes_to_rgb(planes, info)
    assert back.dtype == kind
    assert np.abs(back.astype(int) - pixels.astype(int)).max() <= most
    white = rgb_to_planes(
        np.full((1, 1, 3), (1 << depth) - 1, kind), replace(info, width=1, height=1)
    )
    expected = ((235 if span == "limited" else 255) << depth - 8, 128 << depth - 8)
    if span == "full":
        expected = ((1 << depth) - 1, 1 << depth - 1)
    assert (int(white[0][0, 0]), int(white[1][0, 0])) == expected
