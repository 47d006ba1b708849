"""What a stage is: one phase of fitting, with its own schedule and its own view of the parameters.

    prepare (once)  ->  view, loss (every step)  ->  finish (once)

The loop owns optimisers, batches and checkpoints; a stage says which values the network sees and
what is minimised.
"""

import abc
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from nvcodec.coding.parameters import ParameterSet
from nvcodec.fitting.config import LossConfig, StageConfig
from nvcodec.fitting.losses import distortion
from nvcodec.fitting.state import FitState
from nvcodec.samples import Samples


class Turn(NamedTuple):
    """What one step of a stage fits, and how far its schedules are."""

    frame: int | None
    """The only frame of the batch; None: any."""
    progress: float
    """From 0 to 1, of the stage or of this frame's turn in it."""


class View(NamedTuple):
    """How a step sees the parameters: one draw of the noise, shared by distortion and rate."""

    values: Mapping[str, Tensor]
    """What the network sees in place of its parameters, by name."""
    rate: Callable[[], Tensor] | None = None
    """What is minimised beside the loss, of the same draw: a scalar."""


ConfigT = TypeVar("ConfigT", bound=StageConfig)


class Stage(abc.ABC, Generic[ConfigT]):
    """One phase of fitting."""

    is_direct: ClassVar[bool] = False
    """Whether its steps, one a frame, are its own `direct_step` and no descent by gradients."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def prepare(self, state: FitState) -> None:
        """Change the state once, before the first step."""

    def frames_to_prepare(self, state: FitState) -> int:
        """Frames that `prepare` renders, about: what it needs of a limited time."""
        return 0

    def turns(self, num_frames: int) -> int | None:
        """How many frames are fitted one after the other; None: all of them, in random order."""
        return 1 if self.config.frames == "first" else None

    def is_over(self, state: FitState, progress: float) -> bool:
        """Whether no step follows; a stage that lands at a goal may take a few more, or fewer."""
        return progress >= 1

    def phase(self, progress: float) -> int:
        """Number of the part of the stage that a step at `progress` is in.

        Where another begins, other values are seen, and the loss may jump without being astray.
        """
        return 0

    def frame_at_work(self, state: FitState) -> int | None:
        """The only frame that steps are about now; None: all of them."""
        return None

    def begin_step(self, state: FitState, progress: float) -> Turn:
        """What a step at `progress` of the stage fits; called before everything else in it."""
        return Turn(0 if self.config.frames == "first" else None, progress)

    def direct_step(self, state: FitState, step: int, progress: float) -> Tensor:
        """A step at `progress` of a stage that is direct; gives its loss."""
        raise NotImplementedError

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """Values and rate at `progress` (0 to 1) of the stage, for one draw from `generator`."""
        return View(state.masked())

    def loss(self, output: Tensor, target: Tensor, samples: Samples, config: LossConfig) -> Tensor:
        """What is minimised, a scalar.

        Args:
            output: what the network gives, float32 (N, h, w, C) in [0, 1].
            target: what it should give, likewise.
            samples: what the channels are.
            config: weights of the distortion.
        """
        return distortion(output, target, samples, config)

    def estimated_bits(self, state: FitState, coded: ParameterSet) -> Mapping[str, float]:
        """The rate that was minimised, at `coded`, by the groups of `Scheme.group_bits`."""
        return {}

    def side_information(self, state: FitState) -> Mapping[str, Mapping[str, Tensor]]:
        """What was learned for the scheme, by parameter name, as `Scheme.side_shapes` names it."""
        return {}

    def fitted(self, state: FitState) -> Mapping[str, Tensor]:
        """Parameters as the scheme would get them, if the stage ended here."""
        return state.masked()

    def finish(self, state: FitState) -> None:
        """Leave the state as the next stage, or the scheme, shall find it."""
        with torch.no_grad():
            for name, values in self.fitted(state).items():
                state.representation.get_parameter(name).copy_(values)
