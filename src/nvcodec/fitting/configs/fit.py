"""Settings of stage `fit`."""

from typing import Literal

from nvcodec.fitting.config import StageConfig


class FitConfig(StageConfig):
    """Settings of plain fitting."""

    kind: Literal["fit"] = "fit"
