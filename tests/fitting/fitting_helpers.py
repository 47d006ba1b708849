"""Small fittings on noise, for tests of the loop and of what it calls."""

import torch

from nvcodec.coding.schemes import load_scheme
from nvcodec.fitting.config import FittingConfig, OptimizerConfig
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.representations import build, load_config
from nvcodec.samples import Samples, VideoShape

SHAPE = VideoShape(4, 16, 24, 3)
TABLE = {
    "kind": "hinerv",
    "channels": 16,
    "depths": [1, 1],
    "expansions": [2, 1],
    "base_rows": 4,
    "grid_channels": 2,
    "local_channels": 2,
}
STAGES = [
    {"kind": "fit", "epochs": 3, "warmup_epochs": 1},
    {"kind": "prune", "epochs": 2, "ratio": 0.15},
    {"kind": "quant_noise", "epochs": 2},
]
NVRC = {**TABLE, "grid_halving": "thw"}
RATE_DISTORTION = {"kind": "rate_distortion", "lmbda": 100.0, "epochs": 2, "rate_every": 1}


def video(num_frames=4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    shape = SHAPE._replace(num_frames=num_frames)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def make_fitting(
    optimizer="muon", store=None, stages=STAGES, num_frames=4, options=None, **settings
) -> Fitting:
    """`options` are those of `Fitting`, `settings` those of its config."""
    torch.manual_seed(0)
    config = FittingConfig(optimizer=OptimizerConfig(kind=optimizer), precision="fp32", **settings)
    frames = video(num_frames)
    representation = build(load_config(TABLE), VideoShape(*frames.shape))
    return Fitting(
        representation, frames, [load_stage(s) for s in stages],
        load_scheme({"kind": "arithmetic"}), config, Samples.RGB, 3, store=store,
        **(options or {}),
    )  # fmt: skip


def make_nvrc_fitting(stages) -> Fitting:
    torch.manual_seed(0)
    scheme = load_scheme({"kind": "hierarchical", "context_kernels": [3, 1]})
    return Fitting(
        build(load_config(NVRC), SHAPE), video(), [load_stage(s) for s in stages], scheme,
        FittingConfig(precision="fp32"), Samples.RGB, 3,
    )  # fmt: skip
