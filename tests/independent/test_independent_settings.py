"""The second decoder reads the settings that the package writes, and finds the same tensors."""

import pytest

from independent import container, hierarchical, latents_scheme
from independent.decoder import FAMILIES, SCHEMES
from nvcodec import registry
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.header import Head
from nvcodec.presets import load_preset, preset_names
from nvcodec.representations import CONFIGS
from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import Samples


def test_defaults():
    """What HEAD may leave out; the settings of each kind are those that its module reads."""
    fields = {
        name: Head.model_fields[name] for name in Head.model_fields if not name.endswith("_version")
    }
    assert fields.keys() == container.DEFAULTS.keys() | container.REQUIRED
    head = Head(width=1, height=1, representation={"kind": "a"}, scheme={"kind": "a"})
    stated = head.model_dump(mode="json")
    assert {name: stated[name] for name in container.DEFAULTS} == container.DEFAULTS
    assert list(FAMILIES) == registry.names("nvcodec.representations.families")
    assert list(SCHEMES) == registry.names("nvcodec.coding.schemes")
    for kind, family in FAMILIES.items():
        config = registry.load(CONFIGS, kind, RepresentationConfig)
        check_defaults(getattr(family, "DEFAULTS", {}), config)
    for scheme in (hierarchical, latents_scheme):
        kind = scheme.__name__.rpartition(".")[2].partition("_")[0]
        check_defaults(scheme.DEFAULTS, load_scheme({"kind": kind}).Config)


def check_defaults(defaults, config) -> None:
    for name, value in defaults.items():
        found = config.model_fields[name].default
        assert (list(found) if isinstance(found, tuple) else found) == value, name


@pytest.mark.parametrize("name", preset_names())
def test_tensors_of_presets(name):
    config = load_preset(name).representation
    for size, samples in (((180, 320), Samples.RGB), ((719, 1283), Samples.PACKED420)):
        shape = samples.shape(1 if getattr(config, "axes", "") == "yx" else 7, *size)
        settings = config.resolve(*shape[1:3]).model_dump(mode="json", exclude_none=True)
        stated = [(s.name, s.shape, str(s.role)) for s in config.tensors(shape)]
        found = FAMILIES[config.kind].tensors(settings, shape)
        assert [(s.name, s.shape, s.role) for s in found] == stated
