"""Settings of stages, free of torch: one file a stage, under its name."""

from collections.abc import Mapping
from typing import Any

from nvcodec import registry
from nvcodec.fitting.config import StageConfig


def load_stage_config(table: Mapping[str, Any]) -> StageConfig:
    """Settings from a table whose `kind` names a stage; does not load torch.

    Raises:
        UnknownNameError: no such kind; the message lists those there are.
        pydantic.ValidationError: a field is wrong.
    """
    return registry.load(__name__, str(table.get("kind")), StageConfig).read(table)
