"""Experiments: a whole `nvc bench` in one TOML file, so that a claim has one command.

    presets = ["full=nvrc-tiny", "no-context=nvrc-tiny --set scheme.context=false"]
    lmbdas = [60, 120, 240]
    epochs = 20
    anchor = "full"

Names of preset files are relative to the experiment's folder; a command line adds to it.
"""

import shlex
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from nvcodec.config import Config
from nvcodec.errors import PresetError


class Experiment(Config):
    """What is coded how, and how the report compares it."""

    description: str = Field("", description="the question, and where it comes from")
    presets: tuple[str, ...] = Field((), description="[CURVE=]PRESET [OPTIONS], a point each")
    lmbdas: tuple[float, ...] = Field((), description="a point each, where presets have a lmbda")
    epochs: int | None = Field(None, ge=1, description="of every preset that names none itself")
    baselines: tuple[str, ...] = Field((), description="conventional codecs beside them")
    anchor: str | None = Field(None, description="curve that the others are compared with")
    axis: Literal["rate", "seconds"] = Field("rate", description="what quality is drawn over")


def read_experiment(path: Path) -> Experiment:
    """The experiment in a file, names of preset files made whole.

    Raises:
        PresetError: it is not such a file.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found = Experiment.model_validate(table)
    except OSError as error:
        raise PresetError(f"experiment {path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PresetError(f"experiment {path}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise PresetError(f"experiment {path}: not TOML: {error}") from error
    presets = tuple(_beside(path.parent, text) for text in found.presets)
    return found.model_copy(update={"presets": presets})


def _beside(folder: Path, text: str) -> str:
    """A preset's text with its file, if it is one, taken from `folder`."""
    first, *own = shlex.split(text) or [""]
    curve, separator, name = first.rpartition("=")
    if name.endswith(".toml") and not Path(name).is_absolute():
        name = str(folder / name)
    return shlex.join([f"{curve}{separator}{name}", *own])
