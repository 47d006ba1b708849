"""What every representation promises, checked for each file in the folder."""

import pytest
import torch

from codec_helpers import whole_batch
from nvcodec.coding.parameters import Parameter, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.config import FittingConfig
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.registry import names
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples, VideoShape

SMALL = {
    "coin_mlp": {"width": 48, "layers": 3},
    "nerv": {"channels": 64, "stem_width": 64, "min_channels": 32, "num_blocks": 2, "base_rows": 4},
    "hinerv": {
        "channels": 16,
        "depths": [1, 1],
        "expansions": [2, 1],
        "base_rows": 4,
        "grid_channels": 2,
        "local_channels": 2,
    },
    "image_cnn": {"channels": 16, "scales": 2},
    "latents": {"levels": 2, "anchor_every": 2},
    "weightstep": {"base": {"kind": "coin_mlp", "axes": "yx", "width": 48, "layers": 3}},
}
SHAPE = VideoShape(4, 18, 23, 3)


@pytest.fixture(params=names("nvcodec.representations.families"))
def config(request):
    return load_config({"kind": request.param, **SMALL[request.param]})


@pytest.fixture
def network(config):
    torch.manual_seed(0)
    return build(config, SHAPE)


def test_output_has_the_videos_shape_and_range(network):
    frames = network.render(torch.arange(4))
    assert frames.shape == SHAPE
    assert 0 <= frames.min() < frames.max() <= 1


def test_frames_do_not_depend_on_their_batch(network):
    with torch.no_grad():
        together = network.render(torch.tensor([2, 0, 3, 1]))
        alone = network.render(torch.tensor([0]))
    assert (together[1] - alone[0]).abs().max() <= 1e-6


def test_every_parameter_has_one_role(network):
    roles = {spec.name: spec.role for spec in network.specs}
    assert list(roles) == [name for name, _ in network.named_parameters()]
    assert all(isinstance(role, Role) for role in roles.values())


def test_sizes_are_known_before_anything_is_allocated(config):
    with torch.device("meta"):
        network = build(config, SHAPE)
    assert sum(s.num_values for s in network.specs) == config.num_parameters(SHAPE)


def test_resolved_settings_build_the_same_network(config):
    resolved = config.resolve(SHAPE.height, SHAPE.width)
    again = load_config(resolved.model_dump(mode="json", exclude_none=True))
    assert build(again, SHAPE).specs == build(config, SHAPE).specs


def gradient_video() -> torch.Tensor:
    t, y, x = torch.meshgrid(*(torch.arange(n) for n in SHAPE[:3]), indexing="ij")
    return torch.stack([4 * y + 20 * t, 8 * x, 60 * t], dim=-1).clamp(max=255).to(torch.uint8)


@pytest.mark.parametrize("samples", [Samples.RGB, Samples.YUV444])
def test_ten_steps_lower_the_loss(network, samples):
    if network.config.kind == "latents":
        pytest.skip("it is found by analysis, not by descent")
    stage = load_stage({"kind": "fit", "epochs": 3})
    scheme = load_scheme({"kind": "raw_fp16"})
    config = FittingConfig(batch_size=1, precision="fp32")
    fitting = Fitting(network, gradient_video(), [stage], scheme, config, samples, seed=0)
    patches, target = whole_batch(fitting.batches, 0, 0)

    def loss() -> float:
        with torch.no_grad():
            output = fitting.batches.ignore_padding(network(patches), target, patches)
            return float(stage.loss(output, target, samples, config.loss))

    before = loss()
    records = list(fitting.run())
    assert records[-1].step == 12
    assert loss() < 0.8 * before


@pytest.mark.parametrize("kind", names("nvcodec.coding.schemes"))
def test_every_scheme_brings_the_network_back(network, kind):
    scheme = load_scheme({"kind": kind})
    if kind == "latents" != network.config.kind:
        pytest.skip("it codes what has references and motion")
    parameters = [
        Parameter(spec, p.detach().numpy())
        for spec, p in zip(network.specs, network.parameters(), strict=True)
    ]
    coded = scheme.quantize(parameters)
    decoded = scheme.unpack(scheme.pack(coded), network.specs)
    assert decoded.digest() == coded.digest()
    with torch.no_grad():
        before = network.render(torch.arange(4))
        network.load_values(decoded.dequantize())
        after = network.render(torch.arange(4))
    assert (before - after).abs().max() < 0.05
