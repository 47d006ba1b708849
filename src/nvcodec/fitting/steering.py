"""A goal beside a fitting: what the file would be if it ended now.

state --scheme--> sections --size_of--> bytes in the file
              --> values as decoded --render--> frames --> PSNR, VMAF, in the goal's statistic
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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
        with _Files(self.info) as files:
            return self._judged(size, self._frames(state, coded.dequantize()), files)

    def _judged(
        self, size: int, frames: Iterator[tuple[Planes, Planes]], files: "_Files"
    ) -> Measured:
        """The qualities that are asked for, frame by frame."""
        goal, psnrs, vmaf = self.goal, [], None
        for pair in frames:
            rgb = [planes_to_rgb(planes, self.info) for planes in pair]
            psnrs.append(psnr_db(mean_squared_error(*rgb), self.info.depth))
            if goal.vmaf is not None:
                files.add(pair)
        if goal.vmaf is not None:
            vmaf = goal.statistic(vmaf_by_frame(*files.finished()))
        return Measured(size, None if goal.psnr_db is None else goal.statistic(psnrs), vmaf)

    def _frames(
        self, state: FitState, values: Mapping[str, NDArray[np.float16]]
    ) -> Iterator[tuple[Planes, Planes]]:
        """Every frame of the source and as a decoder has it."""
        samples, depth = state.samples, state.depth
        for t, pixels in enumerate(rendered(state.representation, values, depth)):
            source = state.frames[t].cpu().numpy()
            yield to_planes(samples, source, self.info), to_planes(samples, pixels, self.info)


class _Files:
    """Source and decoded frames as two Y4M files, which go when it is left."""

    def __init__(self, info: VideoInfo) -> None:
        self.info = info

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        paths = Path(folder, "source.y4m"), Path(folder, "decoded.y4m")
        self._files = [self._stack.enter_context(path.open("wb")) for path in paths]
        for file in self._files:
            file.write(y4m.header_bytes(self.info))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, pair: tuple[Planes, Planes]) -> None:
        """A frame of each."""
        for file, planes in zip(self._files, pair, strict=True):
            y4m.write_frame(file, planes)

    def finished(self) -> tuple[Path, Path]:
        """Both, for reading."""
        for file in self._files:
            file.flush()
        source, decoded = (Path(file.name) for file in self._files)
        return source, decoded


@torch.inference_mode()
def rendered(
    network: Representation[Any], values: Mapping[str, NDArray[np.float16]], depth: int
) -> Iterator[Pixels]:
    """Every frame of a network with these values, (H, W, C), as a decoder gives them."""
    device = next(network.parameters()).device
    with torch.device("meta"):
        decoder = build(network.config, network.shape)
    decoder = decoder.to_empty(device=device).eval()
    decoder.load_values(values)
    for t in range(network.shape.num_frames):
        frame = decoder.render(torch.tensor([t], device=device))[0]
        yield to_samples(frame, depth).cpu().numpy()
