"""Schemes: one file, one name that presets may use."""

from collections.abc import Mapping
from typing import Any

from nvcodec import registry
from nvcodec.coding.scheme import Scheme


def load_scheme(table: Mapping[str, Any]) -> Scheme[Any]:
    """The scheme that a `[scheme]` table describes: `kind` is the file, the rest are its settings.

    Raises:
        KeyError: `kind` is no scheme; the message lists those that are.
        ValueError: `kind` is missing, or a setting is unknown or out of range (pydantic's
        `ValidationError`).
    """
    if not isinstance(table.get("kind"), str):
        raise ValueError("[scheme]: kind is missing or not a string")
    scheme: type[Scheme[Any]] = registry.load(__name__, table["kind"], Scheme)  # type: ignore[type-abstract]
    return scheme(scheme.Config.model_validate(dict(table)))
