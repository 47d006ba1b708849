"""Work is bounded before it is begun, and what cannot be rendered is refused as such."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codec_helpers import ROOT, TINY_NERV, assert_same_frames, decoded_planes
from nvcodec.coding.parameters import Parameter
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Head
from nvcodec.container.writer import NvcWriter
from nvcodec.decoder import Decoder
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import LimitError, MalformedError, PresetError
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.samples import Chroma, Samples, VideoShape
from nvcodec.segment_values import representation_config, scheme_of, segment_shape
from nvcodec.video.info import VideoInfo

GOLDEN = sorted((ROOT / "tests" / "golden").glob("tiny*.nvc"))
STEPS = {"kind": "weightstep", "base": {"kind": "coin_mlp", "axes": "yx", "width": 4, "layers": 1}}


def make(path, representation, num_frames, side=16):
    info = VideoInfo(side, side, Chroma.YUV420, num_frames=num_frames)
    head = Head.from_video_info(
        info, samples=Samples.RGB, representation=representation, scheme={"kind": "arithmetic"}
    )
    specs = representation_config(head).tensors(segment_shape(head, num_frames))
    scheme = scheme_of(head)
    coded = scheme.quantize([Parameter(s, np.zeros(s.shape, np.float32)) for s in specs])
    with NvcWriter(path, head) as writer:
        writer.write_segment(CodedSegment(0, 0, num_frames, scheme.pack(coded), coded.digest()))
        writer.finish()
    return path


def test_the_work_of_all_frames_is_bounded(tmp_path):
    path = make(tmp_path / "a.nvc", {"kind": "coin_mlp", "width": 8, "layers": 1}, 1000)
    limits = replace(DEFAULT_LIMITS, macs=10**7)
    with Decoder(path, limits=limits) as video, pytest.raises(LimitError, match="1,000 frames"):
        next(video.planes())
    with Decoder(path, limits=limits, frames=slice(0, 10)) as video:
        assert len(list(video.planes())) == 10


def test_rows_of_weight_steps_are_bounded(tmp_path):
    path = make(tmp_path / "a.nvc", STEPS, 50)
    limits = replace(DEFAULT_LIMITS, rows=100)
    with Decoder(path, limits=limits) as video, pytest.raises(LimitError, match="weight steps"):
        next(video.planes())


def test_context_models_are_bounded():
    limits = replace(DEFAULT_LIMITS, macs_per_frame=10**3)
    path = ROOT / "tests" / "golden" / "tiny-nvrc.nvc"
    with Decoder(path, limits=limits) as video, pytest.raises(LimitError):
        next(video.planes())


def test_what_cannot_be_rendered_is_malformed(tmp_path):
    """Instance norm of single pixels: every hash matches, and no frame can be made."""
    settings = {
        "kind": "nerv", "channels": 4, "stem_width": 4, "min_channels": 4, "strides": [1, 16],
        "norm": "instance",
    }  # fmt: skip
    path = make(tmp_path / "a.nvc", settings, 2)
    with Decoder(path) as video, pytest.raises(MalformedError, match="cannot be rendered"):
        next(video.planes())


def test_what_cannot_be_rendered_is_not_encoded(tmp_path):
    frames = VideoInfo(16, 16, Chroma.YUV420, num_frames=1)
    (tmp_path / "a.y4m").write_bytes(
        b"YUV4MPEG2 W16 H16 F25:1 C420jpeg\nFRAME\n" + bytes(frames.frame_bytes)
    )
    changes = ["representation.strides=[1, 16]", 'representation.norm="instance"']
    with pytest.raises(PresetError, match="16x16"):
        encode(
            tmp_path / "a.y4m", tmp_path / "a.nvc", load_preset(TINY_NERV, changes), EncodeOptions()
        )
    assert {p.name for p in tmp_path.iterdir()} == {"a.y4m"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_another_default_type_changes_nothing(path):
    expected = decoded_planes(path)
    torch.set_default_dtype(torch.float64)
    try:
        found = decoded_planes(path)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same_frames(found, expected)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_family_renders_a_batch_without_numbers(path):
    """On the device "meta": no tensor of another device, and no number read back."""
    with Decoder(path) as video:
        head = video.head
    config, shape = representation_config(head), segment_shape(head, 4)
    with torch.device("meta"):
        network = build(config, shape)
    network.check_rendering()
    if config.kind != "weightstep":
        frames = network.render(torch.zeros(3, dtype=torch.int64, device="meta"))
        assert frames.shape == (3, *shape[1:])
        assert frames.is_meta


def test_steps_are_summed_once_in_order():
    config = load_config(STEPS)
    network = build(config, VideoShape(40, 16, 16, 3))
    generator = np.random.default_rng(0)
    values = {
        spec.name: generator.normal(size=spec.shape).astype(np.float16) for spec in network.specs
    }
    network.load_values(values)
    plain = [network.weights(t) for t in range(40)]
    network.requires_grad_(False)
    for order in (range(40), (5, 3, 39, 39, 0, 7)):
        for t in order:
            found = network.weights(t)
            assert all(torch.equal(found[name], plain[t][name]) for name in found)


def test_frames_in_order_add_one_step_each(monkeypatch):
    network = build(load_config(STEPS), VideoShape(40, 16, 16, 3)).requires_grad_(False)
    added, original = [], torch.Tensor.sum

    def note(tensor, *args, **options):
        added.append(len(tensor))
        return original(tensor, *args, **options)

    monkeypatch.setattr(torch.Tensor, "sum", note)
    for t in range(40):
        network.weights(t)
    assert sum(added) == 39 * len(network.step)
