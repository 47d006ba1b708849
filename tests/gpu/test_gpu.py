"""What must hold between a GPU and a CPU. Run with `pytest -m gpu` where there is a CUDA device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from codec_helpers import TINY, TINY_LATENTS, TINY_NERV, TINY_NVRC
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.reader import NvcReader
from nvcodec.decoder import Decoder
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError
from nvcodec.fitting.config import FittingConfig
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.step import FittingWarning
from nvcodec.metrics.quality import QualityMeter
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.representations.representation import Patches
from nvcodec.samples import Samples, VideoShape
from nvcodec.segment_values import unpack_segment
from nvcodec.video import open_video

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
PRESETS = [TINY, TINY_NVRC, TINY_NERV, TINY_LATENTS]
MAX_DIFFERENCE_DB = 0.02
HINERV = {"kind": "hinerv", "channels": 16, "grid_channels": 2, "local_channels": 4}
NERV = {"kind": "nerv", "stem_width": 16, "channels": 6}


def pixels(path: Path, device: str, precision: str) -> np.ndarray:
    with Decoder(path, device=device, precision=precision) as decoder:
        return np.stack(list(decoder)).astype(int)


def psnr_db(path: Path, clip: Path, device: str, precision: str) -> float:
    with Decoder(path, device=device, precision=precision) as decoder, open_video(clip) as video:
        meter = QualityMeter(video.info)
        for reference, decoded in zip(video, decoder.planes(), strict=True):
            meter.add(reference, decoded)
    return meter.quality().psnr_rgb_db


def stored_digests(path: Path) -> list[bytes]:
    with NvcReader(path) as reader:
        return [segment.digest for segment in reader.segments()]


def decoded_digests(path: Path, device: str) -> list[bytes]:
    """Of the integers that a decoder on `device` gets."""
    with Decoder(path, device=device) as decoder:
        return [
            unpack_segment(decoder.head, segment, decoder.limits).digest()
            for _, segment in decoder.segments()
        ]


@pytest.mark.parametrize(("encoder", "decoder"), [("cuda", "cpu"), ("cpu", "cuda")])
@pytest.mark.parametrize("preset", PRESETS)
def test_both_decode_the_same_integers_and_near_pixels(tmp_path, clip, preset, encoder, decoder):
    path = tmp_path / "x.nvc"
    report = encode(clip, path, load_preset(preset), EncodeOptions(device=encoder))
    assert decoded_digests(path, encoder) == decoded_digests(path, decoder) == stored_digests(path)
    here, there = pixels(path, encoder, "fp32"), pixels(path, decoder, "fp32")
    assert np.abs(here - there).max() <= 1
    exact = psnr_db(path, clip, "cpu", "fp32")
    for precision in ("fp16", "fp32"):
        difference = psnr_db(path, clip, "cuda", precision) - exact
        assert abs(difference) <= MAX_DIFFERENCE_DB, precision
    assert abs(report.quality.psnr_rgb_db - exact) <= MAX_DIFFERENCE_DB


@pytest.mark.parametrize("preset", PRESETS)
def test_same_seed_same_bytes_on_a_gpu(tmp_path, clip, preset):
    files = [tmp_path / "a.nvc", tmp_path / "b.nvc"]
    for path in files:
        encode(clip, path, load_preset(preset), EncodeOptions(device="cuda"))
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(("first", "second"), [("cuda", "cpu"), ("cpu", "cuda")])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("stop_after", [12, 45])  # in the first stage, and in a later one
def test_an_encoding_goes_on_on_another_device(tmp_path, clip, preset, first, second, stop_after):
    path, whole, loaded = tmp_path / "x.nvc", tmp_path / "whole.nvc", load_preset(preset)
    asked = iter(range(10_000))
    with pytest.raises(InterruptedEncodeError):
        encode(
            clip, path, loaded, EncodeOptions(device=first),
            should_stop=lambda: next(asked) >= stop_after,
        )  # fmt: skip
    encode(clip, path, loaded, EncodeOptions(device=second))
    encode(clip, whole, loaded, EncodeOptions(device=second))
    assert decoded_digests(path, first) == stored_digests(path)
    # The two were fitted with different arithmetic for a while: near, not equal.
    assert abs(psnr_db(path, clip, "cpu", "fp32") - psnr_db(whole, clip, "cpu", "fp32")) < 1


@pytest.mark.parametrize("table", [HINERV, NERV], ids=["hinerv", "nerv"])
def test_patches_equal_the_frame_on_a_gpu(table):
    torch.manual_seed(0)
    network = build(load_config(table), VideoShape(5, 720, 1280, 3)).cuda().eval()
    height, width = (sizes[0] for sizes in network.patch_sizes())
    bottom, right = (
        side - patch for side, patch in zip(network.canvas, (height, width), strict=True)
    )
    t, y, x = (torch.tensor([value], device="cuda") for value in (3, bottom, right))
    with (
        torch.no_grad(),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True),
    ):
        frame = network(Patches.frames(t))[0]
        patch = network(Patches(t, y, x, (height, width)))[0]
    assert (patch - frame[bottom:, right:]).abs().max() <= 1e-5


def large_fitting(frames: torch.Tensor) -> Fitting:
    torch.manual_seed(0)
    network = build(load_config(HINERV), VideoShape(*frames.shape)).cuda()
    stage, scheme = load_stage({"kind": "fit", "epochs": 2}), load_scheme({"kind": "raw_fp16"})
    config = FittingConfig(batch_size=8, precision="fp32")
    return Fitting(network, frames, [stage], scheme, config, Samples.RGB, seed=0)


def test_out_of_memory_halves_what_is_computed_at_a_time():
    """Under a limit of two thirds of what the whole batch takes."""
    frames = torch.randint(0, 256, (8, 360, 640, 3), dtype=torch.uint8, device="cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    whole = large_fitting(frames)
    list(whole.run())
    limit = 2 * torch.cuda.max_memory_allocated() / 3
    expected = [p.detach().cpu() for p in whole.state.representation.parameters()]
    del whole
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(
        limit / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        short = large_fitting(frames)
        with pytest.warns(FittingWarning, match="out of memory for 8 patches; going on with 4"):
            list(short.run())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert short.steps_done == 2  # one batch an epoch
    assert short.part_size < 8
    for ours, theirs in zip(short.state.representation.parameters(), expected, strict=True):
        assert (ours.detach().cpu() - theirs).abs().max() < 0.02
