"""Presets: a whole pipeline in one TOML file, read alone.

    [representation]  what is fitted          [fitting]  how: optimizer, loss, batches
    [[stages]]        in which phases         [scheme]   how it becomes bytes

`read_preset` gives the bare tables without loading torch; `load_preset` validates them. Precedence of settings:
defaults, preset, `--set`.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from nvcodec.errors import PresetError
from nvcodec.representations import load_config
from nvcodec.representations._config import RepresentationConfig
from nvcodec.settings import Settings

DEFAULT_PRESET = "hinerv-mini"


def presets_folder() -> Path:
    """Where the presets lie: package data in an installed wheel, the top-level folder in a checkout."""
    package = Path(__file__).parent
    installed = package / "presets_data"
    return installed if installed.is_dir() else package.parents[1] / "presets"


def preset_names() -> list[str]:
    """Names of all presets, those of the papers as `paper/NAME`."""
    folder = presets_folder()
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.toml"))


class Preset(Settings):
    """A validated pipeline; representation, stages and scheme keep their tables in resolved form."""

    name: str = Field(description="as users write it")
    description: str = Field("", description="one line for the table of presets")
    representation: dict[str, Any]
    fitting: dict[str, Any] = {}
    stages: tuple[dict[str, Any], ...]
    scheme: dict[str, Any]

    @property
    def representation_config(self) -> RepresentationConfig:
        """Settings of the representation."""
        return load_config(self.representation)


def preset_text(name: str) -> str:
    """The TOML of a preset, by its name or by the path of a `.toml` file.

    Raises:
        PresetError: there is none.
    """
    path = Path(name) if name.endswith(".toml") else presets_folder() / f"{name}.toml"
    known = preset_names()
    if not name.endswith(".toml") and name not in known:
        raise PresetError(f"preset {name!r} is unknown{_nearest(name, known)}; `nvc presets` lists them")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"preset {name}: cannot be read: {error}") from error


def read_preset(name: str, overrides: Sequence[str] = ()) -> Preset:
    """The tables of a preset with `KEY=VALUE` overrides applied; their fields are not validated yet.

    Raises:
        PresetError: unknown preset, broken TOML, or an override of a key that no table has.
    """
    try:
        table = tomllib.loads(preset_text(name))
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"preset {name}: {error}") from error
    for override in overrides:
        _apply(table, override)
    try:
        return Preset.model_validate(table)
    except ValidationError as error:
        raise PresetError(f"preset {name}: {_explain(error, table)}") from error


def load_preset(name: str, overrides: Sequence[str] = (), epochs: int | None = None) -> Preset:
    """A preset in which every field is known, in range and written out.

    Args:
        name: of a preset, or the path of a TOML file.
        overrides: `KEY=VALUE` with dotted keys (`stages.0.epochs=10`); values are TOML, bare words are strings.
        epochs: passes over the frames in all, shared out among the stages in the preset's proportion.

    Raises:
        PresetError: anything that cannot be used, with its path and the nearest known name.
    """
    from nvcodec.coding.schemes import load_scheme
    from nvcodec.fitting.settings import FittingConfig
    from nvcodec.fitting.stages import load_stage

    preset = read_preset(name, overrides)
    stages = share_epochs(preset.stages, epochs) if epochs is not None else preset.stages
    resolved: dict[str, Any] = {}
    parts: list[tuple[str, Any, Mapping[str, Any]]] = [
        ("representation", load_config, preset.representation),
        ("fitting", FittingConfig.model_validate, preset.fitting),
        ("scheme", lambda t: load_scheme(t).config, preset.scheme),
        *((f"stages.{i}", lambda t: load_stage(t).config, stage) for i, stage in enumerate(stages)),
    ]
    for path, load, table in parts:
        try:
            resolved[path] = load(table).model_dump(mode="json", exclude_none=True)
        except ValidationError as error:
            raise PresetError(f"preset {name}, {path}: {_explain(error, table)}") from error
        except KeyError as error:
            raise PresetError(f"preset {name}, {path}: {error.args[0]}") from error
    return preset.model_copy(
        update={
            **{key: resolved[key] for key in ("representation", "fitting", "scheme")},
            "stages": tuple(resolved[f"stages.{i}"] for i in range(len(stages))),
        }
    )


def share_epochs(stages: Sequence[Mapping[str, Any]], epochs: int) -> tuple[dict[str, Any], ...]:
    """Stages scaled so that their epochs sum to `epochs`, at least one each; warm-ups are scaled too."""
    total = sum(int(stage.get("epochs", 0)) for stage in stages)
    if epochs < len(stages) or total < 1:
        raise PresetError(f"epochs {epochs}: at least {len(stages)}, one a stage")
    shared = [max(1, int(stage.get("epochs", 0)) * epochs // total) for stage in stages]
    shared[0] += epochs - sum(shared)
    scaled = []
    for stage, share in zip(stages, shared, strict=True):
        warmup = int(stage.get("warmup_epochs", 0)) * share // max(int(stage.get("epochs", 0)), 1)
        scaled.append({**stage, "epochs": share, **({"warmup_epochs": warmup} if warmup else {"warmup_epochs": 0})})
    return tuple(scaled)


def _apply(table: dict[str, Any], override: str) -> None:
    """Set one dotted key; tables on the way must exist, save for fields that a preset may leave out."""
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise PresetError(f"--set {override!r}: expected KEY=VALUE, such as stages.0.epochs=10")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.split(".")
    place: Any = table
    for step in path:
        if isinstance(place, list):
            if not step.isdigit() or int(step) >= len(place):
                raise PresetError(f"--set {key}: {step!r} is not one of the {len(place)} entries")
            place = place[int(step)]
        else:
            place = place.setdefault(step, {})
        if not isinstance(place, dict | list):
            raise PresetError(f"--set {key}: {step!r} is not a table")
    if not isinstance(place, dict):
        raise PresetError(f"--set {key}: names a list, not a field in it")
    place[last] = value


def _explain(error: ValidationError, table: Mapping[str, Any]) -> str:
    """The first error of a validation, with its path and, for an unknown key, the nearest known one."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"{path}: no such field{_nearest(path.split('.')[-1], list(_field_names(error)))}"
    seen = f" (seen: {first['input']!r})" if first["type"] != "missing" else ""
    return f"{path + ': ' if path else ''}{message}{seen}"


def _field_names(error: ValidationError) -> Iterator[str]:
    """Fields of the model that a validation error is about, and of the models in its fields."""
    pending: list[type[Settings]] = [c for c in _all_settings(Settings) if c.__name__ == error.title]
    while pending:
        model = pending.pop()
        for name, field in model.model_fields.items():
            yield name
            if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
                pending.append(field.annotation)


def _all_settings(base: type[Settings]) -> Iterator[type[Settings]]:
    for child in base.__subclasses__():
        yield child
        yield from _all_settings(child)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
