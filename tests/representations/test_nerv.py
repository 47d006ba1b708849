"""NeRV against its printed sizes and formulas, and patches against frames."""

import math

import pytest
import torch
import torch.nn.functional as F

from nvcodec.coding.schemes import load_scheme
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.representations.configs.nerv import plan_paddings, transposed_kernel
from nvcodec.representations.families.nerv import positional_embedding
from nvcodec.representations.representation import Patches
from nvcodec.representations.strides import plan_strides
from nvcodec.samples import VideoShape
from nvcodec.segment_values import BAND_BYTES, band_height, memory_bytes

BUNNY = VideoShape(132, 720, 1280, 3)
UVG = VideoShape(3900, 1080, 1920, 3)

# Parameters and GMAC a frame, both counted from NeRV's repository.
SIZES = [
    ("s", BUNNY, 3_201_905, 100.9),
    ("m", BUNNY, 6_282_001, 101.4),
    ("l", BUNNY, 12_524_563, 102.4),
    ("s", UVG, 3_314_705, 227),
    ("m", UVG, 6_533_041, 228),
    ("l", UVG, 13_008_883, 230),
]
UVG_MILLIONS = {"64x8": 24.4, "128x4": 36.5, "128x6": 59.1, "128x8": 87.7, "192x8": 190}


def counted(config, shape):
    with torch.device("meta"):
        network = build(config, shape)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("size", "shape", "parameters", "gmac"), SIZES)
@pytest.mark.parametrize("name", ["paper/nerv-bunny-{}", "nerv-{}"])
def test_sizes_to_the_digit(name, size, shape, parameters, gmac):
    config = load_preset(name.format(size)).representation
    assert counted(config, shape) == config.num_parameters(shape) == parameters
    assert config.macs_per_frame(shape) / 1e9 == pytest.approx(gmac, rel=0.003)


@pytest.mark.parametrize(("name", "millions"), UVG_MILLIONS.items())
def test_sizes_for_uvg(name, millions):
    config = load_preset(f"paper/nerv-uvg-{name}").representation
    assert counted(config, UVG) == config.num_parameters(UVG)
    assert config.num_parameters(UVG) / 1e6 == pytest.approx(millions, abs=0.2)


def test_where_the_weights_of_s_are():
    network = build(load_preset("paper/nerv-bunny-s").representation, BUNNY)
    assert network.stem[0].weight.shape == (512, 80)
    assert network.stem[1].weight.shape == (26 * 9 * 16, 512)
    blocks = [sum(p.numel() for p in block.parameters()) for block in network.block]
    assert blocks == [152_750, 90_240, 332_160, 332_160, 332_160]
    assert sum(p.numel() for p in network.head.parameters()) == 291
    assert network.canvas == (720, 1280)


def test_strides_are_the_papers():
    assert plan_strides(720, 1280, 5, 9) == (5, 2, 2, 2, 2)
    assert plan_strides(1080, 1920, 5, 9) == (5, 3, 2, 2, 2)
    assert plan_strides(180, 320, 3, 9) == (5, 2, 2)


def test_embedding_by_hand():
    """Eq. 1 with b = 2, l = 3 at t = 1/4 and t = 1: angles pi/4, pi/2, pi; pi, 2 pi, 4 pi."""
    root = math.sqrt(0.5)
    embedding = positional_embedding(torch.tensor([0.25, 1.0], dtype=torch.float64), 2.0, 3)
    expected = torch.tensor([[root, root, 1, 0, 0, -1], [0, -1, 0, 1, 0, 1]])
    assert embedding.dtype == torch.float32
    assert (embedding - expected).abs().max() < 1e-6


def test_embedding_keeps_its_phase_at_the_highest_frequency():
    """b^79 = 1.25^79 = 5^79 / 4^79: the angle modulo a turn, in integers."""
    numerator, denominator, frames = 5**79, 4**79, 3900
    for t in (1, 1234, 3899):
        turn = t * numerator % (2 * denominator * frames) / (denominator * frames)  # of pi
        position = torch.tensor([t / frames], dtype=torch.float64)
        embedding = positional_embedding(position, 1.25, 80)[0]
        assert float(embedding[158]) == pytest.approx(math.sin(math.pi * turn), abs=1e-6)
        assert float(embedding[159]) == pytest.approx(math.cos(math.pi * turn), abs=1e-6)


def small_network(height=180, width=320, **settings):
    torch.manual_seed(1)
    table = {"kind": "nerv", "channels": 8, "stem_width": 12, "min_channels": 6, **settings}
    table = {"embedding_length": 10, **table}
    network = build(load_config(table), VideoShape(5, height, width, 3))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.2 if "var" in name else -0.5, 0.5)
            else:
                parameter.mul_(2)
    return network.eval()


def test_input_is_the_position_of_the_frame_in_0_1():
    network = small_network(embedding="none")
    assert network._embedding(torch.tensor([0, 4])).tolist() == [[pytest.approx(0.2)], [1.0]]


VARIANTS = [
    {"upsampling": upsampling, "norm": norm}
    for upsampling in ("pixel_shuffle", "transposed", "bilinear")
    for norm in ("none", "batch", "instance")
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_every_ablation_counts_its_parameters(settings):
    for size in ((180, 320), (43, 66)):
        network = small_network(*size, **settings)
        count = sum(p.numel() for p in network.parameters())
        assert count == network.config.num_parameters(network.shape)
        assert network.render(torch.tensor([1])).shape == (1, *size, 3)


@pytest.mark.parametrize("activation", ["gelu", "relu", "leaky_relu", "swish"])
@pytest.mark.parametrize("output", ["tanh", "sigmoid"])
def test_activation_and_output_by_hand(activation, output):
    """One block of stride 1 whose convolution hands its one channel on."""
    config = {"channels": 1, "min_channels": 1, "strides": [1], "stem_width": 1}
    network = small_network(16, 16, activation=activation, output=output, **config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.stem[1].bias.copy_(torch.linspace(-2, 2, 256))
        network.block[0].conv.weight[0, 0, 1, 1] = 1
        network.head.weight.fill_(1)
    activate = {"gelu": F.gelu, "relu": F.relu, "leaky_relu": F.leaky_relu, "swish": F.silu}
    x = activate[activation](activate[activation](torch.linspace(-2, 2, 256)))
    expected = torch.sigmoid(x) if output == "sigmoid" else (torch.tanh(x) + 1) / 2
    pixels = network.render(torch.tensor([0]))[0, :, :, 1].flatten()
    assert (pixels - expected).abs().max() < 1e-6


@pytest.mark.parametrize("stride", range(1, 17))
def test_a_transposed_convolution_enlarges_by_its_stride(stride):
    kernel, padding = transposed_kernel(stride)
    x = torch.zeros(1, 1, 3, 4)
    layer = torch.nn.ConvTranspose2d(1, 1, kernel, stride, padding)
    assert layer(x).shape == (1, 1, 3 * stride, 4 * stride)


@pytest.mark.parametrize("settings", [v for v in VARIANTS if v["upsampling"] != "bilinear"])
@pytest.mark.parametrize("size", [(720, 1280), (240, 320)])
def test_patches_equal_the_frame(size, settings):
    network = small_network(*size, **settings)
    heights, widths = network.patch_sizes()
    if settings["norm"] == "instance":
        assert (heights, widths) == ([network.canvas[0]], [network.canvas[1]])
        return
    patch = (heights[0], widths[1])
    with torch.no_grad():
        frame = network(Patches.frames(torch.tensor([3])))[0]
        y, x = torch.meshgrid(
            torch.arange(0, network.canvas[0], patch[0]),
            torch.arange(0, network.canvas[1], patch[1]),
            indexing="ij",
        )
        y, x = y.flatten(), x.flatten()
        output = network(Patches(torch.full_like(y, 3), y, x, patch))
    assert frame.std() > 0.02
    for pixels, top, left in zip(output, y.tolist(), x.tolist(), strict=True):
        expected = frame[top : top + patch[0], left : left + patch[1]]
        assert (pixels - expected).abs().max() <= 1e-5


def test_paddings_by_hand():
    """Backwards from 0 with strides 5,2,2,2,2: m / s rounded up, and one more."""
    assert plan_paddings((5, 2, 2, 2, 2)) == [2, 2, 2, 2, 1, 0]
    assert plan_paddings((1, 1, 1)) == [3, 2, 1, 0]


def test_a_large_frame_is_rendered_in_bands_where_it_can_be():
    shape = VideoShape(2, 2160, 3840, 3)
    config = load_preset("paper/nerv-bunny-s").representation
    whole = config.model_copy(update={"norm": "instance"})
    assert band_height(config, shape) in (120, 240, 360)
    assert band_height(whole, shape) == 2160
    scheme = load_scheme({"kind": "huffman"})
    in_bands, at_once = (memory_bytes(c, shape, scheme, 8) for c in (config, whole))
    assert at_once > 8 * whole.activations_per_frame(shape) > 5 * in_bands > 5 * BAND_BYTES


def test_batch_norm_follows_in_fitting_and_holds_in_rendering():
    network = small_network(48, 32, norm="batch", num_blocks=2)
    norm = network.block[0].norm
    t = torch.arange(5)
    before = norm.mean.clone()
    alone = torch.cat([network.render(t[i : i + 1]) for i in range(5)])
    assert torch.equal(norm.mean, before)
    assert (network.render(t) - alone).abs().max() < 1e-6
    network.train()
    network.render(t)
    assert not torch.equal(norm.mean, before)
    roles = {spec.name: spec.role for spec in network.specs}
    assert {roles[n].value for n in roles if ".norm." in n} == {"norm"}


def test_what_may_be_pruned():
    names = [s.name for s in small_network(norm="batch", num_blocks=2).specs if s.is_prunable]
    assert names == [
        "stem.0.weight",
        "stem.1.weight",
        "block.0.conv.weight",
        "block.1.conv.weight",
    ]


@pytest.mark.parametrize(
    "fields", [{"strides": []}, {"strides": [17]}, {"embedding_length": 0}, {"norm": "layer"}]
)
def test_what_no_network_can_be_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        load_config({"kind": "nerv", "channels": 4, **fields})
