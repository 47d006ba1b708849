"""What a stage is: one phase of fitting, with its own schedule and its own view of the parameters.

    prepare (once)  ->  values, loss (every step)  ->  finish (once)

The loop owns optimisers, batches and checkpoints; a stage says which values the network sees and
what is minimised.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from nvcodec.coding.parameters import ParameterSet
from nvcodec.coding.scheme import Scheme
from nvcodec.fitting.config import LossConfig, StageConfig
from nvcodec.fitting.losses import distortion
from nvcodec.representations.representation import Representation
from nvcodec.samples import Samples


@dataclass
class FitState:
    """What one stage hands to the next: the representation, and which entries of it are kept."""

    representation: Representation  # type: ignore[type-arg]
    scheme: Scheme[Any]
    num_pixels: int = 1
    """Of the video, all frames together; rates are counted per pixel."""
    samples: Samples = Samples.RGB
    masks: dict[str, Tensor] = field(default_factory=dict)
    """Float tensors of ones and zeros, by parameter name; absent when nothing was pruned."""
    side: dict[str, Tensor] = field(default_factory=dict)
    """Learned side information of the scheme: leaves that are optimised too."""

    def masked(self) -> dict[str, Tensor]:
        """Parameters with pruned entries at zero."""
        return {
            name: p * self.masks[name] if name in self.masks else p
            for name, p in self.representation.named_parameters()
        }


class Turn(NamedTuple):
    """What one step of a stage fits, and how far its schedules are."""

    frame: int | None
    """The only frame of the batch; None: any."""
    progress: float
    """From 0 to 1, of the stage or of this frame's turn in it."""


ConfigT = TypeVar("ConfigT", bound=StageConfig)


class Stage(abc.ABC, Generic[ConfigT]):
    """One phase of fitting."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def prepare(self, state: FitState) -> None:
        """Change the state once, before the first step."""

    def turns(self, num_frames: int) -> int | None:
        """How many frames are fitted one after the other; None: all of them, in random order."""
        return 1 if self.config.frames == "first" else None

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """What a step at `progress` of the stage fits; called before everything else in it."""
        return Turn(0 if self.config.frames == "first" else None, progress)

    def values(
        self, state: FitState, progress: float, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """What the network sees in place of its parameters at `progress` (0 to 1) of the stage."""
        return state.masked()

    def loss(self, output: Tensor, target: Tensor, samples: Samples, config: LossConfig) -> Tensor:
        """What is minimised; pixels are (N, h, w, C) in [0, 1]."""
        return distortion(output, target, samples, config)

    @property
    def rate_every(self) -> int:
        """Steps between two terms of `rate`; 1: in every step's loss; 0: never."""
        return 0

    def rate(self, state: FitState, progress: float, generator: torch.Generator) -> Tensor:
        """What is minimised beside the loss, for stages that set `rate_every`."""
        raise AssertionError(f"stage {self.config.kind} has no rate")

    def estimated_bits(self, state: FitState, coded: ParameterSet) -> Mapping[str, float]:
        """The rate that was minimised, at `coded`, by the groups of `Scheme.group_bits`."""
        return {}

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """`state.side` as the scheme takes it, by parameter name; empty when nothing is learned."""
        return {}

    def fitted(self, state: FitState) -> Mapping[str, Tensor]:
        """Parameters as the scheme would get them, if the stage ended here."""
        return state.masked()

    def finish(self, state: FitState) -> None:
        """Leave the state as the next stage, or the scheme, shall find it."""
        with torch.no_grad():
            for name, values in self.fitted(state).items():
                state.representation.get_parameter(name).copy_(values)
