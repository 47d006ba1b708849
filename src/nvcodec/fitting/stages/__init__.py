"""Stages of fitting: one file, one name that presets may use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nvcodec import registry
from nvcodec.fitting.config import StageConfig
from nvcodec.fitting.configs import load_stage_config

if TYPE_CHECKING:
    from nvcodec.fitting.stage import Stage


def load_stage(settings: StageConfig | Mapping[str, Any]) -> "Stage[Any]":
    """The stage of these settings, a model or its table; `kind` names a file here."""
    from nvcodec.fitting.stage import Stage

    config = settings if isinstance(settings, StageConfig) else load_stage_config(settings)
    return registry.load(__name__, config.kind, Stage)(config)
