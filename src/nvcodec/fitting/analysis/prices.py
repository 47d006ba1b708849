"""What the symbols of frames cost under contexts as far as they are learned, and learning them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nvcodec.coding.latents.contexts import NUM_DEPTHS
from nvcodec.coding.latents.layout import MOTION_CHANNELS
from nvcodec.fitting.analysis.motion import width_of
from nvcodec.fitting.analysis.twin import Twin, features
from nvcodec.representations.families.latents import Latents

LEARNING_RATE = 0.05
FRAMES_A_STEP, MOST_FRAMES = 8, 64
MOST_SYMBOLS = 400_000
"""Of a step of learning."""


class Around(NamedTuple):
    """What a frame's references tell, in its own bins, (1, C, h, w) by tensor."""

    texture: Mapping[str, Tensor]
    residual: Mapping[str, Tensor]


class Prices:
    """Bits of symbols.

    Args:
        network: its parameters are the values of all symbols.
        twin: the contexts.
        widths: bin widths by tensor of coefficients, (T, C, 1, 1).
    """

    def __init__(self, network: Latents, twin: Twin, widths: Mapping[str, Tensor]) -> None:
        self.network, self.twin, self.widths = network, twin, widths
        self.grids = twin.layout.coefficients
        self._depths = {
            t: min(layer.depth, NUM_DEPTHS - 1) for layer in network.layers for t in layer.frames
        }
        self._textures: dict[int, dict[str, Tensor]] = {}

    def forget(self, t: int | None = None) -> None:
        """A frame has changed, or all have."""
        if t is None:
            self._textures.clear()
        else:
            self._textures.pop(t, None)

    def values(self) -> dict[str, Tensor]:
        """Of coefficients, by tensor."""
        named = dict(self.network.named_parameters())
        return {grid.name: named[grid.name].detach() for grid in self.grids}

    def motion(self, t: int) -> list[Tensor]:
        """Symbols of a frame's motion, finest grid first."""
        return [p[t].detach() / width_of(k) for k, p in enumerate(self.network.motion)]

    def _texture(self, t: int) -> dict[str, Tensor]:
        """By tensor, the larger of a frame's own magnitudes and its references' mean texture."""
        if t not in self._textures:
            own = {name: value[t].abs() for name, value in self.values().items()}
            before = [self._texture(r) for r in self.network.references[t]]
            if before:
                for name, value in own.items():
                    mean = torch.stack([b[name] for b in before]).mean(dim=0)
                    own[name] = torch.maximum(value, mean)
            self._textures[t] = own
        return self._textures[t]

    def around(self, t: int) -> Around | None:
        """What the references of a frame tell; None where it has none."""
        references = self.network.references[t]
        if not references:
            return None
        textures = [self._texture(r) for r in references]
        texture, residual = {}, {}
        for name, value in self.values().items():
            width = self.widths[name][t]
            mean = torch.stack([one[name] for one in textures]).mean(dim=0)
            texture[name] = (mean / width)[None]
            residual[name] = (value[list(references)].abs().mean(dim=0) / width)[None]
        return Around(texture, residual)

    def spreads(self, t: int, magnitudes: Sequence[Tensor], around: Around | None) -> list[Tensor]:
        """Spreads of a frame's coefficients, (1, C, h, w) for each tensor in coding order."""
        kind, found = len(self.network.references[t]), []
        named = dict(zip((grid.name for grid in self.grids), magnitudes, strict=True))
        for grid in self.grids:
            own = named[grid.name]
            parent = named[grid.parent] if grid.parent else None
            texture = around.texture[grid.name] if around else None
            residual = around.residual[grid.name] if around else None
            seen = features(grid, own, parent, texture, residual)
            found.append(self.twin.spreads(grid, kind, self._depths[t], seen, own))
        return found

    def motion_spreads(self, t: int, grids: Sequence[Tensor]) -> list[Tensor]:
        """Spreads of a frame's motion as far as it is coded, (C, h, w), finest grid first."""
        kind = len(self.network.references[t])
        count, found = MOTION_CHANNELS[kind - 1], {}
        for grid in self.twin.layout.motion:
            k = grid.scale
            own = grids[k][None, :count].abs()
            parent = grids[k + 1][None, :count].abs() if k + 1 < len(grids) else None
            seen = features(grid, own, parent, None, None)
            found[k] = self.twin.spreads(grid, kind, self._depths[t], seen, own)[0]
        return [found[k] for k in range(len(grids))]

    def frame_bits(self, t: int, around: Around | None) -> Tensor:
        """All bits of a frame."""
        symbols = [
            (value[t] / self.widths[name][t]).round()[None] for name, value in self.values().items()
        ]
        spreads = self.spreads(t, [one.abs() for one in symbols], around)
        bits = [self.twin.bits(s, p).sum() for s, p in zip(symbols, spreads, strict=True)]
        if around is not None:
            grids = self.motion(t)
            for one, spread in zip(grids, self.motion_spreads(t, grids), strict=True):
                bits.append(self.twin.bits(one[: len(spread)], spread).sum())
        return torch.stack(bits).sum()

    def learn(self, frames: Sequence[int], count: int, generator: torch.Generator) -> None:
        """Make contexts suit the symbols of frames that are coded, in so many steps."""
        learned = list(self.twin.learned.values())
        optimizer = torch.optim.Adam(learned, lr=LEARNING_RATE)
        size = sum(value[0].numel() for value in self.values().values())
        at_once = max(1, min(FRAMES_A_STEP, MOST_SYMBOLS // size))
        frames = frames[:: -(-len(frames) // MOST_FRAMES)]
        arounds = {t: self.around(t) for t in frames}
        for n in range(count):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - 0.9 * n / count)
            order = torch.randperm(len(frames), generator=generator)[:at_once].tolist()
            chosen = {frames[i] for i in order} | ({frames[0]} if at_once > 1 else set())
            optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                bits = [self.frame_bits(t, arounds[t]) for t in sorted(chosen)]
                share = len(chosen) / self.network.shape.num_frames
                bits.append(share * self.twin.number_bits())
                (torch.stack(bits).sum() / size).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
