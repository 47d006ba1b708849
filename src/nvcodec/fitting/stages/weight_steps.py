"""Stage `weight_steps`: sparse changes of weights from frame to frame, in a closed loop.

    units u x gates z --rounded at last--> symbols --x bin width--> step, as the decoder adds it
                  +--> P(z > 0) x bits_per_change ---> R

Two stages: the anchor is fixed as it will be decoded, then one step after the other is fitted on
the decoded state before it, and fixed. A single stage: anchor and all steps together.

Source: weight-step paper, section 3.3.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.coding.parameters import Parameter, QuantizedTensor
from nvcodec.coding.quantizer import rounded_up, symbol_range
from nvcodec.coding.schemes.arithmetic import Arithmetic
from nvcodec.fitting.config import LossConfig
from nvcodec.fitting.configs.weight_steps import WeightStepsConfig
from nvcodec.fitting.gates import (
    open_probability,
    sampled_gates,
    settled_gates,
    start_log_alpha,
)
from nvcodec.fitting.relaxations import straight_through, symmetric_dequantized
from nvcodec.fitting.sensitivity import tensor_sensitivities
from nvcodec.fitting.stage import Stage, Turn, View
from nvcodec.fitting.state import FitState
from nvcodec.representations.configs.weightstep import ANCHOR, STEP
from nvcodec.representations.families.weightstep import Weightstep
from nvcodec.samples import Samples

NUM_MEASUREMENTS = 20
"""Of bin widths, over a single stage."""
GIVEN_LOG_ALPHA = 3.0
"""Of gates whose entries are known to change, or not to: a little more than settles them."""


class WeightSteps(Stage[WeightStepsConfig]):
    """Sparse steps under hard-concrete gates.

    Learned, one a layer: `unit.i`, the step in bins; `gate.i`, log alpha of its gates.

    Kept: `width.i`, the bin width; `anchor.NAME`, bin widths of the fixed anchor; `frame_in_turn`,
    in two stages the frame whose step is being fitted, 0 before the first; `num_measurements`, in a
    single stage how often bins were measured anew.
    """

    @property
    def _in_turn(self) -> bool:
        return self.config.mode == "two_stage"

    def turns(self, num_frames: int) -> int | None:
        """In two stages, every frame but the anchor's has its turn."""
        return num_frames - 1 if self._in_turn else None

    def frame_at_work(self, state: FitState) -> int | None:
        """In two stages, the frame whose step is being fitted."""
        return int(state.kept["frame_in_turn"]) or None

    def phase(self, progress: float) -> int:
        """0 while gates are sampled, 1 when they are settled and steps are rounded."""
        return int(progress > 1 - self.config.settle)

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """Fix the step of the frame before, when a new frame's turn begins; measure bins."""
        if not self._in_turn:
            wanted = int(progress * NUM_MEASUREMENTS)
            if wanted != state.kept["num_measurements"] and progress < 1 - self.config.settle:
                self._measure_bins(state)
                state.kept["num_measurements"] = wanted
            return super().begin_step(state, progress)
        num_turns = len(_network(state).step[0])
        turns = progress * num_turns
        frame = min(1 + int(turns + 1e-9), num_turns)  # progress may be rounded down
        if frame != state.kept["frame_in_turn"]:
            self.finish(state)
            self._reset(state, frame)
        return Turn(frame, max(0.0, turns - (frame - 1)))

    def prepare(self, state: FitState) -> None:
        """Fix the anchor, and choose the bin widths of steps."""
        network, scheme = _network(state), _scheme(state)
        kept: dict[str, Tensor | float] = {"frame_in_turn": 0, "num_measurements": 0}
        learned: dict[str, Tensor] = {}
        if self._in_turn:
            specs = [s for s in network.specs if s.name.startswith(ANCHOR)]
            values = {n: p.detach().float().cpu().numpy() for n, p in state.masked().items()}
            coded = scheme.quantize(
                [
                    Parameter(s, values[s.name], _mask(state, s.name), _given_side(state, s.name))
                    for s in specs
                ]
            )
            for tensor in coded.tensors:
                fixed = network.get_parameter(tensor.spec.name)
                with torch.no_grad():
                    fixed.copy_(torch.from_numpy(tensor.dequantize()))
                if isinstance(tensor, QuantizedTensor):
                    kept[tensor.spec.name] = torch.from_numpy(tensor.quant_scale).to(fixed)
        for i, steps in enumerate(network.step):
            if state.given:
                kept[f"given.{i}"] = steps.detach().clone()
            with torch.no_grad():
                steps.zero_()  # of a segment before, where this one began with its weights
            shape = steps.shape[1:] if self._in_turn else steps.shape
            kept[f"width.{i}"] = torch.ones((1,) * steps.ndim, device=steps.device)
            learned[f"unit.{i}"] = torch.zeros(shape, device=steps.device)
            learned[f"gate.{i}"] = torch.zeros(shape, device=steps.device)
        state.learned = {name: tensor.requires_grad_() for name, tensor in learned.items()}
        state.kept = kept
        self._measure_bins(state)
        self._reset(state, 0)

    @torch.no_grad()
    def _measure_bins(self, state: FitState) -> None:
        """Bin widths for the anchor as it is; steps stay what they are.

        Of a layer's steps: w with d/dw (lmbda S w^2 / 12 - log2(w) / N) = 0, times coarseness,
        where S is the distortion that a change of one entry adds, by its square, and N the pixels
        of a frame. Layers differ a thousandfold: a sine network's first layer turns every phase.
        """
        network, config = _network(state), self.config
        num_pixels = state.num_pixels / network.shape.num_frames
        mantissa_bits = _scheme(state).config.quant_scale_mantissa_bits
        values = dict(network.anchor.named_parameters())
        sensitivities = tensor_sensitivities(network.anchor, values, state.samples)
        for i, (name, anchor) in enumerate(values.items()):
            slope = config.lmbda / 6 * sensitivities[name]
            ideal = 1 / math.sqrt(max(slope * num_pixels * math.log(2), 1e-30))
            widest = float(anchor.square().mean().sqrt()) or 1.0
            width = np.array([min(config.coarseness * ideal, widest)], np.float32)
            new = float(rounded_up(width, mantissa_bits)[0])
            width_before = _kept(state, f"width.{i}")
            state.learned[f"unit.{i}"].mul_(float(width_before) / new)
            width_before.fill_(new)

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """The anchor as decoded, and steps under their gates; in the end these as decoded too."""
        steps = self._steps(state, None if self.phase(progress) else generator)
        return View({**self._anchor(state), **steps}, lambda: self._rate(state))

    def loss(self, output: Tensor, target: Tensor, samples: Samples, config: LossConfig) -> Tensor:
        """Lambda D."""
        return self.config.lmbda * super().loss(output, target, samples, config)

    def _rate(self, state: FitState) -> Tensor:
        """R in bits a pixel: the expected number of changes, each at the same price."""
        gates = [tensor for name, tensor in state.learned.items() if name.startswith("gate.")]
        changes = torch.stack([open_probability(gate).sum() for gate in gates]).sum()
        num_frames = state.representation.shape.num_frames if self._in_turn else 1
        return self.config.bits_per_change * changes * num_frames / state.num_pixels

    def fitted(self, state: FitState) -> Mapping[str, Tensor]:
        """Parameters as the decoder will have them, if the stage ends here."""
        with torch.no_grad():
            return {**state.masked(), **self._steps(state, None)}

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """The bin widths that values are rounded to."""
        widths = {n: _kept(state, n) for n in state.kept if n.startswith(ANCHOR)}
        for i in range(len(_network(state).step)):
            widths[f"{STEP}{i}"] = _kept(state, f"width.{i}")
        return {name: {"quant_scale": width} for name, width in widths.items()}

    def _anchor(self, state: FitState) -> dict[str, Tensor]:
        """The anchor as the decoder will have it; fixed, or with the gradient of its values."""
        config, anchor = _scheme(state).config, {}
        for name, tensor in state.masked().items():
            if self._in_turn:
                anchor[name] = tensor.detach()
            elif name.startswith(ANCHOR) and tensor.ndim > 1:
                mantissa_bits = config.quant_scale_mantissa_bits
                rounded = symmetric_dequantized(tensor, config.bits, mantissa_bits)
                anchor[name] = straight_through(tensor, rounded)
            elif name.startswith(ANCHOR):
                anchor[name] = tensor
        return anchor

    def _steps(self, state: FitState, generator: torch.Generator | None) -> dict[str, Tensor]:
        """All steps: with a generator gates are drawn and nothing is rounded; without, as decoded.

        Gradients reach those that are being fitted. Rounding from the start on, with as coarse bins
        as steps need, moves many weights at once: 0.3 to 0.8 dB worse, for 7 to 16 % fewer bits.
        """
        low, high = symbol_range(_scheme(state).config.bits)
        frame = int(state.kept["frame_in_turn"])
        steps = {}
        for i, before in enumerate(_network(state).step):
            gates, width = state.learned[f"gate.{i}"], _kept(state, f"width.{i}")
            gates = settled_gates(gates) if generator is None else sampled_gates(gates, generator)
            bins = gates * state.learned[f"unit.{i}"]
            step = bins * width
            if generator is None:
                symbols = bins.detach().round().clamp(low, high)
                step = straight_through(step, (symbols * width).half().float())
            if self._in_turn:
                fixed = before.detach()
                step = torch.cat([fixed[: frame - 1], step, fixed[frame:]]) if frame else fixed
            steps[f"{STEP}{i}"] = step
        return steps

    def _reset(self, state: FitState, frame: int) -> None:
        """Begin the turn of a frame: a step of zero, gates that are neither open nor closed.

        Of a segment that is coded already: its step, gates nearly open where it is not zero.
        """
        generator = torch.Generator().manual_seed(frame)
        state.kept["frame_in_turn"] = frame
        with torch.no_grad():
            for i in range(len(_network(state).step)):
                unit, gate = state.learned[f"unit.{i}"], state.learned[f"gate.{i}"]
                gate.copy_(start_log_alpha(gate.cpu(), self.config.drop_rate, generator))
                unit.zero_()
                if f"given.{i}" not in state.kept or (self._in_turn and not frame):
                    continue
                given = _kept(state, f"given.{i}")
                unit.add_(given[frame - 1] if self._in_turn else given)
                gate.add_(torch.where(unit == 0, -GIVEN_LOG_ALPHA, GIVEN_LOG_ALPHA))
                unit.div_(float(_kept(state, f"width.{i}")))


def _network(state: FitState) -> Weightstep:
    assert isinstance(state.representation, Weightstep)
    return state.representation


def _scheme(state: FitState) -> Arithmetic:
    assert isinstance(state.scheme, Arithmetic)
    return state.scheme


def _kept(state: FitState, name: str) -> Tensor:
    tensor = state.kept[name]
    assert isinstance(tensor, Tensor)
    return tensor


def _given_side(state: FitState, name: str) -> dict[str, NDArray[np.float32]] | None:
    side = {kind: tensor.cpu().numpy() for kind, tensor in state.given.get(name, {}).items()}
    return side or None


def _mask(state: FitState, name: str) -> NDArray[np.bool_] | None:
    return state.masks[name].cpu().numpy() > 0 if name in state.masks else None
