"""Presets: a whole pipeline in one TOML file, read alone.

    [representation]  what is fitted          [fitting]  how: optimizer, loss, batches
    [[stages]]        in which phases         [scheme]   how it becomes bytes

A preset is read once, into models, and loads no torch. Precedence of settings: defaults, preset,
overrides.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SerializeAsAny, ValidationError

from nvcodec.coding.scheme import SchemeConfig
from nvcodec.coding.schemes import load_scheme
from nvcodec.config import Config
from nvcodec.errors import PresetError
from nvcodec.fitting.config import FittingConfig, StageConfig
from nvcodec.fitting.configs import load_stage_config
from nvcodec.registry import UnknownNameError
from nvcodec.representations import load_config
from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import Samples

ConfigT = TypeVar("ConfigT", bound=Config)
AUTO = "auto"
"""In place of a preset's name: the one that suits the video (`auto.py`)."""
MOST_LISTED = 30
"""Names that an error lists."""


def presets_folder() -> Path:
    """Where the presets lie: package data in a wheel, the top-level folder in a checkout."""
    package = Path(__file__).parent
    installed = package / "presets_data"
    return installed if installed.is_dir() else package.parents[1] / "presets"


def preset_names() -> list[str]:
    """Names of all presets, those of the papers as `paper/NAME`."""
    folder = presets_folder()
    found = folder.rglob("*.toml")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in found)


class _Tables(Config):
    """The tables of a preset's file, before each is read by whom it concerns."""

    name: str = Field(description="as users write it")
    description: str = Field("", description="one line for the table of presets")
    samples: Samples = Field(
        Samples.RGB, description="what is fitted, if the source has it: " + ", ".join(Samples)
    )
    representation: dict[str, Any]
    fitting: dict[str, Any] = Field(default_factory=dict)
    stages: tuple[dict[str, Any], ...] = Field(min_length=1)
    lmbdas: tuple[float, ...] = Field((), description="values of lmbda that suit the size")
    scheme: dict[str, Any]


class Preset(Config):
    """A pipeline, every field known, in range and written out."""

    name: str
    description: str = ""
    samples: Samples = Samples.RGB
    representation: SerializeAsAny[RepresentationConfig]
    fitting: FittingConfig
    stages: tuple[SerializeAsAny[StageConfig], ...]
    lmbdas: tuple[float, ...] = ()
    lmbda: float | None = None
    """Weight of the distortion that was asked for, in place of the stages' own; files say it."""
    scheme: SerializeAsAny[SchemeConfig]

    @property
    def names(self) -> tuple[str, ...]:
        """What the maker of its files may be called in them."""
        return (self.name,)

    @property
    def has_lmbda(self) -> bool:
        """Whether any stage weighs the distortion against the rate."""
        return any(stage.has_lmbda for stage in self.stages)

    @property
    def last_lmbda(self) -> float | None:
        """Weight of the distortion in the last stage that has one."""
        found = [getattr(stage, "lmbda", None) for stage in self.stages if stage.has_lmbda]
        return found[-1] if found else None

    def with_lmbda(self, lmbda: float) -> "Preset":
        """The same with another weight of the distortion, in every stage that has one.

        Raises:
            PresetError: no stage has.
        """
        changed = {"lmbda": lmbda}
        if not self.has_lmbda:
            raise PresetError(
                f"preset {self.name}: lmbda {lmbda} given, but no stage has one; "
                "those of the latents, nvrc and weightstep presets have"
            )
        stages = tuple(
            _read(self.name, f"stages.{number}", load_stage_config, stage.model_dump() | changed)
            if stage.has_lmbda
            else stage
            for number, stage in enumerate(self.stages)
        )
        return self.model_copy(update={"stages": stages, "lmbda": lmbda})

    def tables(self) -> dict[str, Any]:
        """Everything that decides about bytes, as plain values; unset fields are left out."""
        left_out = {"name", "description", "lmbda"}
        return self.model_dump(mode="json", exclude=left_out, exclude_none=True)


def preset_text(name: str) -> str:
    """The TOML of a preset, by its name or by the path of a `.toml` file.

    Raises:
        PresetError: there is none.
    """
    path = Path(name) if name.endswith(".toml") else presets_folder() / f"{name}.toml"
    known = preset_names()
    if not name.endswith(".toml") and name not in known:
        raise PresetError(
            f"preset {name!r} is unknown{_nearest(name, known)}; `nvc presets` lists them"
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"preset {name}: cannot be read: {error}") from error


def load_preset(
    name: str,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
) -> Preset:
    """A preset in which every field is known, in range and written out; loads no torch.

    Args:
        name: of a preset, or the path of a TOML file.
        overrides: `KEY=VALUE` with dotted keys (`stages.0.epochs=10`); values are TOML, bare words
            are strings.
        epochs: passes over the frames in all, shared out among the stages in the preset's
            proportion.
        lmbda: weight of the distortion in every stage that has one.

    Raises:
        PresetError: anything that cannot be used, with its path and the nearest known name; also a
            stage that needs another scheme or representation.
    """
    try:
        table = tomllib.loads(preset_text(name))
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"preset {name}: {error}") from error
    for override in overrides:
        _apply(table, override)
    try:
        tables = _Tables.model_validate(table)
    except ValidationError as error:
        raise PresetError(f"preset {name}: {_explain(error)}") from error
    stages = tuple(
        _read(name, f"stages.{number}", load_stage_config, stage)
        for number, stage in enumerate(tables.stages)
    )
    preset = Preset(
        name=tables.name,
        description=tables.description,
        samples=tables.samples,
        representation=_read(name, "representation", load_config, tables.representation),
        fitting=_read(name, "fitting", FittingConfig.read, tables.fitting),
        stages=stages if epochs is None else share_epochs(stages, epochs),
        lmbdas=tables.lmbdas,
        scheme=_read(name, "scheme", lambda table: load_scheme(table).config, tables.scheme),
    )
    for number, stage in enumerate(preset.stages):
        for what, needed, given in (
            ("scheme", stage.requires_scheme, preset.scheme.kind),
            ("representation", stage.requires_representation, preset.representation.kind),
        ):
            if needed not in (None, given):
                raise PresetError(
                    f"preset {name}, stages.{number}: kind {stage.kind} with the {what} "
                    f"{given}; it needs {needed}"
                )
    return preset if lmbda is None else preset.with_lmbda(lmbda)


def _read(
    name: str, part: str, load: Callable[[Mapping[str, Any]], ConfigT], table: Mapping[str, Any]
) -> ConfigT:
    """A table as its model."""
    try:
        return load(table)
    except ValidationError as error:
        raise PresetError(f"preset {name}, {part}: {_explain(error)}") from error
    except UnknownNameError as error:
        nearest = _nearest(error.name, error.known)
        raise PresetError(
            f"preset {name}, {part}: kind {error.name!r} is unknown{nearest}"
        ) from error
    except ValueError as error:
        raise PresetError(f"preset {name}, {part}: {error.args[0]}") from error


def share_epochs(stages: Sequence[StageConfig], epochs: int) -> tuple[StageConfig, ...]:
    """Stages whose epochs sum to `epochs`, at least one each; warm-ups are scaled too."""
    total = sum(stage.epochs for stage in stages)
    if epochs < len(stages) or total < 1:
        raise PresetError(f"epochs {epochs}: at least {len(stages)}, one a stage")
    shared = [max(1, stage.epochs * epochs // total) for stage in stages]
    shared[0] += max(0, epochs - sum(shared))
    while sum(shared) > epochs:  # Ones for the smallest stages, taken from the largest.
        shared[shared.index(max(shared))] -= 1
    return tuple(
        stage.model_copy(
            update={
                "epochs": share,
                "warmup_epochs": stage.warmup_epochs * share // max(stage.epochs, 1),
            }
        )
        for stage, share in zip(stages, shared, strict=True)
    )


def _apply(table: dict[str, Any], override: str) -> None:
    """Set one dotted key; tables on the way are made where a preset has left them out."""
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise PresetError(f"change {override!r}: expected KEY=VALUE, such as stages.0.epochs=10")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.split(".")
    place: Any = table
    for step in path:
        if isinstance(place, list):
            if not step.isdigit() or int(step) >= len(place):
                raise PresetError(
                    f"change of {key}: {step!r} is not one of the {len(place)} entries"
                )
            place = place[int(step)]
        else:
            place = place.setdefault(step, {})
        if not isinstance(place, dict | list):
            raise PresetError(f"change of {key}: {step!r} is not a table")
    if not isinstance(place, dict):
        raise PresetError(f"change of {key}: names a list, not a field in it")
    place[last] = value


def _explain(error: ValidationError) -> str:
    """The first error of a validation, with its path and the nearest known key for an unknown."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"{path}: no such field{_nearest(path.split('.')[-1], list(_field_names(error)))}"
    seen = f" (seen: {first['input']!r})" if first["type"] != "missing" else ""
    return f"{path + ': ' if path else ''}{message}{seen}"


def _field_names(error: ValidationError) -> Iterator[str]:
    """Fields of the model that a validation error is about, and of the models in its fields."""
    pending = [c for c in _all_configs(Config) if c.__name__ == error.title]
    while pending:
        model = pending.pop()
        for name, field in model.model_fields.items():
            yield name
            if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
                pending.append(field.annotation)


def _all_configs(base: type[Config]) -> Iterator[type[Config]]:
    for child in base.__subclasses__():
        yield child
        yield from _all_configs(child)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if len(known) <= MOST_LISTED else ""
