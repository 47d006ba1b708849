"""Schemes: one file, one name that presets may use."""

from collections.abc import Mapping
from typing import Any

from nvcodec import registry
from nvcodec.coding.scheme import Scheme, SchemeConfig


def load_scheme(settings: SchemeConfig | Mapping[str, Any]) -> Scheme[Any]:
    """The scheme of these settings, a model or its table; `kind` names a file here.

    Raises:
        UnknownNameError: `kind` is no scheme; the message lists those that are.
        ValueError: `kind` is missing, or a setting is unknown or out of range (pydantic's
        `ValidationError`).
    """
    kind = settings.kind if isinstance(settings, SchemeConfig) else settings.get("kind")
    if not isinstance(kind, str):
        raise ValueError("[scheme]: kind is missing or not a string")
    scheme: type[Scheme[Any]] = registry.load(__name__, kind, Scheme)  # type: ignore[type-abstract]
    if isinstance(settings, SchemeConfig):
        return scheme(settings)
    return scheme(scheme.Config.read(settings))
