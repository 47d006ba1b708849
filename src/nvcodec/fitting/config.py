"""Settings that all stages of one fitting share."""

from typing import ClassVar, Literal, Self

from pydantic import Field

from nvcodec.config import Config

REFINED_RATE = 0.5
"""Learning rates at the top where a coded segment is fitted further, over those of its stage."""


class LossConfig(Config):
    """Weights of the distortion in RGB.

    The defaults are HiNeRV's (section 4.1): 0.7 L1 + 0.3 (1 - MS-SSIM) with a 5x5 window. NeRV's
    (Eq. 2) is 0.7 L1 + 0.3 (1 - SSIM), one scale, 11x11.

    YUV fitting uses NVRC's distortion instead, with `ms_ssim_window`.
    """

    l1: float = Field(0.7, ge=0, description="weight of the mean absolute error")
    l2: float = Field(0.0, ge=0, description="weight of the mean squared error")
    ms_ssim: float = Field(0.3, ge=0, description="weight of 1 - MS-SSIM")
    ms_ssim_window: Literal[3, 5, 7, 9, 11] = Field(
        5, description="side of MS-SSIM's Gaussian window"
    )
    ssim: float = Field(0.0, ge=0, description="weight of 1 - SSIM, which has one scale")
    ssim_window: Literal[3, 5, 7, 9, 11] = Field(11, description="side of SSIM's Gaussian window")


class OptimizerConfig(Config):
    """Which parameters get which update; rates are those at the top of the schedule.

    `adam` updates everything with `learning_rate`. `muon` orthogonalises the update of weight
    matrices (kernels seen as (out, in k k)) and gives grids, biases and narrow matrices to Adam.
    """

    kind: Literal["adam", "muon"] = "adam"
    learning_rate: float = Field(2e-3, gt=0, description="Adam's rate")
    grid_learning_rate: float | None = Field(
        None, gt=0, description="Adam's rate for grids; None: the same"
    )
    side_learning_rate: float | None = Field(
        None, gt=0, description="Adam's rate for learned side information; None: the same"
    )
    betas: tuple[float, float] = Field((0.9, 0.999), description="Adam's decay of both moments")
    weight_decay: float = Field(
        0.0, ge=0, description="Adam's L2 on weights, falling to zero over a stage"
    )
    matrix_learning_rate: float = Field(0.02, gt=0, description="Muon's rate")
    momentum: float = Field(0.95, ge=0, lt=1, description="Muon's momentum")


class FittingConfig(Config):
    """Batches, distortion, optimizer and precision."""

    optimizer: OptimizerConfig = OptimizerConfig()
    loss: LossConfig = LossConfig()
    patch_size: tuple[int, int] | None = Field(
        None, description="(height, width) of training patches; None: whole frames"
    )
    batch_size: int = Field(1, ge=1, description="patches, or whole frames, a step")
    clip_norm: float | None = Field(1.0, gt=0, description="largest global gradient norm")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="arithmetic of forward passes; auto: bf16 where it is native to the device",
    )
    warm_start: bool = Field(
        False, description="segments after the first begin with the values of the one before"
    )
    compile: bool = Field(
        False,
        description="compile the network in a minute or so; on a CPU it gains nothing",
    )


class StageConfig(Config):
    """Schedule of a stage; rates are relative to those of the optimizer."""

    requires_scheme: ClassVar[str | None] = None
    """Kind of the only scheme that the stage works with, if there is one."""
    requires_representation: ClassVar[str | None] = None
    """Kind of the only representation that it works with, if there is one."""
    bits_per_value: ClassVar[float | None] = None
    """Of an entry of a dense tensor, where the stage decides it and not the scheme; measured."""

    can_steer: ClassVar[bool] = False
    """Whether it can be steered towards a size or a quality."""
    can_change: ClassVar[bool] = False
    """Whether it can fit what is coded as the change from another segment's values."""

    kind: str
    epochs: int = Field(ge=0, le=1_000_000, description="passes over the frames")
    frames: Literal["all", "first"] = Field(
        "all", description="what is fitted; first: the anchor of weight steps, epochs of one frame"
    )
    learning_rate_scale: float = Field(1.0, gt=0, description="factor on the optimizer's rates")
    warmup_epochs: int = Field(0, ge=0, description="epochs of linear warm-up")
    warmup_ratio: float = Field(
        0.01, ge=0, le=1, description="rate at the first step, relative to the top"
    )
    warmup_prefix: bool = Field(
        False, description="the cosine begins after the warm-up instead of running below it"
    )
    final_ratio: float = Field(
        0.01, ge=0, le=1, description="rate at the last step, relative to the top"
    )

    @property
    def has_lmbda(self) -> bool:
        """Whether it weighs the distortion against the rate."""
        return "lmbda" in type(self).model_fields

    def refined(self) -> "StageConfig | None":
        """What it is where a coded segment is fitted further; None: nothing is left to do."""
        return self.slower()

    def slower(self) -> Self:
        """The same at lower rates."""
        scale = REFINED_RATE * self.learning_rate_scale
        return self.model_copy(update={"learning_rate_scale": scale})

    @property
    def steps_between_rates(self) -> int:
        """1: a rate, if any, is in every step's loss; n: a step for it alone after each n-th."""
        return 1
