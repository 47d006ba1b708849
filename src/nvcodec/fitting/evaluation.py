"""What a decoder would show if a fitting ended now: quality, size, and the rate beside its twin."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from nvcodec.fitting.losses import mean_error
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState
from nvcodec.pixel_values import from_unit
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import Samples, max_sample


@dataclass(frozen=True)
class EvaluationPolicy:
    """When, and on how much, a fitting is measured."""

    interval_s: float = 10.0
    """Seconds between two evaluations, at least."""
    share: float = 0.05
    """Of all time, at most, that they take."""
    num_frames: int = 8
    """Frames that are rendered, spread over the segment."""

    def next_interval_s(self, took_s: float) -> float:
        """Seconds until the next evaluation, after one that took so long."""
        return max(self.interval_s, took_s / self.share)


@dataclass(frozen=True)
class Evaluation:
    """What was measured; see `FitRecord`."""

    psnr_db: float | None = None
    size_bytes: int | None = None
    estimated_bits: Mapping[str, float] = field(default_factory=dict)
    coded_bits: Mapping[str, float] = field(default_factory=dict)


def evaluate(state: FitState, stage: Stage[Any], num_frames: int) -> Evaluation:
    """Quantize, pack and dequantize what was fitted, and render some frames of it.

    Args:
        state: as it stands.
        stage: the one that is running; it knows what it has learned.
        num_frames: how many of them are rendered.
    """
    scheme, frames = state.scheme, state.frames
    side = stage.side_information(state)
    coded = scheme.quantize(state.parameters(stage.fitted(state), side))
    size_bytes = sum(map(len, scheme.pack(coded).values()))
    estimated: Mapping[str, float] = {}
    counted: Mapping[str, float] = {}
    if state.learned:
        estimated = dict(stage.estimated_bits(state, coded))
        counted = scheme.group_bits(coded)
    values = {
        n: torch.from_numpy(v).to(frames.device).float() for n, v in coded.dequantize().items()
    }
    quality = psnr_db(state.representation, frames, state.samples, state.depth, values, num_frames)
    return Evaluation(quality, size_bytes, estimated, counted)


@torch.no_grad()
def psnr_db(
    network: Representation[Any],
    frames: Tensor,
    samples: Samples,
    depth: int = 8,
    values: Mapping[str, Tensor] | None = None,
    num_frames: int | None = None,
) -> float:
    """Mean over frames of the PSNR of rounded samples, in dB; of packed ones as in RGB.

    Args:
        network: what renders.
        frames: samples (T, H, W, C) of `depth` bits, on the network's device.
        samples: their kind.
        depth: bits a sample.
        values: in place of the network's parameters.
        num_frames: how many frames, spread over all; None: every one.
    """
    count = min(num_frames or len(frames), len(frames))
    height, width = frames.shape[1:3]
    psnrs = []
    network.eval()
    try:
        # Compiled code is for steps alone; a decoder has none.
        with torch.compiler.set_stance("force_eager"):
            for t in torch.linspace(0, len(frames) - 1, count).round().long().tolist():
                patches = Patches.frames(torch.tensor([t], device=frames.device))
                output = functional_call(network, dict(values or {}), (patches,))
                error = from_unit(output[0, :height, :width], depth) - frames[t].float()
                mean = float(mean_error(error.square()[None], samples))
                psnrs.append(10 * math.log10(max_sample(depth) ** 2 / max(mean, 1e-9)))
    finally:
        network.train()
    return sum(psnrs) / len(psnrs)
