"""Presets: every one of ours loads, and what is wrong is said with its path."""

import re

import pytest

from codec_helpers import TESTS, TINY, TINY_NVRC, TINY_RAW, python
from nvcodec.errors import PresetError
from nvcodec.fitting.configs import load_stage_config
from nvcodec.presets import Preset, load_preset, preset_names, share_epochs

OURS = sorted(str(path) for path in (TESTS / "presets").glob("*.toml"))


@pytest.mark.parametrize("name", [*preset_names(), *OURS])
def test_every_preset_is_written_out_in_full(name):
    preset = load_preset(name)
    assert preset.stages
    for stage in preset.tables()["stages"]:
        assert {"kind", "epochs", "learning_rate_scale"} <= set(stage)
    again = Preset.model_validate(dict(preset))
    assert again == preset
    if name not in OURS:
        assert preset.name == name


def test_overrides_come_last():
    preset = load_preset(TINY, ["stages.0.epochs=17", "scheme.bits=5", "fitting.batch_size=2"])
    assert preset.stages[0].epochs == 17
    assert preset.scheme.bits == 5
    assert preset.fitting.batch_size == 2
    assert load_preset(TINY).stages[0].epochs != 17


def test_a_word_is_a_string_and_a_missing_table_is_made():
    preset = load_preset(TINY_RAW, ["fitting.optimizer.kind=muon", "fitting.loss.l2=0.5"])
    assert preset.fitting.optimizer.kind == "muon"
    assert preset.fitting.loss.l2 == 0.5


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scheme.bitz=5"], r"scheme: bitz: no such field; did you mean 'bits'\?"),
        (["fitting.optimizer.momentun=1"], r"fitting: .*momentun: .*'momentum'"),
        (["representation.kind=nope"], r"representation: .*nope.*known: .*hinerv"),
        (["representation.channels=0"], r"representation: channels: .*\(seen: 0\)"),
        (["stages.0.kind=fitt"], r"stages.0: kind 'fitt' is unknown; did you mean 'fit'\?"),
        (["stages.9.epochs=1"], r"'9' is not one of the 3 entries"),
        (["stages=1"], r"stages: "),
        (["name.x=1"], r"'name' is not a table"),
        (["nonsense"], r"expected KEY=VALUE"),
        (["nope.x=1"], r"nope: no such field"),
        (["scheme.kind=huffmann"], r"scheme: kind 'huffmann' is unknown; did you mean 'huffman'\?"),
        (["scheme.bits=x"], r"scheme: bits: .*\(seen: 'x'\)"),
    ],
)
def test_what_is_wrong_is_named_before_torch_is_needed(overrides, message):
    with pytest.raises(PresetError, match=message):
        load_preset(TINY, overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.0.epoch=3", r"stages.0: epoch: no such field; did you mean 'epochs'\?"),
        ("stages.1.ratio=1.5", r"stages.1: ratio: .*\(seen: 1.5\)"),
    ],
)
def test_fields_of_stages_are_checked(override, message):
    with pytest.raises(PresetError, match=message):
        load_preset(TINY, [override])


def test_names_and_files_that_are_not_there():
    with pytest.raises(PresetError, match=r"'hinerv-mimi' is unknown; did you mean 'hinerv-mini'"):
        load_preset("hinerv-mimi")
    with pytest.raises(PresetError, match=r"preset no/such.toml: cannot be read"):
        load_preset("no/such.toml")
    with pytest.raises(PresetError, match=r"'../pyproject' is unknown"):
        load_preset("../pyproject")


def test_broken_toml(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("name = [")
    with pytest.raises(PresetError, match=r"broken.toml: "):
        load_preset(str(path))


def fit(epochs, **more):
    return load_stage_config({"kind": "fit", "epochs": epochs, **more})


def test_epochs_are_shared_in_proportion_with_their_warm_up():
    stages = [fit(60, warmup_epochs=6), fit(12), fit(8)]
    shared = share_epochs(stages, 20)
    assert [stage.epochs for stage in shared] == [15, 3, 2]
    assert [stage.warmup_epochs for stage in shared] == [1, 0, 0]
    for total in (3, 4, 80, 1000):
        shares = [stage.epochs for stage in share_epochs(stages, total)]
        assert sum(shares) == total
        assert min(shares) >= 1
    with pytest.raises(PresetError, match=r"at least 3, one a stage"):
        share_epochs(stages, 2)


@pytest.mark.parametrize("before", [(1, 1, 390), (390, 1, 1), (1, 2, 1), (5, 5, 5), (0, 0, 9)])
def test_the_shortest_stages_keep_an_epoch(before):
    for total in range(3, 20):
        shares = [stage.epochs for stage in share_epochs([fit(n) for n in before], total)]
        assert sum(shares) == total
        assert min(shares) >= 1


def test_a_stage_that_needs_another_scheme():
    scheme = ["scheme={kind='arithmetic', bits=6}"]
    with pytest.raises(PresetError, match=r"stages.1: kind rate_distortion .*needs hierarchical"):
        load_preset(TINY_NVRC, scheme)


FAMILIES = ("hinerv", "nvrc", "nerv", "paper/hinerv-bunny", "paper/hinerv-uvg", "paper/nvrc-uvg")
OF_SIZE = {"representation", "name", "description", "lmbdas", "lmbda"}
"""Fields in which the presets of a family may differ, because of their size."""


@pytest.mark.parametrize("family", FAMILIES)
def test_presets_of_a_family_share_their_recipe(family):
    sizes = [name for name in preset_names() if re.fullmatch(rf"{family}-(x*s|m|x*l|s\d)", name)]
    recipes = {name: without_size(load_preset(name).tables()) for name in sizes}
    assert len(recipes) >= 3
    first = next(iter(recipes.values()))
    assert {name: recipe for name, recipe in recipes.items() if recipe != first} == {}


def without_size(value):
    if isinstance(value, dict):
        return {k: without_size(v) for k, v in value.items() if k not in OF_SIZE}
    return [without_size(v) for v in value] if isinstance(value, list) else value


def test_bits_of_the_scheme_are_those_of_the_noise():
    """Noise is made with the scheme's quantizer, so the two cannot disagree."""
    preset = load_preset(TINY, ["scheme.bits=8"])
    noise = next(stage for stage in preset.stages if stage.kind == "quant_noise")
    assert not {"bits", "quant_scale_mantissa_bits"} & set(type(noise).model_fields)
    with pytest.raises(PresetError, match=r"stages.2: bits: no such field"):
        load_preset(TINY, ["stages.2.bits=8"])


def test_a_preset_loads_no_torch():
    script = (
        "import sys\nfrom nvcodec.presets import load_preset, preset_names\n"
        "for name in preset_names(): load_preset(name)\nprint('torch' in sys.modules)"
    )
    assert python(script).strip() == "False"
