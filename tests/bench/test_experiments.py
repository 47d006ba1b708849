"""Experiments: every one in the repository can be run, and a file's mistakes are said."""

import pytest
from bench_helpers import curve, record

from codec_helpers import ROOT
from nvcodec.bench.curves import AXES, beside, cost_at, measured_curves, quality_at
from nvcodec.bench.experiments import read_experiment
from nvcodec.bench.points import nvc_coders
from nvcodec.errors import PresetError

FOLDER = ROOT / "benchmarks" / "experiments"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_names_presets_and_options_that_are_there(path):
    found = read_experiment(path)
    coders = list(nvc_coders(found.presets, [], found.lmbdas, "cpu", found.epochs))
    assert len(coders) >= len(found.presets) >= 1
    assert len(found.presets) + len(found.baselines) >= 2  # a comparison
    curves = {coder.codec for coder in coders} | set(found.baselines)
    assert found.anchor in curves
    assert found.description


def test_epochs_go_to_presets_that_name_none():
    texts = ["a=hinerv-tiny", "b=hinerv-tiny --epochs 9"]
    points = [coder.point for coder in nvc_coders(texts, [], [], "cpu", 5)]
    assert points == ["hinerv-tiny --epochs 5", "hinerv-tiny --epochs 9"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("presets = 3", "presets: "),
        ("preset = []", "preset: Extra inputs"),
        ("axis = 'time'", "axis: "),
        ("presets", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, said):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(PresetError, match=said):
        read_experiment(path)
    with pytest.raises(PresetError, match="cannot be read"):
        read_experiment(tmp_path / "none.toml")


def test_preset_files_lie_beside_the_experiment(tmp_path):
    path = tmp_path / "e.toml"
    path.write_text('presets = ["a=own.toml --epochs 3", "hinerv-tiny"]')
    assert read_experiment(path).presets == (f"a={tmp_path}/own.toml --epochs 3", "hinerv-tiny")


def test_between_points_the_logarithm_of_cost_is_linear():
    front = [(1.0, 30.0), (4.0, 34.0)]
    assert cost_at(front, 32.0) == pytest.approx(2.0)
    assert quality_at(front, 2.0) == pytest.approx(32.0)
    assert cost_at(front, 34.5) is None
    assert quality_at(front, 0.5) is None


def test_points_beside_the_anchor():
    """A codec of gain 2 needs half the rate: half the cost at equal quality, 6 dB at equal cost."""
    curves = measured_curves([*curve("clip", "x265"), *curve("clip", "ours", gain=0.5)])
    found = [b for b in beside(curves, "x265", "psnr_rgb_db") if b.anchor_quality is not None]
    assert len(found) == 3
    for one in found:
        quality = one.point.quality["psnr_rgb_db"]
        assert quality - one.anchor_quality == pytest.approx(6.0)
        if one.anchor_cost is not None:
            assert one.point.cost / one.anchor_cost == pytest.approx(0.5)


def test_over_seconds_a_fitting_counts_without_loading():
    cost = AXES["seconds"].cost
    assert cost(record()) == 2.0
    assert cost(record(fit_s=1.5)) == 1.5
