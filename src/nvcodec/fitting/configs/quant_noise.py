"""Settings of stage `quant_noise`."""

from typing import Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class QuantNoiseConfig(StageConfig):
    """Settings of quantisation-aware fitting."""

    kind: Literal["quant_noise"] = "quant_noise"
    bits: int = Field(6, ge=2, le=16, description="bits of a symbol")
    noise_ratio: float = Field(
        0.9, ge=0, le=1, description="share of weights that is quantized at each step"
    )
    quant_scale_mantissa_bits: int = Field(
        4, ge=1, le=10, description="precision of bin widths, as the scheme stores them"
    )
