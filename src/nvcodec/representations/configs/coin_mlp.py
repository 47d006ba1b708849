"""Settings of coordinate MLPs, and what follows from them without building the network."""

import itertools
from typing import Literal, Self

from pydantic import Field, model_validator

from nvcodec.coding.parameters import ParameterSpec
from nvcodec.representations.config import RepresentationConfig, layer
from nvcodec.samples import VideoShape

MAX_SIGMA = 1024.0


class CoinMlpConfig(RepresentationConfig):
    """Settings of a coordinate MLP.

    SIREN is `activation = "sine"` without features; random Fourier features are
    `activation = "relu"` with them.
    """

    kind: Literal["coin_mlp"] = "coin_mlp"
    axes: Literal["tyx", "yx"] = Field(
        "tyx",
        description="inputs; tyx: one network for all frames of a segment; yx: for a single frame",
    )
    width: int = Field(ge=1, le=8192, description="units of a hidden layer")
    layers: int = Field(ge=1, le=64, description="hidden layers")
    activation: Literal["sine", "relu"] = Field("sine", description="of hidden layers")
    omega: float = Field(
        30.0, gt=0, le=1000, description="omega_0 in sin(omega_0 (W x + b)); SIREN, section 3.2"
    )
    features: int = Field(
        0, ge=0, le=8192, description="random frequencies, a cosine and a sine each; 0: coordinates"
    )
    sigmas: tuple[float, ...] | None = Field(
        None, description="standard deviation of the frequencies along each axis, cycles a side"
    )
    seed: int = Field(0, ge=0, lt=1 << 31, description="of the frequencies")

    @model_validator(mode="after")
    def _one_sigma_an_axis(self) -> Self:
        if not self.features:
            if self.sigmas is not None:
                raise ValueError("sigmas given, but features is 0")
            return self
        sigmas = self.sigmas or ()
        if len(sigmas) != len(self.axes) or not all(0 <= s <= MAX_SIGMA for s in sigmas):
            raise ValueError(
                f"sigmas {sigmas[:8]}: one of 0 to {MAX_SIGMA:g} for each of the axes {self.axes}"
            )
        return self

    @property
    def num_inputs(self) -> int:
        """Values that the first layer sees for a pixel."""
        return 2 * self.features or len(self.axes)

    @property
    def widest_layer(self) -> int:
        """Most inputs or outputs of a layer."""
        return max(self.num_inputs, self.width)

    def patch_sizes(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Any."""
        return list(range(1, height + 1)), list(range(1, width + 1))

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """Every layer, the last one gives pixels."""
        if self.axes == "yx" and shape.num_frames > 1:
            raise ValueError(f"axes yx: {shape.num_frames} frames a segment, allowed: 1")
        widths = itertools.pairwise(self.layer_widths(shape.channels))
        return [spec for i, (a, b) in enumerate(widths) for spec in layer(f"layer.{i}", b, a)]

    def layer_widths(self, num_outputs: int) -> list[int]:
        """Inputs of the first layer, then outputs of each."""
        return [self.num_inputs, *[self.width] * self.layers, num_outputs]

    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of one frame: every weight at every pixel, and the frequencies."""
        widths = itertools.pairwise(self.layer_widths(shape.channels))
        macs = sum(a * b for a, b in widths) + self.features * len(self.axes)
        return shape.height * shape.width * macs

    def activations_per_frame(self, shape: VideoShape) -> int:
        """Input and output of the widest layer at every pixel."""
        return shape.height * shape.width * (2 * self.width + self.num_inputs)
