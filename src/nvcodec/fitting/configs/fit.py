"""Settings of stage `fit`."""

from typing import ClassVar, Literal

from nvcodec.fitting.config import StageConfig


class FitConfig(StageConfig):
    """Settings of plain fitting."""

    can_change: ClassVar[bool] = True

    kind: Literal["fit"] = "fit"
