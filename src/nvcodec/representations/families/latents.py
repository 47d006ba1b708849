"""Pictures as wavelet coefficients, predicted from other frames along motion.

    detail, base --inverse wavelet--> residual --------+--> planes --> samples
    references --moved as cells say--> prediction -----+

What a frame is predicted from follows from `hierarchy`. Nothing here is a network: `fitting.stages.
analysis` finds coefficients and motion by analysis, and what is learned is how they are coded.
Everything is float32, planes are in units of 1/255 about the middle, and references are what was
rendered, neither rounded nor clamped.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec import hierarchy
from nvcodec.representations.compensation import Compensation, enlarged
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.latents import FINEST_CELL, NUM_MOTION, LatentsConfig
from nvcodec.representations.representation import Patches, Representation
from nvcodec.representations.wavelet import synthesis
from nvcodec.samples import VideoShape

SCALE, MIDDLE = 255.0, 0.5
FIRST_SPREAD = 4.0
"""Of what is left of a plane, before anything is fitted."""

Planes = list[Tensor]
"""(H, W) each."""


class Rendered(NamedTuple):
    """A frame, and the motion that led to it."""

    planes: Planes
    motion: Tensor
    """(5, rows, columns) of the finest cells, in pixels of the first plane; else zeros."""


class Latents(Representation[LatentsConfig]):
    """Coefficients and motion of a segment.

    Sources: the transform is the 9/7 wavelet of Cohen, Daubechies and Feauveau (1992) by lifting
    (Daubechies and Sweldens 1998); a hierarchy of bidirectional predictions as in video coding
    since H.264. Motion is a sum of grids, each twice as fine as the next, on top of that of the
    references.
    """

    Config: ClassVar[type[RepresentationConfig]] = LatentsConfig
    serves_threads = False  # frames are kept for those that are predicted from them

    def __init__(self, config: LatentsConfig, shape: VideoShape) -> None:
        super().__init__(config, shape)
        self.plane_layout = config.planes(shape)
        sizes = {spec.name: spec.shape for spec in self.specs}

        def tensors(name: str, count: int) -> nn.ParameterList:
            found = (sizes[f"{name}.{k}"] for k in range(count))
            return nn.ParameterList(nn.Parameter(torch.zeros(*size)) for size in found)

        self.detail = tensors("detail", config.num_scales(shape))
        self.base = nn.Parameter(torch.zeros(*sizes["base"]))
        if not self.base.is_meta:  # there it would load torch's compiler
            nn.init.normal_(self.base, std=FIRST_SPREAD)
        self.cells = config.cells(shape)
        self.motion = tensors("motion", len(self.cells) if shape.num_frames > 1 else 0)
        self.num_cells = config.motion_shapes(shape)[0]
        self.compensation = [
            Compensation(
                (plane.height, plane.width),
                FINEST_CELL >> plane.offset,
                self.num_cells,
                0.5**plane.offset,
            )
            for plane in self.plane_layout
        ]
        self.layers = hierarchy.layers(shape.num_frames, config.anchor_every)
        self.references = {
            frame: references
            for layer in self.layers
            for frame, references in zip(layer.frames, layer.references, strict=True)
        }
        self.capacity = config.num_kept(shape)
        """Rendered frames that are kept."""
        self.remembers = False
        """Whether they are from one call to the next: values will not change any more."""
        self._kept: OrderedDict[int, Rendered] = OrderedDict()

    def load_values(
        self, values: Mapping[str, NDArray[np.float16]], device: torch.device | None = None
    ) -> None:
        """As the base class; from then on rendered frames are kept for the next."""
        super().load_values(values, device)
        self.forget()
        self.remembers = True

    def forget(self) -> None:
        """Drop every rendered frame: coefficients have changed."""
        self._kept.clear()

    def forward(self, patches: Patches) -> Tensor:
        """Whole frames; see the base class."""
        if not self.remembers:
            self.forget()
        kind = self.base.device.type
        with torch.autocast("cpu" if kind == "meta" else kind, enabled=False):
            frames = [self.samples(self.frame(t).planes) for t in self._numbers(patches)]
        if not self.remembers:
            self.forget()
        return torch.stack(frames)

    def _numbers(self, patches: Patches) -> Sequence[int]:
        """Frames that are meant; without numbers one that needs no other, as that takes seconds."""
        return [0] * len(patches.t) if patches.t.is_meta else patches.on_host

    def samples(self, planes: Planes) -> Tensor:
        """Planes as samples, (h, w, C) in [0, 1]."""
        parts = [
            F.pixel_unshuffle(plane[None], 2) if len(layout.channels) > 1 else plane[None]
            for plane, layout in zip(planes, self.plane_layout, strict=True)
        ]
        samples = (torch.cat(parts) / SCALE + MIDDLE).permute(1, 2, 0)
        return samples + (samples.clamp(0, 1) - samples).detach()  # no gradient is lost at an end

    def frame(self, t: int) -> Rendered:
        """Frame `t`, and before it what it is predicted from, unless that is kept."""
        if t in self._kept:
            self._kept.move_to_end(t)
            return self._kept[t]
        known = {reference: self.frame(reference) for reference in self.references[t]}
        residual = self.residual(t)
        if known:
            motion = self.motion_of(t, known)
            predicted = self.predicted(motion, [one.planes for one in known.values()])
            planes = [p + r for p, r in zip(predicted, residual, strict=True)]
        else:
            planes, motion = residual, self.no_motion()
        return self.keep(t, Rendered(planes, motion))

    def keep(self, t: int, rendered: Rendered) -> Rendered:
        """Remember a frame, and drop what was not needed for the longest."""
        self._kept[t] = rendered
        self._kept.move_to_end(t)
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)
        return rendered

    def no_motion(self) -> Tensor:
        """That of a frame without references."""
        return self.base.new_zeros(NUM_MOTION, *self.num_cells)

    def residual(self, t: int) -> Planes:
        """What frame `t` adds to its prediction."""
        return self.synthesised([band[t] for band in self.detail], self.base[t])

    def synthesised(self, detail: list[Tensor], base: Tensor) -> Planes:
        """Planes from coefficients (C, h, w) of every scale and what is left."""
        planes = []
        for number, layout in enumerate(self.plane_layout):
            plane = base[number]
            for k in range(len(detail) - 1, layout.offset - 1, -1):
                plane = synthesis(plane, self.bands(detail[k], number, k))
            planes.append(plane)
        return planes

    def bands(self, detail: Tensor, number: int, k: int) -> Tensor:
        """The three bands of a plane at scale k."""
        first = sum(layout.offset <= k for layout in self.plane_layout[:number])
        return detail[3 * first : 3 * first + 3]

    def motion_of(self, t: int, known: Mapping[int, Rendered]) -> Tensor:
        """Motion of frame `t`, (5, rows, columns), from its references by number."""
        own = [grid[t] for grid in self.motion]
        return self.summed(self.inherited(t, known), own, len(known))

    def summed(self, inherited: Tensor, grids: Sequence[Tensor], num_references: int) -> Tensor:
        """What is inherited plus every motion grid (5, h, w), finest first."""
        total = inherited
        for k, grid in enumerate(grids):
            total = total + self.spread(grid, k, num_references)
        return total

    def inherited(self, t: int, known: Mapping[int, Rendered]) -> Tensor:
        """A share of the motion between the references, as that of one to the other tells."""
        first, *others = self.references[t]
        motion = torch.zeros_like(known[first].motion)
        if not others:
            return motion
        (second,) = others
        share = (t - first) / (second - first)
        if self.references[second][:1] == (first,):
            towards = known[second].motion[:2]
            return torch.cat([towards * share, towards * (share - 1), motion[:1]])
        towards = known[first].motion[2:4]
        return torch.cat([towards * -share, towards * (1 - share), motion[:1]])

    def spread(self, grid: Tensor, k: int, num_references: int) -> Tensor:
        """A motion grid (C, h, w) for every cell of the finest one; smooth with two references."""
        return enlarged(grid, 1 << k, self.num_cells, is_smooth=num_references == 2)

    def predicted(self, motion: Tensor, references: Sequence[Planes]) -> Planes:
        """Every plane, from those of one reference or two, by the motion of cells."""
        return [
            own.predicted([one[number] for one in references], motion)
            for number, own in enumerate(self.compensation)
        ]
