"""What decoding takes is what it was said to take: peaks of processes against the estimate."""

import json

import numpy as np
import pytest

from codec_helpers import ROOT, python
from nvcodec.coding.parameters import Parameter
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Head, Limits
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import LimitError
from nvcodec.samples import Chroma, Samples
from nvcodec.segment_values import (
    memory_bytes,
    representation_config,
    scheme_of,
    segment_shape,
)
from nvcodec.video.info import VideoInfo

MIB = 1 << 20
FAMILIES = {
    "pixels": {"kind": "coin_mlp", "width": 8, "layers": 1},
    "coin": {
        "kind": "coin_mlp",
        "width": 32,
        "layers": 4,
        "features": 16,
        "sigmas": [1.0, 4.0, 4.0],
    },
    "nerv": {
        "kind": "nerv",
        "channels": 8,
        "stem_width": 16,
        "min_channels": 8,
        "norm": "instance",
    },
    "hinerv": {"kind": "hinerv", "channels": 16, "grid_channels": 4, "local_channels": 4},
    "latents": {"kind": "latents"},
    "cnn": {"kind": "weightstep", "base": {"kind": "image_cnn", "channels": 8}},
    "steps": {
        "kind": "weightstep",
        "base": {"kind": "coin_mlp", "axes": "yx", "width": 16, "layers": 2},
    },
}
GOLDEN = [ROOT / "tests" / "golden" / f"tiny{name}.nvc" for name in ("", "-nerv", "-steps-cnn")]
SIDES = (256, 1024, 2048, 4096)

PEAK = """
import json, re, sys
from pathlib import Path

from nvcodec.container.header import Limits
from nvcodec.decoder import Decoder
from nvcodec.video import create_video

def peak_of(path):
    with Decoder(path, limits=Limits(memory_bytes=1 << 40)) as video:
        with create_video(sys.argv[2], video.info, overwrite=True) as out:
            for number, planes in enumerate(video.planes()):
                out.write(planes)
                if number == 1:
                    break
    # Of this program alone: ru_maxrss would begin with that of the process that started it.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", status)[1]) << 10

before = max(peak_of(path) for path in sys.argv[3:])  # what code and kernels take
print(json.dumps(peak_of(sys.argv[1]) - before))
"""


def make(path, family, side, samples=Samples.RGB, num_frames=2, depth=8):
    """A file whose weights are all zero."""
    info = VideoInfo(side, side, Chroma.YUV420, num_frames=num_frames, depth=depth)
    head = Head.from_video_info(
        info, samples=samples, representation=FAMILIES[family],
        scheme={"kind": "latents" if family == "latents" else "arithmetic"},
    )  # fmt: skip
    config = representation_config(head).resolve(*samples.shape(1, side, side)[1:3])
    head = head.model_copy(
        update={"representation": config.model_dump(mode="json", exclude_none=True)}
    )
    scheme, shape = scheme_of(head), segment_shape(head, num_frames)
    zeros = [Parameter(s, np.zeros(s.shape, np.float32)) for s in config.tensors(shape)]
    coded = scheme.quantize(zeros)
    with NvcWriter(path, head, limits=Limits(memory_bytes=1 << 40)) as writer:
        writer.write_segment(CodedSegment(0, 0, num_frames, scheme.pack(coded), coded.digest()))
        writer.finish()
    return memory_bytes(config, shape, scheme, depth)


def check(tmp_path, family, side, samples=Samples.RGB, depth=8):
    path = tmp_path / "a.nvc"
    estimate = make(path, family, side, samples, depth=depth)
    peak = json.loads(python(PEAK, path, tmp_path / "a.y4m", *GOLDEN))
    print(f"{family} {side} {samples}: {peak / MIB:.0f} MiB of {estimate / MIB:.0f}")
    assert peak <= 1.1 * estimate + 80 * MIB


def test_memory_is_as_estimated(tmp_path):
    check(tmp_path, "pixels", 2048)


@pytest.mark.slow
def test_memory_of_deep_samples(tmp_path):
    check(tmp_path, "pixels", 2048, depth=10)


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("family", list(FAMILIES))
def test_memory_of_every_family(tmp_path, family, side):
    if family == "latents" and side == SIDES[-1]:
        pytest.skip(
            "a hundred million symbols take minutes; memory is in proportion to their number"
        )
    check(tmp_path, family, side)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [Samples.YUV444, Samples.PACKED420])
@pytest.mark.parametrize("family", ["pixels", "nerv", "hinerv"])
def test_memory_of_other_samples(tmp_path, family, samples):
    check(tmp_path, family, 2048, samples)


def test_a_small_file_cannot_ask_for_a_large_picture(tmp_path):
    from nvcodec.decoder import Decoder

    make(tmp_path / "a.nvc", "pixels", 16384)
    with (
        pytest.raises(LimitError, match="bytes of memory"),
        Decoder(tmp_path / "a.nvc", limits=Limits(memory_bytes=1 << 30)) as video,
    ):
        next(video.planes())
