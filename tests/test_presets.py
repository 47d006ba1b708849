"""Presets: every one of ours loads, and what is wrong is said with its path."""

import pytest

from codec_helpers import TESTS, TINY, TINY_NVRC, TINY_RAW
from nvcodec.errors import PresetError
from nvcodec.presets import load_preset, preset_names, read_preset, share_epochs

OURS = sorted(str(path) for path in (TESTS / "presets").glob("*.toml"))


@pytest.mark.parametrize("name", [*preset_names(), *OURS])
def test_every_preset_is_written_out_in_full(name):
    preset = load_preset(name)
    assert preset.stages
    for stage in preset.stages:
        assert {"kind", "epochs", "learning_rate_scale"} <= set(stage)
    assert "optimizer" in preset.fitting
    assert preset.representation_config.kind == preset.representation["kind"]
    if name not in OURS:
        assert preset.name == name


def test_overrides_come_last():
    preset = load_preset(TINY, ["stages.0.epochs=17", "scheme.bits=5", "fitting.batch_size=2"])
    assert preset.stages[0]["epochs"] == 17
    assert preset.scheme["bits"] == 5
    assert preset.fitting["batch_size"] == 2
    assert load_preset(TINY).stages[0]["epochs"] != 17


def test_a_word_is_a_string_and_a_missing_table_is_made():
    preset = load_preset(TINY_RAW, ["fitting.optimizer.kind=muon", "fitting.loss.l2=0.5"])
    assert preset.fitting["optimizer"]["kind"] == "muon"
    assert preset.fitting["loss"]["l2"] == 0.5


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
        (["scheme.kind=huffmann"], r"scheme: .*huffmann.*known names: .*arithmetic"),
        (["scheme.bits=x"], r"scheme: bits: .*\(seen: 'x'\)"),
    ],
)
def test_what_is_wrong_is_named_before_torch_is_needed(overrides, message):
    with pytest.raises(PresetError, match=message):
        read_preset(TINY, overrides)


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
        read_preset("hinerv-mimi")
    with pytest.raises(PresetError, match=r"preset no/such.toml: cannot be read"):
        read_preset("no/such.toml")
    with pytest.raises(PresetError, match=r"'../pyproject' is unknown"):
        read_preset("../pyproject")


def test_broken_toml(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("name = [")
    with pytest.raises(PresetError, match=r"broken.toml: "):
        read_preset(str(path))


def test_epochs_are_shared_in_proportion_with_their_warm_up():
    stages = [{"epochs": 60, "warmup_epochs": 6}, {"epochs": 12}, {"epochs": 8}]
    shared = share_epochs(stages, 20)
    assert [s["epochs"] for s in shared] == [15, 3, 2]
    assert shared[0]["warmup_epochs"] == 1
    assert "warmup_epochs" not in shared[1]
    for total in (3, 4, 80, 1000):
        shares = [s["epochs"] for s in share_epochs(stages, total)]
        assert sum(shares) == total
        assert min(shares) >= 1
    with pytest.raises(PresetError, match=r"at least 3, one a stage"):
        share_epochs(stages, 2)


@pytest.mark.parametrize("before", [(1, 1, 390), (390, 1, 1), (1, 2, 1), (5, 5, 5), (0, 0, 9)])
def test_the_shortest_stages_keep_an_epoch(before):
    for total in range(3, 20):
        shares = [s["epochs"] for s in share_epochs([{"epochs": n} for n in before], total)]
        assert sum(shares) == total
        assert min(shares) >= 1


def test_a_stage_that_needs_another_scheme():
    scheme = ["scheme={kind='arithmetic', bits=6}"]
    with pytest.raises(PresetError, match=r"stages.1: kind rate_distortion .*needs hierarchical"):
        load_preset(TINY_NVRC, scheme)
