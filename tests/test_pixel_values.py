"""Between samples and numbers from 0 to 1, at every depth that there is."""

import numpy as np
import pytest
import torch

from codec_helpers import TINY_RAW, video_info
from nvcodec.expectation import expect
from nvcodec.pixel_values import from_unit, to_samples, to_unit
from nvcodec.presets import load_preset
from nvcodec.samples import DEPTHS, Samples, max_sample
from nvcodec.segment_encoder import encode_segment
from nvcodec.segment_values import FRAME_COPIES
from nvcodec.video.info import VideoInfo, sample_type


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_sample_comes_back(depth):
    samples = torch.from_numpy(np.arange(max_sample(depth) + 1).astype(sample_type(depth)))
    values = to_unit(samples, depth)
    assert values.dtype == torch.float32
    assert (values[0], values[-1]) == (0, 1)
    again = to_samples(values, depth)
    assert again.numpy().dtype == sample_type(depth)
    assert torch.equal(again.int(), samples.int())


def test_what_is_no_sample_is_brought_into_range():
    values = torch.tensor([float("nan"), -1.0, 2.0, float("inf"), -float("inf")])
    assert to_samples(values, 10).tolist() == [0, 0, 1023, 1023, 0]
    assert from_unit(torch.tensor([0.5 / 255, 1.5 / 255]), 8).tolist() == [0, 2]  # ties to even


@pytest.mark.parametrize("depth", [7, 17])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=f"depth {depth}; allowed are 8 to 16"):
        VideoInfo(32, 32, video_info().chroma, depth=depth)


@pytest.mark.parametrize("samples", [Samples.RGB, Samples.YUV444])
def test_a_fitting_sees_numbers_not_depths(samples):
    """v / 255 is 257 v / 65535, to the last bit: the same network from 8 bits and from 16."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    preset = load_preset(TINY_RAW)
    shallow = encode_segment(pixels, preset, 0, samples=samples)
    deep = encode_segment(pixels.astype(np.uint16) * 257, preset, 0, samples=samples, depth=16)
    assert deep.sections == shallow.sections


def test_deep_samples_need_twice_the_memory():
    preset, shape = load_preset(TINY_RAW), Samples.RGB.shape(4, 32, 32)
    preset = preset.model_copy(update={"representation": preset.representation.resolve(32, 32)})
    shallow, deep = (
        expect(preset, shape, VideoInfo(32, 32, video_info().chroma, depth=depth))
        for depth in (8, 10)
    )
    num_samples = 4 * 32 * 32 * (3 + 1.5)  # of what is fitted, and of the source
    decoded = FRAME_COPIES * 32 * 32 * 3
    assert deep.memory_bytes - shallow.memory_bytes == num_samples + decoded
