"""Files of released format versions: they decode to the same integers for ever.

Hashes are of decoded integers, so exact; pixels come from float arithmetic and get a tolerance.
The clip is the embedded one (see benchmarks/clips/README.md), four frames at 48x32.
"""

from pathlib import Path

import numpy as np
import pytest

import nvcodec
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.decoder import Decoder
from nvcodec.segment_decoder import build_checked, unpack_segment

FOLDER = Path(__file__).parent

# Version 1: file, hashes of both segments, mean of each frame.
GOLDEN = [
    (
        "tiny",
        ["1a01e7df332a3d1925bf0992543fef03", "7088d6ee37490e0145fabfd375cc9442"],
        [106.041, 106.077, 111.273, 111.589],
    ),
    (
        "tiny-nerv",
        ["861a1f2e13ae4609411c9c2626c26de0", "9a22a0d81a06acd7bd1c8e0518a95833"],
        [106.696, 106.702, 106.652, 107.223],
    ),
    (
        "tiny-nvrc",
        ["10d69b1869a6f698d397412cdf39b337", "06ee4624059275595c1d0a755081c8f4"],
        [124.390, 124.397, 114.478, 114.414],
    ),
    (
        "tiny-raw",
        ["1b2399b11bee847425a34971ecee347b", "25793c0c1119135f06a4a159795e0ef6"],
        [122.939, 122.940, 124.654, 124.674],
    ),
    (
        "tiny-coin",
        ["40ec46af1c762e3b533b231f31971a3c", "772febe2446be4ecb3afaea56c059c51"],
        [105.024, 105.330, 106.633, 106.582],
    ),
    (
        "tiny-steps",
        ["a6d09957f7362c3e809309640df64a0b", "933e5027f90c80a246c032fe60b3b014"],
        [105.716, 105.386, 104.730, 105.350],
    ),
    (
        "tiny-steps-cnn",
        ["f6ba9d13102871dd382a86bb278eee5a", "a35b4eafe0168687e9624252e6ecafc9"],
        [107.142, 107.056, 106.536, 106.836],
    ),
]


@pytest.mark.parametrize(("name", "hashes", "means"), GOLDEN)
def test_golden_files_decode_as_ever(name, hashes, means):
    path = FOLDER / f"{name}.nvc"
    seen = []
    with Decoder(path, device="cpu") as decoder:
        for _, segment in decoder.segments():
            network = build_checked(decoder.head, segment.num_frames, DEFAULT_LIMITS)
            seen.append(unpack_segment(decoder.head, segment, network).digest().hex())
    assert seen == hashes
    frames = np.stack(list(nvcodec.decode(path, device="cpu")))
    assert frames.shape == (4, 32, 48, 3)
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), means, atol=0.1)
