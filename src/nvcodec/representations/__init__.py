"""Representations: functions from frame coordinates to pixels. One file, one name for presets.

`foo.py` holds the network; `_foo_config.py` its settings and sizes, without torch.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nvcodec import registry
from nvcodec.representations._config import RepresentationConfig
from nvcodec.video.info import VideoShape

if TYPE_CHECKING:
    from nvcodec.representations._base import Representation


def load_config(table: Mapping[str, Any]) -> RepresentationConfig:
    """Settings from a table whose `kind` names a representation; does not load torch.

    Raises:
        KeyError: no such kind; the message lists those there are.
        pydantic.ValidationError: a field is wrong.
    """
    kind, known = table.get("kind"), registry.names(__name__)
    if kind not in known:
        raise KeyError(f"representation kind {kind!r}; known: {', '.join(known)}")
    module = importlib.import_module(f"{__name__}._{kind}_config")
    camel = "".join(part.capitalize() for part in str(kind).split("_"))
    config: type[RepresentationConfig] = getattr(module, f"{camel}Config")
    return config.model_validate(table)


def build(config: RepresentationConfig, shape: VideoShape) -> "Representation[Any]":
    """The network that `config` describes, for one segment of this shape, freshly initialised."""
    from nvcodec.representations._base import Representation

    base: type[Representation[Any]] = Representation  # type: ignore[type-abstract]
    return registry.load(__name__, config.kind, base)(config, shape)
