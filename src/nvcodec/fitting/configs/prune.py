"""Settings of stage `prune`."""

from typing import Literal

from pydantic import Field

from nvcodec.fitting.config import StageConfig


class PruneConfig(StageConfig):
    """Settings of pruning and the fine-tuning after it."""

    kind: Literal["prune"] = "prune"

    def refined(self) -> None:
        """Masks are chosen already, and hold in every stage."""

    ratio: float = Field(ge=0, lt=1, description="share that is set to zero")
    ratio_of: Literal["all", "prunable"] = Field(
        "all", description="what the share counts: all parameters, or those that may be taken"
    )
    score: Literal["magnitude", "sensitivity"] = Field(
        "magnitude",
        description="of a weight: |w| / P^lambda, or how much the picture would change without it",
    )
    size_exponent: float = Field(0.5, ge=0, le=2, description="lambda in the score |w| / P^lambda")
