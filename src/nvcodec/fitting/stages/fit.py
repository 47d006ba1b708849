"""Stage `fit`: distortion only."""

from typing import ClassVar

from nvcodec.fitting.config import StageConfig
from nvcodec.fitting.configs.fit import FitConfig
from nvcodec.fitting.stage import Stage


class Fit(Stage[FitConfig]):
    """Minimise the distortion."""

    Config: ClassVar[type[StageConfig]] = FitConfig
