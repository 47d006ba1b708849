"""Stage `fit`: distortion only."""

from typing import ClassVar, Literal

from nvcodec.fitting.stages._base import Stage, StageConfig


class FitConfig(StageConfig):
    """Settings of plain fitting."""

    kind: Literal["fit"] = "fit"


class Fit(Stage[FitConfig]):
    """Minimise the distortion."""

    Config: ClassVar[type[StageConfig]] = FitConfig
