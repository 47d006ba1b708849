"""Stages of fitting: one file, one name that presets may use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nvcodec import registry

if TYPE_CHECKING:
    from nvcodec.fitting.stage import Stage


def load_stage(table: Mapping[str, Any]) -> "Stage[Any]":
    """The stage that a table describes; its `kind` names a file here.

    Raises:
        KeyError: no such kind; the message lists those there are.
        pydantic.ValidationError: a field is wrong.
    """
    from nvcodec.fitting.stage import Stage

    cls = registry.load(__name__, str(table.get("kind")), Stage)
    return cls(cls.Config.model_validate(table))
