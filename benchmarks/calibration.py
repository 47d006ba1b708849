"""Rounding that is calibrated, against fitting what is rounded (stage `round`), at equal epochs.

    python benchmarks/calibration.py CLIP... --preset hinerv-tiny --out results/calibration.jsonl

One fitted network, its bin widths as `round` chooses them, and ways from there to integers. Nearest
ones; `round` for so many epochs; calibrated: weights stay, and each learns whether it is rounded up
or down, for all tensors together, as a gate that is drawn to 0 or 1 (AdaRound, Nagel et al. 2020;
for whole networks NeuroQuant, Shi et al. 2025); the same in the Hadamard domain, blocks of up to 64
neighbours. Sizes are those of our coder's sections; rotated integers are coded as they are.
Resumable: the same command continues.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call

from common import Line, fit, frames_of, measured, parser_of
from nvcodec.coding.quantizer import symbol_range
from nvcodec.fitting.batches import mixed_seed
from nvcodec.fitting.configs import load_stage_config
from nvcodec.fitting.evaluation import psnr_db
from nvcodec.fitting.losses import mean_error
from nvcodec.fitting.stages.round import Round
from nvcodec.fitting.state import FitState
from nvcodec.pixel_values import to_unit
from nvcodec.presets import load_preset
from nvcodec.representations.representation import Patches
from nvcodec.segment_encoder import start_fitting
from trials import fitted, outcome, values_of

BLOCK = 64
STRETCH = 0.1
"""By how much a gate reaches beyond 0 and 1 before it is clipped."""
SHARPEST, SOFTEST, SOFT_SHARE = 2.0, 20.0, 0.2
"""Exponents of what draws gates to an end; for this share of the steps nothing does."""
WAYS = {
    "nearest": (False, 0, 0.0),
    **{
        f"calibrated{' in the Hadamard domain' * rotated}, {epochs} epochs, rate {rate:g}": (
            rotated, epochs, rate,
        )
        for rotated in (False, True)
        for epochs, rate in ((8, 0.03), (8, 0.1), (32, 0.03))
    },
}  # fmt: skip

Values = dict[str, Tensor]


def rotated(values: Tensor) -> Tensor:
    """By the normalised Hadamard matrix, block by block; its own inverse."""
    block = 1
    while block < BLOCK and values.numel() % (2 * block) == 0:
        block *= 2
    matrix = torch.ones(1, 1)
    while len(matrix) < block:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return (values.reshape(-1, block) @ (matrix / block**0.5)).reshape(values.shape)


@dataclass
class Network:
    """A fitted network that is to be rounded."""

    state: FitState
    stage: Round
    seed: int

    @property
    def widths(self) -> Values:
        """Bin width of every tensor of symbols."""
        return {name: w for name, w in self.state.kept.items() if isinstance(w, Tensor)}

    def mean_error(self, values: Mapping[str, Tensor], t: int) -> Tensor:
        """Of a frame, with these values."""
        state = self.state
        output = functional_call(
            state.representation, dict(values), (Patches.frames(torch.tensor([t])),)
        )
        height, width = state.frames.shape[1:3]
        error = output[:, :height, :width] - to_unit(state.frames[t : t + 1], state.depth)
        return mean_error(error.square(), state.samples)

    def error(self, values: Mapping[str, Tensor]) -> float:
        """Mean over all frames."""
        with torch.no_grad():
            return sum(
                float(self.mean_error(values, t)) for t in range(len(self.state.frames))
            ) / len(self.state.frames)

    def calibrated(self, turn: Callable[[Tensor], Tensor], epochs: int, rate: float) -> Values:
        """Symbols of every tensor that has some; `turn` leads to where they are rounded, and back.

        Without epochs the nearest ones.
        """
        state, widths = self.state, self.widths
        values = {name: tensor.detach() for name, tensor in state.masked().items()}
        places = {name: turn(values[name]) / width for name, width in widths.items()}
        lows = {name: place.floor() for name, place in places.items()}
        shares = {name: (place - lows[name] + STRETCH) / (1 + 2 * STRETCH)
                  for name, place in places.items()}  # fmt: skip
        gates = {name: torch.logit(share).requires_grad_() for name, share in shares.items()}

        def opened() -> Values:
            return {
                name: (torch.sigmoid(gate) * (1 + 2 * STRETCH) - STRETCH).clamp(0, 1)
                for name, gate in gates.items()
            }

        def seen(ups: Values) -> Values:
            return values | {n: turn((lows[n] + up) * widths[n]) for n, up in ups.items()}

        nearest = {name: (up >= 0.5).float() for name, up in opened().items()}
        draw = max(self.error(seen(nearest)) - self.error(values), 1e-9)
        draw /= sum(gate.numel() for gate in gates.values())
        optimizer = torch.optim.Adam(list(gates.values()), lr=rate)
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epochs))
        order = torch.cat(
            [torch.randperm(len(state.frames), generator=generator) for _ in range(epochs)]
            or [torch.zeros(0, dtype=torch.int64)]
        )
        for step, t in enumerate(order.tolist()):
            progress = step / len(order)
            ups = opened()
            loss = self.mean_error(seen(ups), t)
            if progress > SOFT_SHARE:
                left = (1 - progress) / (1 - SOFT_SHARE)
                sharpness = SHARPEST + (SOFTEST - SHARPEST) * left
                ends = [(1 - (2 * up - 1).abs().pow(sharpness)).sum() for up in ups.values()]
                loss = loss + draw * torch.stack(ends).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        low, high = symbol_range(state.scheme.config.bits)
        with torch.no_grad():
            return {n: (lows[n] + (up >= 0.5)).clamp(low, high) for n, up in opened().items()}

    def outcome(self, symbols: Values, turn: Callable[[Tensor], Tensor]) -> Line:
        """Bytes of the symbols, and quality of what they stand for."""
        state, scheme = self.state, self.state.scheme
        values = {name: tensor.detach() for name, tensor in state.masked().items()}
        coded = values | {name: s * self.widths[name] for name, s in symbols.items()}
        side = self.stage.side_information(state)
        sections = scheme.pack(scheme.quantize(state.parameters(coded, side)))
        decoded = values | {name: turn(coded[name]) for name in symbols}
        halves = {name: value.half().float() for name, value in decoded.items()}
        quality = psnr_db(state.representation, state.frames, state.samples, values=halves)
        return {"psnr_db": quality, "size_bytes": sum(map(len, sections.values()))}


def compare(path: str, args: argparse.Namespace) -> None:
    """Every way from one fitted network."""
    preset = load_preset(args.preset)
    pixels = frames_of(path, preset.samples, args.frames)
    first, last = preset.stages
    network, _ = fitted(pixels, preset, first.epochs, args.seed)
    values = values_of(network)
    whole_db = psnr_db(network, pixels, preset.samples)
    key = {"clip": Path(path).name, "preset": args.preset, "frames": args.frames,
           "seed": args.seed, "epochs": first.epochs, "fitted_db": whole_db}  # fmt: skip

    state = start_fitting(
        pixels.numpy(), preset, args.seed, samples=preset.samples, initial_values=values
    ).state
    stage = Round(last)
    stage.prepare(state)
    rounded = Network(state, stage, args.seed)

    def calibrate(is_rotated: bool, epochs: int, rate: float) -> Line:
        turn = rotated if is_rotated else torch.clone
        started = time.monotonic()
        symbols = rounded.calibrated(turn, epochs, rate)
        seconds = time.monotonic() - started
        return {**rounded.outcome(symbols, turn), "seconds": seconds}

    def by_fitting(epochs: int) -> Line:
        config = load_stage_config({**last.model_dump(), "epochs": epochs})
        encoded, _ = fit(pixels, preset.model_copy(update={"stages": (config,)}), args.seed, values)
        return outcome(encoded, network, pixels, preset)

    for name, way in WAYS.items():
        measured(args.out, {**key, "name": name}, lambda w=way: calibrate(*w))
    for epochs in (8, 32):
        measured(
            args.out, {**key, "name": f"round, {epochs} epochs"}, lambda e=epochs: by_fitting(e)
        )


def main() -> None:
    """Measure what is missing."""
    parser = parser_of(__doc__)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--preset", default="hinerv-tiny")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for path in args.clips:
        compare(path, args)


if __name__ == "__main__":
    main()
