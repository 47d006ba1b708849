"""Settings of stage `round`."""

from typing import ClassVar, Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class RoundConfig(StageConfig):
    """Settings of fitting with rounded weights."""

    requires_scheme: ClassVar[str | None] = "arithmetic"
    """It takes bin widths that a stage has chosen."""
    bits_per_value: ClassVar[float | None] = 4.2
    """hinerv-tiny and nerv-tiny at their own lmbda: 3.6 to 5.2."""

    can_steer: ClassVar[bool] = True
    can_change: ClassVar[bool] = True

    def refined(self) -> StageConfig:
        """As it is: its rates are low, and widths are chosen anew for a smaller error."""
        return self

    kind: Literal["round"] = "round"
    error_ratio: float = Field(
        0.5,
        gt=0,
        description="error that rounding adds before it is fitted away, over that of the network",
    )
