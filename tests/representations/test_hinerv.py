"""HiNeRV against its paper's tables, and patches against frames."""

import pytest
import torch

from nvcodec.coding.schemes import load_scheme
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.presets import load_preset, preset_names
from nvcodec.representations import build, load_config
from nvcodec.representations.configs.hinerv import plan_paddings
from nvcodec.representations.representation import Patches
from nvcodec.representations.strides import plan_strides
from nvcodec.samples import VideoShape
from nvcodec.segment_values import memory_bytes

BUNNY = VideoShape(132, 720, 1280, 3)
UVG = VideoShape(600, 1080, 1920, 3)
MCL = VideoShape(150, 1080, 1920, 3)

# Parameters in millions and GMAC a frame: HiNeRV, Tables 1 and 2, and its repository for the rest.
PRINTED = [
    ("hinerv-bunny-xxs", BUNNY, 0.767, 22.9),
    ("hinerv-bunny-xs", BUNNY, 1.586, 47.0),
    ("hinerv-bunny-s", BUNNY, 3.250, 95.4),
    ("hinerv-uvg-s", UVG, 3.189, 180.6),
    ("hinerv-uvg-m", UVG, 6.490, 366.0),
    ("hinerv-uvg-l", UVG, 12.819, 715.0),
    ("hinerv-uvg-xl", UVG, 25.65, 1379.0),
    ("hinerv-uvg-xxl", UVG, 50.73, 2646.0),
    ("hinerv-mcl-xxs", MCL, 0.777, None),
    ("hinerv-mcl-xs", MCL, 1.606, None),
    ("hinerv-mcl-s", MCL, 3.291, None),
    ("hinerv-mcl-m", MCL, 6.775, None),
    ("hinerv-mcl-l", MCL, 13.58, None),
]


@pytest.mark.parametrize(("name", "shape", "millions", "gmac"), PRINTED)
def test_sizes_are_those_printed(name, shape, millions, gmac):
    config = load_preset(f"paper/{name}").representation
    with torch.device("meta"):
        network = build(config, shape)
    counted = sum(p.numel() for p in network.parameters())
    assert counted == config.num_parameters(shape)
    assert counted / 1e6 == pytest.approx(millions, rel=0.005)
    if gmac is not None:
        assert config.macs_per_frame(shape) / 1e9 == pytest.approx(gmac, rel=0.01)


def test_strides_reproduce_the_papers_and_follow_a_rule_elsewhere():
    assert plan_strides(720, 1280, 4, 18) == (5, 2, 2, 2)
    assert plan_strides(1080, 1920, 4, 18) == (5, 3, 2, 2)
    assert plan_strides(1920, 1080, 4, 18) == (5, 3, 2, 2)  # a phone held upright
    assert plan_strides(180, 320, 3, 9) == (5, 2, 2)
    assert plan_strides(16, 16, 4, 18) == (1, 1, 1, 1)


def test_paddings_are_those_of_the_repository():
    depths = (3, 3, 3, 1)
    assert plan_paddings((5, 3, 2, 2), depths, 3, 3) == (3, [(6, 3), (6, 3), (4, 1), (1, 0)])
    assert plan_paddings((5, 2, 2, 2), depths, 3, 3) == (3, [(7, 4), (6, 3), (4, 1), (1, 0)])


def small_network(height: int, width: int, **settings):
    """A narrow network of the papers' geometry, with values large enough to matter everywhere."""
    torch.manual_seed(1)
    table = {"kind": "hinerv", "channels": 16, "grid_channels": 2, "local_channels": 4, **settings}
    network = build(load_config(table), VideoShape(5, height, width, 3))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 or ".grid." in name or ".local." in name:
                parameter.uniform_(-0.5, 0.5)
    return network


NVRC_FORM = {"grid_halving": "thw", "grid_levels": 4, "base_rows": 45}


@pytest.mark.parametrize(
    ("size", "patch", "settings"),
    [
        ((720, 1280), (80, 80), {}),
        ((1080, 1920), (120, 120), {}),
        ((1080, 1920), (60, 960), {}),
        ((1080, 1920), (120, 120), NVRC_FORM),
        ((720, 1280), (80, 80), {"tied_layers": 2}),
    ],
)
def test_patches_equal_the_frame(size, patch, settings):
    network = small_network(*size, **settings)
    with torch.no_grad():
        frame = network(Patches.frames(torch.tensor([3])))[0]
        rows, columns = size[0] // patch[0], size[1] // patch[1]
        # Corners, borders and the inside.
        places = {(y, x) for y in (0, 1, rows - 1) for x in (0, columns // 2, columns - 1)}
        y, x = (torch.tensor(axis) for axis in zip(*sorted(places), strict=True))
        patches = Patches(torch.full_like(y, 3), y * patch[0], x * patch[1], patch)
        output = network(patches)
    assert frame.std() > 0.02
    for i in range(len(y)):
        top, left = int(patches.y[i]), int(patches.x[i])
        expected = frame[top : top + patch[0], left : left + patch[1]]
        assert (output[i] - expected).abs().max() <= 1e-5


def test_a_bad_patch_size_is_refused_with_the_legal_ones():
    network = small_network(720, 1280)
    with pytest.raises(ValueError, match=r"patch width 100 is not one of 40, 80, 160"):
        network.check_patch_size((80, 100))
    with pytest.raises(ValueError, match=r"patch height 81 is not one of 40, 80, 120"):
        network.check_patch_size((81, 80))


def test_roles_and_prunable_parameters():
    network = small_network(180, 320)
    roles = {spec.name: spec.role.value for spec in network.specs}
    assert roles["base.grid.0"] == roles["block.0.local.2"] == "grid"
    assert roles["base.stem.bias"] == roles["block.1.encoding.bias"] == "bias"
    assert roles["block.0.conv.0.depthwise.weight"] == "weight"
    prunable = [spec.name for spec in network.specs if spec.is_prunable]
    assert "base.stem.weight" in prunable
    assert "head.weight" in prunable
    assert not any("encoding" in name or "grid" in name or "local" in name for name in prunable)


def test_hidden_widths_follow_the_output_and_shortcuts_need_equal_widths():
    network = small_network(180, 320)
    first = network.block[1].conv[0]  # 16 -> 8 channels, expansion 4 of the output
    assert first.expand.weight.shape == (32, 16)
    assert first.project.weight.shape == (8, 32)
    assert not first.shortcut
    assert network.block[1].conv[1].shortcut
    assert first.expand.bias is None
    assert network.head.bias is not None


def test_tied_layers_have_the_matrices_of_the_first_of_equal_widths():
    network = small_network(180, 320, depths=[5, 4], expansions=[4, 4], tied_layers=2)
    expands = [spec.name for spec in network.specs if ".expand." in spec.name]
    # Block 1 goes from 16 to 8 channels in its first layer, which is like no other.
    layers = ["0.conv.0", "0.conv.2", "0.conv.4", "1.conv.0", "1.conv.1", "1.conv.2"]
    assert expands == [f"block.{layer}.expand.weight" for layer in layers]
    untied = small_network(180, 320, depths=[5, 4], expansions=[4, 4]).config
    shape = VideoShape(5, 180, 320, 3)
    assert untied.macs_per_frame(shape) == network.config.macs_per_frame(shape)
    pixels = network(Patches.frames(torch.tensor([1])))
    pixels.mean().backward()
    assert network.block[0].conv[2].expand.weight.grad.abs().sum() > 0


# NVRC's networks without entropy parameters, counted from its repository's configurations.
NVRC_SIZES = [
    (224, 1, 4, MCL, 50, 2.03),
    (336, 2, 8, UVG, 200, 6.12),
    (512, 4, 16, UVG, 200, 13.75),
]


@pytest.mark.parametrize(("channels", "grid", "local", "shape", "knots", "millions"), NVRC_SIZES)
def test_sizes_of_the_second_form(channels, grid, local, shape, knots, millions):
    table = {
        "kind": "hinerv", "channels": channels, "grid_channels": grid, "local_channels": local,
        "grid_frames": knots, "expansions": [4, 4, 4, 4], **NVRC_FORM,
    }  # fmt: skip
    config = load_config(table)
    with torch.device("meta"):
        network = build(config, shape)
    counted = sum(p.numel() for p in network.parameters())
    assert counted == config.num_parameters(shape)
    assert counted / 1e6 == pytest.approx(millions, rel=0.005)


def test_the_second_form_equals_convolving_whole_grids():
    network = small_network(1080, 1920, **NVRC_FORM)
    size = (45, 80)
    t = torch.arange(5)
    with torch.no_grad():
        expected = 0
        for level, stem in zip(network.base.grid, network.base.stem, strict=True):
            volume = torch.nn.functional.conv3d(
                level.permute(3, 0, 1, 2)[None], stem.weight, stem.bias, padding=1
            )
            expected = expected + torch.nn.functional.interpolate(
                volume, (5, *size), mode="trilinear", align_corners=False
            )
        assert (network.base(t, 5) - expected[0].permute(1, 2, 3, 0)).abs().max() < 1e-5


def test_a_stage_without_blocks_hands_on_its_width():
    for depths in ([1, 0, 1], [0, 0, 0]):
        network = small_network(24, 32, depths=depths, expansions=[1, 1, 1], strides=[2, 1, 2])
        assert network.render(torch.tensor([0])).shape == (1, 24, 32, 3)
        shape = VideoShape(5, 24, 32, 3)
        assert network.config.num_parameters(shape) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("settings", [{}, {"grid_halving": "thw"}])
def test_bands_equal_the_frame(settings):
    network = small_network(185, 320, **settings)
    with torch.no_grad():
        whole = network.render(torch.tensor([2, 4]))
        for height in network.patch_sizes()[0][:-1]:
            assert torch.equal(network.render(torch.tensor([2, 4]), height), whole)


@pytest.mark.parametrize("name", sorted({*preset_names()} - {"paper/nerv-uvg-192x8"}))  # it says so
def test_every_preset_fits_the_limits_at_1080p(name):
    preset = load_preset(name)
    config, shape = preset.representation, VideoShape(600, 1080, 1920, 3)
    shape = shape._replace(num_frames=config.longest_segment(shape) or 600)
    assert config.num_parameters(shape) <= DEFAULT_LIMITS.parameters
    assert config.macs_per_frame(shape) <= DEFAULT_LIMITS.macs_per_frame
    needed = memory_bytes(config, shape, load_scheme(preset.scheme), 8)
    assert needed <= DEFAULT_LIMITS.memory_bytes
