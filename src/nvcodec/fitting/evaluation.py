"""What a decoder would show if a fitting ended now: quality, size, and the rate beside its twin."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from nvcodec.fitting.losses import mean_error
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState
from nvcodec.pixel_values import from_unit, to_samples
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
    show: Callable[[int, NDArray[Any]], None] | None = None
    """Told of one frame besides, the one at work or the middle one: its number in the segment, and
    its samples (H, W, C) as a decoder would have them."""

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


def evaluate(state: FitState, stage: Stage[Any], policy: EvaluationPolicy) -> Evaluation:
    """Quantize, pack and dequantize what was fitted, and render some frames of it.

    Args:
        state: as it stands.
        stage: the one that is running; it knows what it has learned.
        policy: how many frames are rendered, and who is shown one.
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
    quality = psnr_db(
        state.representation, frames, state.samples, state.depth, values, policy.num_frames
    )
    if policy.show is not None:
        frame = stage.frame_at_work(state)
        policy.show(*_frame(state, values, len(frames) // 2 if frame is None else frame))
    return Evaluation(quality, size_bytes, estimated, counted)


@torch.no_grad()
def _frame(state: FitState, values: Mapping[str, Tensor], t: int) -> tuple[int, NDArray[Any]]:
    """Frame `t` as `EvaluationPolicy.show` takes it."""
    with _as_decoder(state.representation):
        output = _rendered(state.representation, state.frames, t, values)
    return t, to_samples(output, state.depth).cpu().numpy()


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
    psnrs = []
    with _as_decoder(network):
        for t in torch.linspace(0, len(frames) - 1, count).round().long().tolist():
            output = _rendered(network, frames, t, values or {})
            error = from_unit(output, depth) - frames[t].float()
            mean = float(mean_error(error.square()[None], samples))
            psnrs.append(10 * math.log10(max_sample(depth) ** 2 / max(mean, 1e-9)))
    return sum(psnrs) / len(psnrs)


@contextlib.contextmanager
def _as_decoder(network: Representation[Any]) -> Iterator[None]:
    """Without what is for steps alone: compiled code, and whatever else training mode does."""
    network.eval()
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        network.train()


def _rendered(
    network: Representation[Any], frames: Tensor, t: int, values: Mapping[str, Tensor]
) -> Tensor:
    """Frame `t` of the network with these values, without the canvas' margin."""
    height, width = frames.shape[1:3]
    patches = Patches.frames(torch.tensor([t]), frames.device)
    output: Tensor = functional_call(network, dict(values), (patches,))
    return output[0, :height, :width]
