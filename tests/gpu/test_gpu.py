"""What must hold between a GPU and a CPU. Run with `pytest -m gpu` where there is a CUDA device."""

import numpy as np
import pytest
import torch

from codec_helpers import TINY
from nvcodec.container.reader import NvcReader
from nvcodec.decoder import Decoder
from nvcodec.encode_types import EncodeSettings
from nvcodec.encoder import encode
from nvcodec.metrics.quality import mean_squared_error, psnr_db
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.representations._base import Patches
from nvcodec.video.info import VideoShape

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def pixels(path, device: str, precision: str) -> np.ndarray:
    with Decoder(path, device=device, precision=precision) as decoder:
        return np.stack(list(decoder))


@pytest.mark.parametrize(("encoder", "decoder"), [("cuda", "cpu"), ("cpu", "cuda")])
@pytest.mark.parametrize("preset", [TINY])
def test_integers_are_the_same_on_both(tmp_path, clip, preset, encoder, decoder):
    path = tmp_path / "x.nvc"
    encode(clip, path, load_preset(preset), EncodeSettings(device=encoder))
    here, there = pixels(path, encoder, "fp32"), pixels(path, decoder, "fp32")
    # Decoding checks the hash of the integers; pixels may differ by one step.
    assert np.abs(here.astype(int) - there.astype(int)).max() <= 1
    half = pixels(path, "cuda", "fp16")
    difference = psnr_db(mean_squared_error(half, pixels(path, "cpu", "fp32")))
    assert difference > 45


def test_same_seed_same_bytes_on_a_gpu(tmp_path, clip):
    preset = load_preset(TINY)
    files = [tmp_path / "a.nvc", tmp_path / "b.nvc"]
    for path in files:
        encode(clip, path, preset, EncodeSettings(device="cuda"))
    digests = []
    for path in files:
        with NvcReader(path) as reader:
            digests.append([segment.digest for segment in reader.segments()])
    assert digests[0] == digests[1]


def test_patches_equal_the_frame_on_a_gpu():
    torch.manual_seed(0)
    table = {"kind": "hinerv", "channels": 16, "grid_channels": 2, "local_channels": 4}
    network = build(load_config(table), VideoShape(5, 720, 1280, 3)).cuda()
    t, y, x = (torch.tensor([value], device="cuda") for value in (3, 0, 1200))
    torch.backends.cudnn.allow_tf32 = False
    with torch.no_grad():
        frame = network(Patches.frames(t))[0]
        patch = network(Patches(t, y, x, (80, 80)))[0]
    assert (patch - frame[:80, 1200:]).abs().max() <= 1e-5
