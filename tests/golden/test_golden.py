"""Files of released format versions: they decode to the same integers for ever.

Hashes are of decoded integers, so exact; pixels come from float arithmetic and get a tolerance.
The clip is the embedded one (see benchmarks/clips/README.md), four frames at 48x32.
"""

from pathlib import Path

import numpy as np
import pytest

import nvcodec
from codec_helpers import python
from nvcodec.decoder import Decoder
from nvcodec.segment_decoder import SegmentDecoder
from nvcodec.segment_values import unpack_segment

FOLDER = Path(__file__).parent

# Version 1: file, hashes of both segments, mean of each frame.
GOLDEN = [
    (
        "tiny",
        ["ff035ab34291eab22f4410efb7a04aa1", "2dcd7b5aa95227cc2ab35150f7611bb5"],
        [106.041, 106.077, 111.273, 111.589],
    ),
    (
        "tiny-nerv",
        ["89e4fd4e3ee518516151520ebda68c58", "19e9dd06787f951f542eb403fdc801de"],
        [106.696, 106.702, 106.652, 107.223],
    ),
    (
        "tiny-nvrc",
        ["dcfe69418e64921b95c1ca6d79e9e372", "cea1c6c72c185b08ad3cd7290540063a"],
        [124.390, 124.397, 114.478, 114.414],
    ),
    (
        "tiny-raw",
        ["0997a9358b0a72125257891aae529e63", "254f7735a1a5680a5aba0d29d74725f8"],
        [122.939, 122.940, 124.654, 124.674],
    ),
    (
        "tiny-coin",
        ["330a6bb3b322b313f28a0ab32a3c06a5", "2b8511164b28cc4a5515dd6db38f3343"],
        [105.024, 105.330, 106.633, 106.582],
    ),
    (
        "tiny-steps",
        ["f0fa8d927e5be470e785e01d3dc09296", "bf89180a4a550c2d41b7e41f29520385"],
        [105.716, 105.386, 104.730, 105.350],
    ),
    (
        "tiny-steps-cnn",
        ["39e34135f569cbc42ab5c8407254bff5", "ad7d7bb4985adf6f033ac65f8adca403"],
        [107.142, 107.056, 106.536, 106.836],
    ),
    (
        "tiny-latents",
        ["f726b9e5867a400442fe991ae8245658", "447c775a9e2571c52339009519610597"],
        [106.061, 106.048, 105.967, 106.431],
    ),
    (
        "tiny-change",
        ["8099e0108a6db9e8bed23ceb89a50242", "b187e8595e342ed6d9e8ff4b46b9af5a"],
        [125.491, 125.491, 104.663, 104.663],
    ),
]


@pytest.mark.parametrize(("name", "hashes", "means"), GOLDEN)
def test_golden_files_decode_as_ever(name, hashes, means):
    path = FOLDER / f"{name}.nvc"
    seen = []
    with Decoder(path, device="cpu") as decoder:
        for _, segment in decoder.segments():
            seen.append(unpack_segment(decoder.head, segment).digest().hex())
    assert seen == hashes
    frames = np.stack(list(nvcodec.decode(path, device="cpu")))
    assert frames.shape == (4, 32, 48, 3)
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), means, atol=0.1)


def test_decoding_loads_no_compiler():
    """Half of a command's start, if something of torch asks for it."""
    script = """
import sys, nvcodec
for path in sys.argv[1:]:
    with nvcodec.open(path, device="cpu") as video:
        video[0]
print(sorted({"sympy", "torch._dynamo", "torch._inductor"} & set(sys.modules)))
"""
    assert python(script, *sorted(FOLDER.glob("*.nvc"))) == "[]\n"


def test_predicted_frames_are_kept_for_the_next():
    """Else each would decode those that it is predicted from again."""
    with Decoder(FOLDER / "tiny-latents.nvc", device="cpu") as decoder:
        _, coded = next(decoder.segments())
        opened = SegmentDecoder(decoder.head, coded, decoder.device)
    assert opened.representation.remembers
