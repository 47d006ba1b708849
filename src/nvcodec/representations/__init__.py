"""Representations: functions from frame coordinates to pixels. One file, one name for presets.

`foo.py` holds the network; `_foo_config.py` its settings and sizes, without torch.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nvcodec.registry import names
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
    kind, known = table.get("kind"), names(__name__)
    if kind not in known:
        raise KeyError(f"representation kind {kind!r}; known: {', '.join(known)}")
    module = importlib.import_module(f"{__name__}._{kind}_config")
    config: type[RepresentationConfig] = getattr(module, f"{_camel(str(kind))}Config")
    return config.model_validate(table)


def build(config: RepresentationConfig, shape: VideoShape) -> "Representation[Any]":
    """The network that `config` describes, for one segment of this shape, freshly initialised."""
    module = importlib.import_module(f"{__name__}.{config.kind}")
    representation: Representation[Any] = getattr(module, _camel(config.kind))(config, shape)
    return representation


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
