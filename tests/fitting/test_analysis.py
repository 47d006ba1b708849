"""Stage `analysis`: a decoder sees what it coded; it gets better with passes and with bits."""

import numpy as np
import pytest
import torch

from codec_helpers import TINY_LATENTS, moving_frames, video_info
from nvcodec.fitting.progress import StepPace, TimePace
from nvcodec.fitting.stages.analysis import is_short_of_time
from nvcodec.presets import load_preset
from nvcodec.representations.wavelet import analysis, synthesis
from nvcodec.samples import Samples
from nvcodec.segment_encoder import encode_segment, start_fitting
from nvcodec.video.conversion import from_planes

INFO = video_info(48, 32, "420")


def clip(num_frames=9, samples=Samples.PACKED420):
    frames = moving_frames(INFO, num_frames)
    return np.stack([from_planes(samples, planes, INFO) for planes in frames])


def fitted(pixels, *changes, epochs=2, samples=Samples.PACKED420, **options):
    preset = load_preset(TINY_LATENTS, changes, epochs)
    fitting = start_fitting(pixels, preset, 0, samples=samples, **options)
    records = list(fitting.run())
    return fitting, records


def size_of(fitting):
    scheme = fitting.state.scheme
    return sum(map(len, scheme.pack(scheme.quantize(fitting.parameters())).values()))


def test_a_level_of_the_transform_comes_back_and_hardly_changes_lengths():
    generator = torch.Generator().manual_seed(0)
    for size in ((2, 2), (6, 10), (32, 48)):
        plane = torch.randn(size, generator=generator, dtype=torch.float64)
        low, bands = analysis(plane)
        torch.testing.assert_close(synthesis(low, bands), plane)
    coefficients = low.square().sum() + bands.square().sum()
    assert 0.9 < float(coefficients / plane.square().sum()) < 1.1


def test_a_decoder_sees_what_the_fitting_saw():
    fitting, records = fitted(clip())
    scheme, network = fitting.state.scheme, fitting.state.representation
    coded = scheme.quantize(fitting.parameters())
    network.forget()
    with torch.no_grad():
        seen = [[p.clone() for p in network.frame(t).planes] for t in range(9)]
        network.load_values(coded.dequantize())
        for t, planes in enumerate(seen):
            for plane, other in zip(planes, network.frame(t).planes, strict=True):
                assert torch.equal(plane, other)
    assert records[-1].step == records[-1].num_steps == 18
    assert records[-1].psnr_db > 30


@pytest.mark.slow
def test_passes_help_and_lambda_is_a_knob():
    def cost(fitting, records):
        pixels = 9 * 48 * 32
        return 8 * size_of(fitting) / pixels + 500 * 10 ** (-records[-1].psnr_db / 10)

    once, thrice = (cost(*fitted(clip(), epochs=n)) for n in (1, 3))
    assert thrice < 0.97 * once
    low, high = (fitted(clip(), f"stages.0.lmbda={lmbda}") for lmbda in (50, 5000))
    assert size_of(low[0]) < 0.5 * size_of(high[0])
    assert low[1][-1].psnr_db + 5 < high[1][-1].psnr_db


def test_motion_is_found():
    """A texture that moves by whole pixels costs next to nothing after its first frame."""
    rng = np.random.default_rng(0)
    wide = rng.integers(60, 200, (40, 80)).astype(np.float64)
    wide = np.apply_along_axis(lambda x: np.convolve(x, np.ones(5) / 5, "same"), 1, wide)
    frames = np.stack([wide[4:36, 3 * t : 3 * t + 48] for t in range(5)]).round().astype(np.uint8)
    fitting, records = fitted(frames[..., None], samples=Samples.GRAY)
    first, _ = fitted(frames[:1, ..., None], samples=Samples.GRAY)
    assert size_of(fitting) < 2.2 * size_of(first)
    assert records[-1].psnr_db > 30
    coarsest = fitting.state.representation.motion[-1]
    assert float(coarsest.abs().max()) >= 1


@pytest.mark.parametrize(
    "samples",
    [pytest.param(s, marks=pytest.mark.slow) for s in (Samples.RGB, Samples.YUV444)]
    + [Samples.GRAY],
)
def test_other_samples(samples):
    shape = (3, 17, 22, samples.num_channels)
    t, y, x, c = np.indices(shape)
    pixels = (5 * y + 3 * x + 9 * t + 20 * c).clip(0, 255).astype(np.uint8)
    _, records = fitted(pixels, samples=samples)
    assert records[-1].psnr_db > 30


@pytest.mark.slow
def test_a_pass_cut_short_is_not_kept():
    """Frames of it would be predicted from others than those that they were coded with."""
    fitting, _ = fitted(clip(), epochs=2)
    state, stage = fitting.state, fitting.stages[0]
    before = {name: p.detach().clone() for name, p in state.representation.named_parameters()}
    for step in range(18, 22):
        stage.direct_step(state, step, step / 100)
    assert any(
        not torch.equal(p, before[name]) for name, p in state.representation.named_parameters()
    )
    stage.finish(state)
    for name, p in state.representation.named_parameters():
        assert torch.equal(p, before[name])


@pytest.mark.slow
def test_batches_are_nothing_to_it():
    _, records = fitted(clip(), "fitting.batch_size=4")
    assert records[-1].num_steps == 18
    assert records[-1].psnr_db > 30


def test_one_frame_is_a_picture():
    encoded = encode_segment(clip(1), load_preset(TINY_LATENTS), 0, samples=Samples.PACKED420)
    assert "MOTN" not in encoded.sections


@pytest.mark.parametrize("count", [1, 48, 2000, 200_000])
def test_only_the_clock_makes_a_pass_brief(count):
    """A single pass by steps ends as it began, however many frames it has."""
    steps = StepPace([count])
    assert not any(
        is_short_of_time(steps.progress(0, done, 0.0, 0.0), done, count)
        for done in {0, count // 2, count - 1}
    )
    if count > 1:
        over = TimePace([count], [count], 1.0)
        assert is_short_of_time(over.progress(0, 1, 5.0, 0.0), 1, count)
