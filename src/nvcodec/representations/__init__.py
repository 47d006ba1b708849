"""Representations: functions from frame coordinates to pixels.

`families/foo.py` holds the network, `configs/foo.py` its settings and sizes, without torch.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nvcodec import registry
from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import VideoShape

if TYPE_CHECKING:
    from nvcodec.representations.representation import Representation

FAMILIES = f"{__name__}.families"
CONFIGS = f"{__name__}.configs"


def load_config(table: Mapping[str, Any]) -> RepresentationConfig:
    """Settings from a table whose `kind` names a representation; does not load torch.

    Raises:
        UnknownNameError: no such kind; the message lists those there are.
        pydantic.ValidationError: a field is wrong.
    """
    base: type[RepresentationConfig] = RepresentationConfig  # type: ignore[type-abstract]
    return registry.load(CONFIGS, str(table.get("kind")), base).read(table)


def build(config: RepresentationConfig, shape: VideoShape) -> "Representation[Any]":
    """The network that `config` describes, for one segment of this shape, freshly initialised.

    Raises:
        ValueError: the settings do not suit such a video.
    """
    from nvcodec.representations.representation import Representation

    base: type[Representation[Any]] = Representation  # type: ignore[type-abstract]
    network = registry.load(FAMILIES, config.kind, base)(config, shape)
    network.check_tensors()
    return network
