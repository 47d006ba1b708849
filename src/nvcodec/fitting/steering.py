"""A goal beside a fitting: what the file would be if it ended now.

state --scheme--> sections --size_of--> bytes in the file
              --> values as decoded --render--> frames --> PSNR, VMAF, in the goal's statistic
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nvcodec.coding.parameters import Parameter
from nvcodec.fitting.state import FitState
from nvcodec.goals import Goal, Measured
from nvcodec.metrics.quality import mean_squared_error, psnr_db
from nvcodec.metrics.vmaf import vmaf_by_frame
from nvcodec.pixel_values import to_samples
from nvcodec.representations import build
from nvcodec.representations.representation import Representation
from nvcodec.video import y4m
from nvcodec.video.color import planes_to_rgb
from nvcodec.video.conversion import to_planes
from nvcodec.video.info import Pixels, Planes, VideoInfo

Sections = Mapping[str, bytes]


@dataclass(frozen=True)
class Steering:
    """What a fitting is steered by."""

    goal: Goal
    """Of the segment: its share of a size."""
    info: VideoInfo
    """Of the source."""
    size_of: Callable[[Sections], int]
    """Bytes that a segment with such sections takes in the file."""
    is_timed: bool = False
    """Whether the clock ends the fitting."""
    start: Callable[[], float] = lambda: 0.0
    """Octaves by which lambda is turned before anything is measured; asked once."""

    def measure(self, state: FitState, parameters: list[Parameter]) -> Measured:
        """What these tensors would come to."""
        coded = state.scheme.quantize(parameters)
        size = self.size_of(state.scheme.pack(coded))
        if not self.goal.has_quality:
            return Measured(size)
        return self._judged(size, self._frames(state, coded.dequantize()))

    def _judged(self, size: int, frames: Iterator[tuple[Planes, Planes]]) -> Measured:
        """The qualities that are asked for, frame by frame; VMAF over copies of both videos."""
        goal, psnrs, copies, vmaf = self.goal, [], [], None
        with contextlib.ExitStack() as stack:
            if goal.vmaf is not None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                copies = [folder / "source.y4m", folder / "decoded.y4m"]
            with contextlib.ExitStack() as writing:
                files = [writing.enter_context(path.open("wb")) for path in copies]
                for file in files:
                    file.write(y4m.header_bytes(self.info))
                for pair in frames:
                    rgb = [planes_to_rgb(planes, self.info) for planes in pair]
                    psnrs.append(psnr_db(mean_squared_error(*rgb), self.info.depth))
                    for file, planes in zip(files, pair, strict=False):
                        y4m.write_frame(file, planes)
            if copies:
                vmaf = goal.statistic(vmaf_by_frame(*copies))
        return Measured(size, None if goal.psnr_db is None else goal.statistic(psnrs), vmaf)

    def _frames(
        self, state: FitState, values: Mapping[str, NDArray[np.float16]]
    ) -> Iterator[tuple[Planes, Planes]]:
        """Every frame of the source and as a decoder has it."""
        samples, depth = state.samples, state.depth
        for t, pixels in enumerate(rendered(state.representation, values, depth)):
            source = state.frames[t].cpu().numpy()
            yield to_planes(samples, source, self.info), to_planes(samples, pixels, self.info)


@torch.inference_mode()
def rendered(
    network: Representation[Any], values: Mapping[str, NDArray[np.float16]], depth: int
) -> Iterator[Pixels]:
    """Every frame of a network with these values, (H, W, C), as a decoder gives them."""
    device = next(network.parameters()).device
    with torch.device("meta"):
        decoder = build(network.config, network.shape)
    decoder.load_values(values, device)
    decoder.eval()
    for t in range(network.shape.num_frames):
        frame = decoder.render(torch.tensor([t]))[0]
        yield to_samples(frame, depth).cpu().numpy()
