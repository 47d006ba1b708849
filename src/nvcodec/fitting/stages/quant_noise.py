"""Stage `quant_noise`: fit while a random share of the weights is seen quantized."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from nvcodec.coding.parameters import Role
from nvcodec.fitting.relaxations import symmetric_dequantized
from nvcodec.fitting.stages._base import FitState, Stage, StageConfig


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


class QuantNoise(Stage[QuantNoiseConfig]):
    """Each weight, independently and anew at every step, is replaced by its dequantised value.

    No straight-through estimator: gradients reach only the weights that were left alone, and
    through the largest weight the bin widths. Source: HiNeRV, section 3.6 (Quant-Noise of Stock et
    al. 2021).
    """

    Config: ClassVar[type[StageConfig]] = QuantNoiseConfig

    def values(
        self, state: FitState, progress: float, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Parameters with noise on every tensor of two or more axes; weight steps come later."""
        values, roles = {}, state.representation.parameter_roles()
        for name, p in state.masked().items():
            if p.ndim < 2 or not p.numel() or roles[name] is Role.DELTA:
                values[name] = p
                continue
            noisy = (
                torch.rand(p.shape, generator=generator, device=p.device) < self.config.noise_ratio
            )
            values[name] = torch.where(noisy, self._dequantized(p), p)
        return values

    def _dequantized(self, p: Tensor) -> Tensor:
        return symmetric_dequantized(p, self.config.bits, self.config.quant_scale_mantissa_bits)
