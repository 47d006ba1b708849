"""Settings of stage `weight_steps`."""

from typing import ClassVar, Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class WeightStepsConfig(StageConfig):
    """Settings of weight steps."""

    requires_scheme: ClassVar[str | None] = "arithmetic"
    requires_representation: ClassVar[str | None] = "weightstep"

    kind: Literal["weight_steps"] = "weight_steps"
    mode: Literal["two_stage", "single_stage"] = Field(
        "two_stage",
        description="two_stage: anchor first, then step after step; single_stage: all together",
    )
    lmbda: float = Field(gt=0, description="weight of the distortion: R (bits a pixel) + lmbda D")
    bits_per_change: float = Field(
        5.0, gt=0, description="what an entry that changes is reckoned to cost"
    )
    coarseness: float = Field(
        3.0,
        gt=0,
        description="factor on the break-even bin width, at which halving the bin would cost one "
        "bit a change and save as much lambda D",
    )
    drop_rate: float = Field(
        0.5, gt=0, lt=1, description="share of gates that is closed at the start; Louizos et al."
    )
    settle: float = Field(
        0.15,
        ge=0,
        le=1,
        description="last part of a turn, with rounding and without noise in gates",
    )

    @property
    def steps_between_rates(self) -> int:
        """The price of changes is in every step's loss."""
        return 1
