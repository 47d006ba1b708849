"""Settings of stage `analysis`."""

from typing import ClassVar, Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class AnalysisConfig(StageConfig):
    """Settings of finding coefficients and motion; an epoch is a pass over the segment."""

    requires_scheme: ClassVar[str | None] = "latents"
    """Its contexts are what bits are reckoned with."""
    requires_representation: ClassVar[str | None] = "latents"
    """It finds what that has."""

    can_steer: ClassVar[bool] = True
    kind: Literal["analysis"] = "analysis"
    lmbda: float = Field(gt=0, description="weight of the distortion: R (bits a pixel) + lmbda D")
    coarseness: float = Field(
        6.0, gt=0, description="square of a bin width, times lambda, at the depth that counts as 1"
    )
    cascade: tuple[float, ...] = Field(
        (0.33, 0.4, 0.6, 0.9, 1.15),
        min_length=1,
        description="factor on bin widths by depth, the last for all deeper ones: what others are "
        "predicted from is finer",
    )
    learning_steps: int = Field(
        60,
        ge=1,
        description="steps in which contexts learn after a pass, and at most before its end",
    )
