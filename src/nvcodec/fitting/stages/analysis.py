"""Stage `analysis`: frame by frame in coding order, pass after pass; no descent on pictures.

    references as decoded --motion: search, then refined--> prediction
    frame - prediction --wavelet--> values --rounding under contexts--> symbols --> frame as decoded
    symbols of many frames --descent--> contexts

Every step codes one frame from its references as a decoder will have them, so that nothing drifts.
After a pass the next one knows the contexts that the whole segment has; so does the first one over
a segment that is coded already. What others are predicted from gets finer bins and a larger lambda
(`cascade`).
"""

import enum
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.coding.latents.contexts import NUM_DEPTHS, NUM_KINDS
from nvcodec.coding.latents.lattice import MAX_WIDTH, MIN_WIDTH, width_values
from nvcodec.coding.latents.layout import BANDS, Layout
from nvcodec.coding.latents.tensors import DEFAULT_SHAPE, Coding
from nvcodec.coding.schemes.latents import LatentsScheme
from nvcodec.fitting.analysis.course import Course
from nvcodec.fitting.analysis.motion import MotionSearch, width_of
from nvcodec.fitting.analysis.prices import Around, Prices
from nvcodec.fitting.analysis.rounding import chosen_symbols, first_symbols
from nvcodec.fitting.analysis.twin import Twin
from nvcodec.fitting.configs.analysis import AnalysisConfig
from nvcodec.fitting.losses import SAMPLE_WEIGHTS
from nvcodec.fitting.progress import ALMOST
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState
from nvcodec.pixel_values import to_unit
from nvcodec.representations.families.latents import MIDDLE, SCALE, Latents, Planes, Rendered
from nvcodec.representations.wavelet import analysis
from nvcodec.samples import Samples

FINEST_OFFSET, CHROMA_OFFSET = 2, -3
"""Eighths of an octave: packed luma's finest scale is coarser, chroma finer, than the rest."""
REACH, ANCHOR_REACH = (8, 4, 3), (96, 12, 8)
"""Pixels of search for the whole frame, in cells of 32 to 128 pixels, and in others."""
LEARN_AFTER = (0, 1, 2, 4, 8, 16)
"""Frames of the first pass after which contexts are learned."""
FIRST_STEPS, SOON_STEPS = 60, 25
BRIEF_SHARE = 0.06
"""Of the time of a frame in the first pass, for one that is coded briefly."""


class Effort(enum.Enum):
    """How much is tried for a frame."""

    BRIEF = enum.auto()
    """Motion that is inherited, two rounds of rounding."""
    FIRST = enum.auto()
    """Motion by search, few rounds."""
    FULL = enum.auto()
    """Motion refined under learned prices."""
    KEPT = enum.auto()
    """Motion as it is known, two rounds of rounding from the symbols that are."""


ROUNDS = {Effort.BRIEF: 2, Effort.FIRST: 4, Effort.FULL: 8, Effort.KEPT: 2}
"""Of rounding."""


class Analysis(Stage[AnalysisConfig]):
    """Learned: the numbers of `Twin`. Kept: parameters as the last whole pass left them."""

    is_direct = True

    def __init__(self, config: AnalysisConfig) -> None:
        super().__init__(config)
        self._work: _Work | None = None
        self._frame: int | None = None

    def prepare(self, state: FitState) -> None:
        """Begin with what a pass before has left, if there was one, or else with zeros."""
        network, given = _network(state), _given(state)
        state.kept = {"passes_before": int(given is not None)}
        if given is None:
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.zero_()
        models = None if given is None else given.models
        start = Twin.start(Layout.of(network.specs), state.frames.device, models)
        state.learned = {name: tensor.requires_grad_() for name, tensor in start.items()}
        if state.steering is not None:
            Course(octaves=state.steering.start()).store(state)
        if given is not None:
            _keep_whole(state)
            work = self._working(state)
            if not np.array_equal(work.coding().depths, given.depths):  # of another lambda
                frames = [t for layer in network.layers for t in layer.frames]
                work.prices.learn(
                    frames, self.config.learning_steps, torch.Generator().manual_seed(0)
                )

    def is_over(self, state: FitState, progress: float) -> bool:
        """As the base class; towards a goal where it is reached."""
        return progress >= 1 if state.steering is None else bool(Course.of(state).is_done)

    def _working(self, state: FitState) -> "_Work":
        octaves = Course.of(state).octaves
        if self._work is None or self._work.state is not state or self._work.octaves != octaves:
            self._work = _Work(self.config, state, octaves)
        return self._work

    def frame_at_work(self, state: FitState) -> int | None:
        """The frame that was coded last."""
        return self._frame

    def direct_step(self, state: FitState, step: int, progress: float) -> Tensor:
        """Code a frame, and learn contexts where it is time."""
        network = _network(state)
        frames = [t for layer in network.layers for t in layer.frames]
        course = Course.of(state)
        number, place = divmod(step, len(frames))
        if state.steering is not None:
            if state.steering.is_timed and course.is_cut(step, progress):
                self._take_back(state)
                course.land(step)
                course.store(state)
            number, place = int(course.number), step - int(course.first_step)
        work = self._working(state)
        is_first, is_known = number == 0, bool(number or state.kept["passes_before"])
        if place == 0:
            network.forget()
            work.prices.forget()
        generator = torch.Generator().manual_seed(step)
        is_brief = is_first and is_short_of_time(progress, place, len(frames))
        if is_known:
            effort = Effort.KEPT if is_brief or course.is_landing else Effort.FULL
        else:
            effort = Effort.BRIEF if is_brief else Effort.FIRST
        self._frame = frames[place]
        loss = work.code(self._frame, effort, generator, math.exp2(course.trim))
        is_last = place + 1 == len(frames)
        is_learning = is_last and not course.is_landing
        if is_learning or (effort is Effort.FIRST and place in LEARN_AFTER):
            is_whole = is_last and not is_brief
            count = self.config.learning_steps
            if not is_whole:
                count = min(count, FIRST_STEPS if place == 0 else SOON_STEPS)
            work.prices.learn(frames if is_known else frames[: place + 1], count, generator)
        if is_last and self._is_best(state, course, step + 1, progress):
            _keep_whole(state)
        return loss

    def _is_best(self, state: FitState, course: Course, step: int, progress: float) -> bool:
        """At the end of a pass: steer towards the goal, if there is one."""
        steering = state.steering
        if steering is None:
            return True
        values, side = self.fitted(state), self.side_information(state)
        measured = steering.measure(state, state.parameters(values, side))
        is_best = course.end_pass(steering, measured, step, progress, self.config.epochs)
        course.store(state)
        return is_best

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """Everything that the scheme stores beside the symbols."""
        return {"base": {"coding": torch.from_numpy(self._working(state).coding().flat())}}

    def finish(self, state: FitState) -> None:
        """Where a pass was cut short, or was not the best, stand as after that which is kept."""
        self._take_back(state)
        if state.steering is not None:
            course = Course.of(state)
            course.octaves = course.best_octaves
            course.store(state)

    def _take_back(self, state: FitState) -> None:
        network = _network(state)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                whole = state.kept.get(f"whole.{name}")
                if isinstance(whole, Tensor):
                    parameter.copy_(whole)
        network.forget()


class _Work:
    """What the steps of a stage have in common for one state."""

    def __init__(self, config: AnalysisConfig, state: FitState, octaves: float) -> None:
        """`octaves` of lambda above that of the settings."""
        self.config, self.state, self.octaves = config, state, octaves
        self.network, device = _network(state), state.frames.device
        assert isinstance(state.scheme, LatentsScheme)
        anchor_every = state.scheme.config.anchor_every
        self.network.capacity = anchor_every + 4
        self.layout = Layout.of(self.network.specs)
        self.twin = Twin(self.layout, state.learned, DEFAULT_SHAPE)
        self.depths = {t: layer.depth for layer in self.network.layers for t in layer.frames}
        self.lmbda = config.lmbda * math.exp2(octaves) / SCALE**2
        indices = self.coding().width_indices(self.layout, anchor_every)
        self.widths = {
            name: torch.from_numpy(width_values(own).astype(np.float32)).to(device)
            for name, own in indices.items()
        }
        self.prices = Prices(self.network, self.twin, self.widths)
        self.plane_weights = plane_weights(self.network, state.samples)

    def coding(self) -> Coding:
        """Bin widths by the rule of the settings, contexts as they are learned."""
        middle = math.sqrt(self.config.coarseness / self.lmbda)
        depths = [8 * math.log2(middle * self._cascade(d)) for d in range(NUM_DEPTHS)]
        samples, offsets = self.state.samples, []
        is_yuv = samples in (Samples.PACKED420, Samples.YUV444)
        for grid in self.layout.coefficients:
            is_finest = grid.name == "detail.0" and samples is Samples.PACKED420
            offsets.append([is_finest * FINEST_OFFSET, is_yuv * CHROMA_OFFSET])
        return Coding(
            np.full(NUM_KINDS, DEFAULT_SHAPE, np.int64),
            np.rint(np.clip(depths, MIN_WIDTH + 8, MAX_WIDTH - 8)).astype(np.int64),
            np.array(offsets, np.int64),
            self.twin.stored(),
        )

    def _cascade(self, depth: int) -> float:
        return self.config.cascade[min(depth, len(self.config.cascade) - 1)]

    def _lmbda(self, t: int) -> float:
        return self.lmbda / self._cascade(self.depths[t]) ** 2

    def target(self, t: int) -> Planes:
        """A frame's planes on the canvas, edges repeated."""
        samples = (to_unit(self.state.frames[t], self.state.depth) - MIDDLE) * SCALE
        height, width = self.network.canvas
        missing = (0, width - samples.shape[1], 0, height - samples.shape[0])
        channels = F.pad(samples.permute(2, 0, 1)[None], missing, mode="replicate")[0]
        return [
            F.pixel_shuffle(channels[list(layout.channels)][None], 2)[0, 0]
            if len(layout.channels) > 1
            else channels[layout.channels[0]]
            for layout in self.network.plane_layout
        ]

    @torch.no_grad()
    def code(
        self, t: int, effort: Effort, generator: torch.Generator, emphasis: float = 1.0
    ) -> Tensor:
        """Find motion and symbols of a frame; gives R + lambda D a pixel.

        `emphasis` is a factor on the distortion as rounding weighs it.
        """
        network = self.network
        target = self.target(t)
        known = {r: network.frame(r) for r in network.references[t]}
        if known:
            self._find_motion(t, effort, target[0], known)
            motion = network.motion_of(t, known)
            predicted = network.predicted(motion, [one.planes for one in known.values()])
        else:
            motion = network.no_motion()
            predicted = [torch.zeros_like(plane) for plane in target]
        residual = [a - b for a, b in zip(target, predicted, strict=True)]
        around = self.prices.around(t)
        self._find_symbols(t, effort, residual, around, generator, emphasis)
        planes = [a + b for a, b in zip(predicted, network.residual(t), strict=True)]
        network.keep(t, Rendered(planes, motion))
        errors = [
            weight * (a - b).square().sum()
            for weight, a, b in zip(self.plane_weights, planes, target, strict=True)
        ]
        bits = self.prices.frame_bits(t, around)
        return (bits + self.lmbda * torch.stack(errors).sum()) / target[0].numel()

    def _find_motion(
        self, t: int, effort: Effort, target: Tensor, known: Mapping[int, Rendered]
    ) -> None:
        width, prices = float(self.widths["base"][t, 0]), self.prices
        weight = self._lmbda(t) * self.plane_weights[0]
        if effort is Effort.KEPT:
            return
        search = MotionSearch(self.network, target, t, known, weight, width**2 / 12)
        if effort is Effort.BRIEF:
            grids = search.none()
        elif effort is Effort.FIRST:
            grids = search.search(*(ANCHOR_REACH if len(known) == 1 else REACH))
        else:
            grids = prices.motion(t)
            spreads = prices.motion_spreads(t, grids)

            def bits(k: int, symbols: Tensor) -> Tensor:
                count = len(spreads[k])
                own = self.twin.bits(symbols[:count], spreads[k])
                return F.pad(own, (0, 0, 0, 0, 0, len(symbols) - count))

            search.refine(grids, bits)
        for k, (parameter, grid) in enumerate(zip(self.network.motion, grids, strict=True)):
            parameter[t] = as_decoded(grid * width_of(k))

    def _find_symbols(
        self, t: int, effort: Effort, residual: Planes, around: Around | None,
        generator: torch.Generator, emphasis: float,
    ) -> None:  # fmt: skip
        """Round a frame's coefficients."""
        prices, parameters = self.prices, dict(self.network.named_parameters())
        taken = analysed(self.network, residual)
        values, weights, start = [], [], []
        for grid in prices.grids:
            width = self.widths[grid.name][t]
            values.append((taken[grid.name] / width)[None])
            bands = 1 if grid.name == "base" else BANDS
            own = [self.plane_weights[c // bands] for c in range(grid.num_channels)]
            weight = emphasis * self._lmbda(t) * width.square()
            weights.append(weight * width.new_tensor(own)[:, None, None])
            start.append((parameters[grid.name][t].detach() / width).round()[None])
        symbols = chosen_symbols(
            values,
            weights,
            first_symbols(values) if effort in (Effort.BRIEF, Effort.FIRST) else start,
            lambda magnitudes: prices.spreads(t, magnitudes, around),
            self.twin.bits,
            ROUNDS[effort],
            generator,
        )
        for grid, one in zip(prices.grids, symbols, strict=True):
            parameters[grid.name][t] = as_decoded(one[0] * self.widths[grid.name][t])
        prices.forget(t)


def is_short_of_time(progress: float, done: int, count: int) -> bool:
    """Whether the frames left in the first pass have to be brief, so that all are coded."""
    return done > 0 and progress * (1 + BRIEF_SHARE * (count - done) / done) >= ALMOST


def as_decoded(values: Tensor) -> Tensor:
    """Values as half floats hold them."""
    return values.half().float()


def analysed(network: Latents, planes: Planes) -> dict[str, Tensor]:
    """Coefficients (C, h, w) of a frame's planes, by tensor."""
    found: dict[str, list[Tensor]] = {}
    for layout, plane in zip(network.plane_layout, planes, strict=True):
        rest = plane
        for k in range(layout.offset, len(network.detail)):
            rest, bands = analysis(rest)
            found.setdefault(f"detail.{k}", []).append(bands)
        found.setdefault("base", []).append(rest[None])
    return {name: torch.cat(parts) for name, parts in found.items()}


def plane_weights(network: Latents, samples: Samples) -> Sequence[float]:
    """Of a squared error in each plane, so that their sums a pixel are the mean error of RGB."""
    layouts = network.plane_layout
    weights = SAMPLE_WEIGHTS.get(samples)
    if weights is None:
        return [1 / len(layouts)] * len(layouts)
    return [
        sum(weights[c] for c in layout.channels) * (4 if layout.offset else 1) for layout in layouts
    ]


def _given(state: FitState) -> Coding | None:
    """All but the symbols of a segment that is coded already."""
    side = state.given.get("base")
    if side is None:
        return None
    layout = Layout.of(state.representation.specs)
    return Coding.unflattened(layout, side["coding"].cpu().numpy())


def _keep_whole(state: FitState) -> None:
    """What a pass that is cut short goes back to."""
    for name, parameter in state.representation.named_parameters():
        state.kept[f"whole.{name}"] = parameter.detach().half()


def _network(state: FitState) -> Latents:
    assert isinstance(state.representation, Latents)
    return state.representation
