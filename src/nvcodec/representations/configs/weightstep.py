"""Settings of weight steps, and what follows from them without building the network."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.coin_mlp import CoinMlpConfig
from nvcodec.representations.configs.image_cnn import ImageCnnConfig
from nvcodec.samples import VideoShape

ANCHOR, STEP = "anchor.", "step."
"""What names of tensors begin with; steps are numbered as the anchor's tensors."""
MAX_COSINE_SIDE = 512
"""Up to here the transform is exact; see `cosine_transform`."""


class WeightstepConfig(RepresentationConfig):
    """Settings of weight steps around a network for a single frame."""

    kind: Literal["weightstep"] = "weightstep"
    base: Annotated[CoinMlpConfig | ImageCnnConfig, Field(discriminator="kind")] = Field(
        description="the network of one frame: coin_mlp with axes yx, or image_cnn"
    )
    domain: Literal["weight", "dct"] = Field(
        "weight",
        description="what a step holds: changes of weights (weight-step paper, Eq. 5), or of the "
        "cosine transform of each layer (Eq. 6)",
    )

    @model_validator(mode="after")
    def _base_suits_steps(self) -> Self:
        if isinstance(self.base, CoinMlpConfig) and self.base.axes != "yx":
            raise ValueError(f"base, axes {self.base.axes}: allowed is yx, steps stand for time")
        widest = self.base.widest_layer
        if self.domain == "dct" and widest > MAX_COSINE_SIDE:
            raise ValueError(
                f"domain dct: a layer of {widest} channels, allowed: up to {MAX_COSINE_SIDE}"
            )
        return self

    @property
    def random_access(self) -> str:
        """A step changes the frame before it."""
        return "frame t of a segment needs its anchor and t weight steps"

    def resolve(self, height: int, width: int) -> Self:
        """Fill in the base's settings."""
        return self.model_copy(update={"base": self.base.resolve(height, width)})

    def anchor_shape(self, shape: VideoShape) -> VideoShape:
        """What the base stands for: one frame."""
        return shape._replace(num_frames=1)

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """That of the base."""
        return self.base.canvas(height, width)

    def patch_sizes(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Those of the base."""
        return self.base.patch_sizes(height, width)

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """The anchor's tensors, then for each of them its steps, frame after frame."""
        anchor = self.base.tensors(self.anchor_shape(shape))
        return [
            *(spec._replace(name=ANCHOR + spec.name) for spec in anchor),
            *(
                ParameterSpec(f"{STEP}{i}", (shape.num_frames - 1, *spec.shape), Role.DELTA)
                for i, spec in enumerate(anchor)
            ),
        ]

    def macs_per_frame(self, shape: VideoShape) -> int:
        """Those of the base."""
        return self.base.macs_per_frame(self.anchor_shape(shape))

    def activations_per_frame(self, shape: VideoShape) -> int:
        """Those of the base."""
        return self.base.activations_per_frame(self.anchor_shape(shape))
