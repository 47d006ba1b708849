"""Frames by formula and by seed for the tests of video."""

from fractions import Fraction

import numpy as np

from nvcodec.video import Chroma, VideoInfo


def make_frames(info, num_frames=3, seed=0):
    """Random planes: nothing survives a hidden conversion in them."""
    rng = np.random.default_rng(seed)
    shapes = info.chroma.plane_shapes(info.height, info.width)
    return [
        tuple(rng.integers(0, info.max_sample + 1, s, info.sample_type) for s in shapes)
        for _ in range(num_frames)
    ]


def smooth_frames(info, num_frames=3):
    """Ramps that move, for codecs that lose something."""
    frames = []
    for t in range(num_frames):
        planes = []
        for c, (h, w) in enumerate(info.chroma.plane_shapes(info.height, info.width)):
            y, x = np.mgrid[:h, :w]
            plane = 60 + 30 * c + 80 * x / w + 40 * y / h + 2 * t
            planes.append((plane * 2 ** (info.depth - 8)).astype(info.sample_type))
        frames.append(tuple(planes))
    return frames


def make_info(width=17, height=23, chroma=Chroma.YUV420, **more):
    return VideoInfo(width, height, chroma, **{"frame_rate": Fraction(30000, 1001), **more})


def assert_same(frames, others):
    frames, others = list(frames), list(others)
    assert len(frames) == len(others)
    for planes, other in zip(frames, others, strict=True):
        assert len(planes) == len(other)
        for a, b in zip(planes, other, strict=True):
            assert b.dtype == a.dtype
            np.testing.assert_array_equal(a, b)
