"""Presets and baselines as points, and the commands that they run."""

import pytest

from codec_helpers import TINY, TINY_NVRC, write_y4m
from nvcodec.bench.baselines import baseline_names, load_baseline
from nvcodec.bench.datasets import SequenceOptions, VideoSequence, survey
from nvcodec.bench.points import Source, baseline_coders, family, nvc_coders
from nvcodec.errors import PresetError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = write_y4m(tmp_path_factory.mktemp("points") / "clip.y4m")
    clip = VideoSequence("clip", path, SequenceOptions(slice(0, 4)))
    return Source(clip, survey(clip), path)


def test_the_baselines():
    assert baseline_names() == ["aom", "svt-av1", "vvenc", "x264", "x265"]
    with pytest.raises(PresetError, match="allowed are aom, svt-av1, vvenc, x264, x265"):
        load_baseline("svt_av1")


@pytest.mark.parametrize(
    ("name", "one_intra", "each_second"),
    [
        ("aom", "-g 9999", "-g 25"),
        ("svt-av1", "-g 9999", "-g 25"),
        ("vvenc", "-g 9984", "-g 32"),
        ("x264", "-g 9999", "-g 25"),
        ("x265", "keyint=-1:", "keyint=25:"),
    ],
)
def test_intra_periods(source, name, one_intra, each_second):
    for is_each_second, expected in ((False, one_intra), (True, each_second)):
        first, *_ = baseline_coders([name], {}, {}, is_intra_each_second=is_each_second)
        assert expected in first.shown(source)


def test_rates_and_speeds_of_a_baseline(source):
    coders = list(baseline_coders(["x265", "vvenc"], {"x265": [30]}, {"vvenc": "slow"}))
    assert [(c.codec, c.point) for c in coders[:2]] == [
        ("x265", "crf 30"),
        ("vvenc slow", "qp 24"),
    ]
    assert coders[0].shown(source) == (
        "ffmpeg -nostdin -hide_banner -v error -y -i file:clip.y4m -c:v libx265 -preset veryslow "
        "-tune psnr -crf 30 -x265-params info=0:keyint=-1:frame-threads=1:log-level=error "
        "-f hevc file:out.hevc"
    )
    assert "-preset slow -qpa 0" in coders[1].shown(source)


@pytest.mark.parametrize(
    ("rates", "speeds", "said"),
    [
        ({"x265": [52]}, {}, "x265: crf 52; allowed are 0 to 51"),
        ({"x264": [20]}, {}, "x264: is not among the baselines x265"),
        ({}, {"aom": "2"}, "aom: is not among the baselines x265"),
    ],
)
def test_what_a_baseline_does_not_have(rates, speeds, said):
    with pytest.raises(PresetError, match=said):
        list(baseline_coders(["x265"], rates, speeds))


def test_a_preset_with_options_of_its_own(source):
    text = f"mine={TINY} --set stages.0.epochs=3"
    (coder,) = nvc_coders([text], ["--seed", "7"], [], "cpu")
    assert (coder.codec, coder.suffix) == ("mine", ".nvc")
    assert coder.preset.stages[0].epochs == 3
    assert coder.shown(source) == (
        "nvc encode clip.y4m -o out.nvc -p tiny.toml --set stages.0.epochs=3 --seed 7 --no-verify "
        "--no-audio --json -y --frames 0:4 --device cpu"
    )
    assert coder.point == "tiny.toml --set stages.0.epochs=3 --seed 7"
    assert '"epochs":3' in coder.identity()
    assert coder.guess_s(source.seen) > 0


@pytest.mark.parametrize("lmbda", ["--lmbda 5", "--lmbda=5"])
def test_an_own_lmbda_stays_alone(lmbda):
    (coder,) = nvc_coders([f"{TINY_NVRC} {lmbda}"], ["--seed=3"], [10, 20], "auto")
    assert coder.preset.stages[-1].lmbda == 5
    assert coder.words[1:] == (*lmbda.split(), "--seed=3")


def test_lmbdas_go_to_presets_that_have_one():
    coders = list(nvc_coders([TINY, TINY_NVRC, f"{TINY_NVRC} --lmbda 5"], [], [10, 20], "auto"))
    points = [coder.point.split(" ", 1)[1:] for coder in coders]
    assert points == [[], ["--lmbda 10"], ["--lmbda 20"], ["--lmbda 5"]]
    assert coders[1].codec == "tiny-nvrc"


def test_a_preset_may_name_its_own_lmbdas():
    coders = list(nvc_coders(["paper/nvrc-uvg-s2"], [], [], "auto"))
    assert [coder.point.split()[-1] for coder in coders] == ["1", "2"]


def test_the_family_of_a_preset():
    families = {
        "hinerv-tiny": "hinerv",
        "hinerv-xxl": "hinerv",
        "nvrc-s4": "nvrc",
        "paper/hinerv-uvg-s": "paper/hinerv-uvg",
        "coin-mlp": "coin-mlp",
        "folder/own-m.toml": "own",
    }
    assert {name: family(name) for name in families} == families


def test_presets_that_cannot_be_used():
    for text, said in (
        ("hinervtiny", "did you mean"),
        ("hinerv-tiny --epochs many", "options of a preset"),
        ("hinerv-tiny --set scheme.bitz=3", "did you mean 'bits'"),
    ):
        with pytest.raises(PresetError, match=said):
            list(nvc_coders([text], [], [], "auto"))
