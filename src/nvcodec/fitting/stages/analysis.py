"""Stage `analysis`: frame by frame in coding order, pass after pass; no descent on pictures.

    references as decoded --motion: search, then refined--> prediction
    frame - prediction --wavelet--> values --rounding under contexts--> symbols --> frame as decoded
    symbols of many frames --descent--> contexts

Every step codes one frame from its references as a decoder will have them, so that nothing drifts.
After a pass the next one knows the contexts that the whole segment has. What others are predicted
from gets finer bins and a larger lambda (`cascade`).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.coding.latents.lattice import width_values
from nvcodec.coding.latents.layout import MOTION_CHANNELS, Grid, Layout
from nvcodec.coding.latents.tensors import DEFAULT_SHAPE, Coding
from nvcodec.coding.schemes.latents import LatentsScheme
from nvcodec.fitting.analysis.motion import WIDTHS, MotionSearch
from nvcodec.fitting.analysis.rounding import chosen_symbols, first_symbols
from nvcodec.fitting.analysis.twin import Twin, features
from nvcodec.fitting.configs.analysis import AnalysisConfig
from nvcodec.fitting.losses import SAMPLE_WEIGHTS
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState
from nvcodec.pixel_values import to_unit
from nvcodec.representations.configs.latents import CELLS
from nvcodec.representations.families.latents import MIDDLE, SCALE, Latents, Planes, Rendered
from nvcodec.representations.wavelet import analysis
from nvcodec.samples import Samples

FINEST_OFFSET, CHROMA_OFFSET = 2, -3
"""Eighths of an octave: luma's finest scale is coarser, chroma finer, than the rest."""
FIRST_ROUNDS, ROUNDS = 4, 8
REACH, REACH_OF_ANCHORS = 4, 14
"""Pixels of search at the coarsest grid."""
LEARN_AFTER = (0, 1, 2, 4, 8, 16)
"""Frames of the first pass after which contexts are learned."""
FIRST_STEPS, SOON_STEPS, STEPS = 60, 25, 60
LEARNING_RATE = 0.05
FRAMES_A_STEP = 8
MOST_SYMBOLS = 400_000
"""Of a step of learning contexts."""


class Analysis(Stage[AnalysisConfig]):
    """Learned: the numbers of `Twin`. Kept: parameters as the last whole pass left them."""

    def __init__(self, config: AnalysisConfig) -> None:
        super().__init__(config)
        self._textures: dict[int, dict[str, Tensor]] = {}

    def prepare(self, state: FitState) -> None:
        """Begin with nothing but zeros."""
        network = _network(state)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        start = Twin.start(Layout.of(network.specs), state.frames.device)
        state.learned = {name: tensor.requires_grad_() for name, tensor in start.items()}
        state.kept = {}

    def direct_step(self, state: FitState, step: int) -> Tensor | None:
        """Code a frame, and learn contexts where it is time."""
        network = _network(state)
        frames = [t for layer in network.layers for t in layer.frames]
        number, place = divmod(step, len(frames))
        if place == 0:
            network.forget()
            self._textures.clear()
        work = _Work(self, state)
        generator = torch.Generator().manual_seed(step)
        loss = work.code(frames[place], number, generator)
        is_last = place + 1 == len(frames)
        if is_last or (number == 0 and place in LEARN_AFTER):
            count = STEPS if is_last else FIRST_STEPS if place == 0 else SOON_STEPS
            known = frames if number else frames[: place + 1]
            work.learn(known, count, generator)
        if is_last:
            for name, parameter in network.named_parameters():
                state.kept[f"whole.{name}"] = parameter.detach().clone()
        return loss

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """Everything that the scheme stores beside the symbols."""
        vector = torch.from_numpy(_Work(self, state).coding().flat())
        return {"base": {"coding": vector}}

    def finish(self, state: FitState) -> None:
        """Where a pass was cut short, stand as after the one before."""
        network = _network(state)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                whole = state.kept.get(f"whole.{name}")
                if isinstance(whole, Tensor):
                    parameter.copy_(whole)
        network.forget()

    def forget_texture(self, t: int) -> None:
        """A frame has changed."""
        self._textures.pop(t, None)

    def texture(self, network: Latents, t: int) -> dict[str, Tensor]:
        """By tensor, the larger of a frame's own magnitudes and its references' mean texture."""
        if t not in self._textures:
            own = {name: p[t].abs() for name, p in coefficients(network).items()}
            before = [self.texture(network, r) for r in network.references[t]]
            if before:
                for name, value in own.items():
                    mean = torch.stack([b[name] for b in before]).mean(dim=0)
                    own[name] = torch.maximum(value, mean)
            self._textures[t] = own
        return self._textures[t]


def coefficients(network: Latents) -> dict[str, Tensor]:
    """Values of the tensors of coefficients, by name."""
    return {
        name: p.detach() for name, p in network.named_parameters() if not name.startswith("motion")
    }


class _Work:
    """One step: what a stage and a state come to."""

    def __init__(self, stage: Analysis, state: FitState) -> None:
        self.stage, self.state, self.config = stage, state, stage.config
        self.network, self.device = _network(state), state.frames.device
        assert isinstance(state.scheme, LatentsScheme)
        self.anchor_every = state.scheme.config.anchor_every
        self.network.capacity = self.anchor_every + 4
        self.layout = Layout.of(self.network.specs)
        self.twin = Twin(self.layout, state.learned, DEFAULT_SHAPE)
        self.depths = {t: layer.depth for layer in self.network.layers for t in layer.frames}
        self.lmbda = self.config.lmbda / SCALE**2
        widths = self.coding().width_indices(self.layout, self.anchor_every)
        self.widths = {
            name: torch.from_numpy(width_values(own).astype(np.float32)).to(self.device)
            for name, own in widths.items()
        }

    def coding(self) -> Coding:
        """Bin widths by the rule of the settings, contexts as they are learned."""
        middle = math.sqrt(self.config.coarseness / self.lmbda)
        depths = [8 * math.log2(middle * self._cascade(d)) for d in range(8)]
        offsets = []
        for grid in self.layout.grids:
            if not grid.is_motion:
                is_packed = self.state.samples is Samples.PACKED420
                is_yuv = is_packed or self.state.samples is Samples.YUV444
                first = FINEST_OFFSET if grid.name == "detail.0" and is_packed else 0
                offsets.append([first, CHROMA_OFFSET if is_yuv else 0])
        return Coding(
            np.full(3, DEFAULT_SHAPE, np.int64),
            np.rint(np.clip(depths, -48, 80)).astype(np.int64),
            np.array(offsets, np.int64),
            Twin(self.layout, self.state.learned, DEFAULT_SHAPE).stored(),
        )

    def _cascade(self, depth: int) -> float:
        return self.config.cascade[min(depth, len(self.config.cascade) - 1)]

    def _lmbda(self, t: int) -> float:
        return self.lmbda / self._cascade(self.depths[t]) ** 2

    def target(self, t: int) -> Planes:
        """A frame's planes on the canvas, edges repeated."""
        samples = (to_unit(self.state.frames[t], self.state.depth) - MIDDLE) * SCALE
        height, width = self.network.canvas
        channels = samples.permute(2, 0, 1)[None]
        missing = (0, width - samples.shape[1], 0, height - samples.shape[0])
        channels = F.pad(channels, missing, mode="replicate")[0]
        return [
            F.pixel_shuffle(channels[list(layout.channels)][None], 2)[0, 0]
            if len(layout.channels) > 1
            else channels[layout.channels[0]]
            for layout in self.network.plane_layout
        ]

    def plane_weights(self) -> list[float]:
        """Of a squared error in each plane, so that all add up to that of RGB a pixel."""
        weights = SAMPLE_WEIGHTS.get(self.state.samples)
        if weights is None:
            return [1 / len(self.network.plane_layout)] * len(self.network.plane_layout)
        return [
            sum(weights[c] for c in layout.channels) * (4 if layout.offset else 1)
            for layout in self.network.plane_layout
        ]

    @torch.no_grad()
    def code(self, t: int, number: int, generator: torch.Generator) -> Tensor:
        """Find motion and symbols of a frame; gives its bits and lambda D a pixel."""
        network, references = self.network, self.network.references[t]
        target, weights = self.target(t), self.plane_weights()
        known = {r: network.frame(r) for r in references}
        if known:
            flows = {r: one.flow for r, one in known.items()}
            self._find_motion(t, number, target, known, flows, weights[0])
            flow = network.flow(t, flows)
            predicted = network.predicted(flow, [one.planes for one in known.values()])
        else:
            flow = target[0].new_zeros(5, *target[0].shape)
            predicted = [torch.zeros_like(plane) for plane in target]
        residual = [a - b for a, b in zip(target, predicted, strict=True)]
        bits = self._find_symbols(t, number, residual, weights, generator)
        found = network.residual(t)
        planes = [a + b for a, b in zip(predicted, found, strict=True)]
        network.keep(t, Rendered(planes, flow))
        errors = (
            weight * (a - b).square().sum()
            for weight, a, b in zip(weights, planes, target, strict=True)
        )
        distortion = sum(errors, torch.zeros((), device=self.device))
        return (bits + self.lmbda * distortion) / target[0].numel()

    def _find_motion(
        self,
        t: int,
        number: int,
        target: Planes,
        known: Mapping[int, Rendered],
        flows: Mapping[int, Tensor],
        weight: float,
    ) -> None:
        width = float(self.widths["base"][t, 0])
        search = MotionSearch(
            self.network, target[0], t, [one.planes[0] for one in known.values()], flows,
            self._lmbda(t) * weight, width**2 / 12,
        )  # fmt: skip
        if number == 0:
            is_anchor = len(known) == 1
            distance = max(abs(t - r) for r in known)
            grids = search.search(min(REACH_OF_ANCHORS, 2 + distance) if is_anchor else REACH)
        else:
            grids = [p[t].detach() / w for p, w in zip(self.network.motion, WIDTHS, strict=True)]
            count = MOTION_CHANNELS[len(known) - 1]
            spreads = self._motion_spreads(grids, count, self.depths[t])

            def bits(k: int, symbols: Tensor) -> Tensor:
                own = self.twin.bits(symbols[:count], spreads[k])
                return F.pad(own, (0, 0, 0, 0, 0, len(symbols) - count))

            search.refine(grids, bits)
        for parameter, grid, width in zip(self.network.motion, grids, WIDTHS, strict=True):
            parameter[t] = grid * width

    def _motion_spreads(self, grids: Sequence[Tensor], count: int, depth: int) -> list[Tensor]:
        found: dict[str, Tensor] = {}
        kind = 1 + (count > 2)
        for grid in self.layout.grids:
            if grid.is_motion:
                k = int(grid.name.rpartition(".")[2])
                own = grids[k][None, :count].abs()
                parent = grids[k + 1][None, :count].abs() if k + 1 < len(CELLS) else None
                seen = features(grid, own, parent, None, None)
                found[grid.name] = self.twin.spreads(grid, kind, min(depth, 7), seen, own)[0]
        return [found[f"motion.{k}"] for k in range(len(CELLS))]

    def _coefficient_grids(self) -> list[Grid]:
        return [grid for grid in self.layout.grids if not grid.is_motion]

    def _around(self, t: int) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
        """Texture and residual of a frame's references, in its own bins, (C, h, w) by tensor."""
        references = self.network.references[t]
        if not references:
            return None
        values = coefficients(self.network)
        textures = [self.stage.texture(self.network, r) for r in references]
        found: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        for name, value in values.items():
            width = self.widths[name][t]
            found[0][name] = sum((x[name] for x in textures[1:]), textures[0][name])
            found[0][name] = found[0][name] / (len(references) * width)
            found[1][name] = value[list(references)].abs().mean(dim=0) / width
        return found

    def _spreads(
        self, t: int, magnitudes: Mapping[str, Tensor],
        around: tuple[dict[str, Tensor], dict[str, Tensor]] | None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Spreads of the coefficients of a frame, (1, C, h, w) by tensor."""
        kind, depth = len(self.network.references[t]), min(self.depths[t], 7)
        found = {}
        for grid in self._coefficient_grids():
            own = magnitudes[grid.name]
            parent = magnitudes[grid.parent] if grid.parent else None
            texture, residual = (
                (None, None) if around is None else (a[grid.name][None] for a in around)
            )
            seen = features(grid, own, parent, texture, residual)
            found[grid.name] = self.twin.spreads(grid, kind, depth, seen, own)
        return found

    def _find_symbols(
        self,
        t: int,
        number: int,
        residual: Planes,
        plane_weights: Sequence[float],
        generator: torch.Generator,
    ) -> Tensor:
        """Round a frame's coefficients; gives their bits."""
        grids, network = self._coefficient_grids(), self.network
        taken = self._analysed(residual)
        parameters = dict(network.named_parameters())
        values, weights, start = [], [], []
        for grid in grids:
            width = self.widths[grid.name][t]
            values.append((taken[grid.name] / width)[None])
            bands = 1 if grid.name == "base" else 3
            own = [plane_weights[c // bands] for c in range(grid.num_channels)]
            squares = torch.tensor(own, device=self.device)[:, None, None] * width.square()
            weights.append(self._lmbda(t) * squares)
            start.append((parameters[grid.name][t].detach() / width).round()[None])
        if number == 0:
            start = first_symbols(values)
        around = self._around(t)

        def spreads(magnitudes: Sequence[Tensor]) -> list[Tensor]:
            named = dict(zip((g.name for g in grids), magnitudes, strict=True))
            return list(self._spreads(t, named, around).values())

        rounds = ROUNDS if number else FIRST_ROUNDS
        symbols = chosen_symbols(values, weights, start, spreads, self.twin.bits, rounds, generator)
        total = torch.zeros((), device=self.device)
        for one, spread in zip(symbols, spreads([s.abs() for s in symbols]), strict=True):
            total = total + self.twin.bits(one, spread).sum()
        for grid, one in zip(grids, symbols, strict=True):
            value = one[0] * self.widths[grid.name][t]
            parameters[grid.name][t] = value.half().float()  # as a decoder has it
        self.stage.forget_texture(t)
        return total

    def _analysed(self, planes: Planes) -> dict[str, Tensor]:
        """Coefficients (C, h, w) of all tensors."""
        found: dict[str, list[Tensor]] = {grid.name: [] for grid in self._coefficient_grids()}
        for layout, plane in zip(self.network.plane_layout, planes, strict=True):
            rest = plane
            for k in range(layout.offset, len(self.network.detail)):
                rest, bands = analysis(rest)
                found[f"detail.{k}"].append(bands)
            found["base"].append(rest[None])
        return {name: torch.cat(parts) for name, parts in found.items()}

    def learn(self, frames: Sequence[int], count: int, generator: torch.Generator) -> None:
        """Make contexts suit the symbols of frames that are coded."""
        learned = list(self.state.learned.values())
        optimizer = torch.optim.Adam(learned, lr=LEARNING_RATE)
        size = sum(p[0].numel() for p in coefficients(self.network).values())
        at_once = max(1, min(FRAMES_A_STEP, MOST_SYMBOLS // size))
        arounds = {t: self._around(t) for t in frames}
        for n in range(count):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - 0.9 * n / count)
            order = torch.randperm(len(frames), generator=generator)[:at_once].tolist()
            chosen = [frames[i] for i in order]
            if at_once > 1 and frames[0] not in chosen:
                chosen.append(frames[0])
            optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                total = sum((self._frame_bits(t, arounds[t]) for t in chosen), 0.0)
                assert isinstance(total, Tensor)
                (total / size).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _frame_bits(
        self, t: int, around: tuple[dict[str, Tensor], dict[str, Tensor]] | None
    ) -> Tensor:
        """All bits of a frame that is coded."""
        parameters = dict(self.network.named_parameters())
        symbols = {
            name: (value[t] / self.widths[name][t]).round()[None]
            for name, value in coefficients(self.network).items()
        }
        magnitudes = {name: one.abs() for name, one in symbols.items()}
        total = torch.zeros((), device=self.device)
        for name, spread in self._spreads(t, magnitudes, around).items():
            total = total + self.twin.bits(symbols[name], spread).sum()
        references = self.network.references[t]
        if references:
            count = MOTION_CHANNELS[len(references) - 1]
            grids = [parameters[f"motion.{k}"][t].detach() / w for k, w in enumerate(WIDTHS)]
            spreads = self._motion_spreads(grids, count, self.depths[t])
            for one, spread in zip(grids, spreads, strict=True):
                total = total + self.twin.bits(one[:count], spread).sum()
        return total


def _network(state: FitState) -> Latents:
    assert isinstance(state.representation, Latents)
    return state.representation
