"""Settings of stage `quant_noise`."""

from typing import ClassVar, Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class QuantNoiseConfig(StageConfig):
    """Settings of quantisation-aware fitting."""

    requires_scheme: ClassVar[str | None] = "arithmetic"
    """Its quantizer is what weights are seen through."""

    kind: Literal["quant_noise"] = "quant_noise"
    noise_ratio: float = Field(
        0.9, ge=0, le=1, description="share of weights that is quantized at each step"
    )
