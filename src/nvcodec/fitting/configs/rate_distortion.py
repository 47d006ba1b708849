"""Settings of stage `rate_distortion`."""

from typing import ClassVar, Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class RateDistortionConfig(StageConfig):
    """Settings of rate-distortion fitting; the defaults are NVRC's."""

    requires_scheme: ClassVar[str | None] = "hierarchical"

    can_steer: ClassVar[bool] = True
    kind: Literal["rate_distortion"] = "rate_distortion"
    lmbda: float = Field(gt=0, description="weight of the distortion: R (bits a pixel) + lmbda D")
    rate_every: int = Field(
        8, ge=0, description="steps between rate steps; 1: in every step's loss; 0: no rate term"
    )
    rate_warmup: float = Field(
        0.0, ge=0, le=1, description="share of the stage in which the rate's weight rises from 0"
    )
    relaxation: Literal["soft_round", "straight_through", "quant_noise"] = Field(
        "soft_round", description="what stands for rounding"
    )
    temperature: tuple[float, float] = Field(
        (0.5, 0.3), description="of soft rounding, at the start and at the end"
    )
    kumaraswamy: tuple[float, float] = Field(
        (2.0, 1.0), description="a of the noise, at the start and at the end; 1: uniform"
    )
    noise_ratio: tuple[float, float] = Field(
        (0.5, 1.0), description="share of entries that quant_noise rounds"
    )
    log2_width: float | None = Field(
        None, description="log2 of all bin widths at the start; NVRC: -8.66, which is e^-6"
    )
    width_to_rms: float = Field(
        0.125, gt=0, description="without log2_width: bin width over a tensor's RMS at the start"
    )
    learn_widths: bool = Field(True, description="V5 if False: bin widths stay as they begin")

    def refined(self) -> StageConfig:
        """Relaxations as they are at the end of the stage, at lower rates."""
        ends = ("temperature", "kumaraswamy", "noise_ratio")
        settled = {name: (getattr(self, name)[1],) * 2 for name in ends}
        return self.slower().model_copy(update={**settled, "rate_warmup": 0.0})

    @property
    def steps_between_rates(self) -> int:
        """As set."""
        return self.rate_every
