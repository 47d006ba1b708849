"""Where each family wins: which cases there are, and what is made of their points."""

from pathlib import Path

import pytest
from bench_helpers import curve

from codec_helpers import ROOT, moving_frames, video_info, write_video
from nvcodec.bench.datasets import SequenceOptions, VideoSequence, load_dataset
from nvcodec.bench.points import NvcCoder


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import where_it_wins

    return where_it_wins


def points(clip, codec, gain, *, budget_s=None, num_frames=16, steps=48, motion=0.3):
    """A curve of a case; without a budget, of a baseline."""
    words = "" if budget_s is None else f" --max-time {budget_s}s"
    more = {"width": 176, "height": 144, "num_frames": num_frames, "motion": motion}
    label, kind = f"{clip} 0:{num_frames} 176x144", "baseline" if budget_s is None else "nvc"
    return [
        {**one, **more, "point": one["point"] + words, "steps": steps, "kind": kind}
        for one in curve(label, codec, gain)
    ]


def test_sizes_fit_into_boxes_and_are_not_enlarged(script):
    assert script.sizes(176, 144) == [(176, 144)]
    assert script.sizes(1280, 720) == [(176, 100), (320, 180), (640, 360)]
    assert script.sizes(640, 272) == [(176, 74), (320, 136), (640, 272)]
    assert script.sizes(416, 240) == [(176, 102), (312, 180), (416, 240)]


def test_cases_that_a_clip_is_too_short_for_are_left_out(script, tmp_path):
    info = video_info(352, 288)
    path = write_video(tmp_path / "clip.y4m", info, moving_frames(info, 1) * 20)
    clip = VideoSequence("clip", path, SequenceOptions())
    labels = [case.label for case in script.cases(clip, (16, 48))]
    assert labels == ["clip 0:16 176x144", "clip 0:16 220x180", "clip 0:16"]


def test_every_family_has_points_at_equal_time(script):
    coders = script.coders(60, "cpu")
    for family in script.FAMILIES:
        own = [coder for coder in coders if coder.codec == family]
        assert len(own) == 3
        assert all(script.BUDGET.search(coder.point)[1] == "60" for coder in own)
    baselines = [coder for coder in coders if not isinstance(coder, NvcCoder)]
    assert {coder.codec for coder in baselines} == set(script.ANCHORS)
    assert Path(script.EMBEDDED).exists()
    assert "bbb" in {known.name for known in load_dataset("motion").sequences}


def test_the_table_has_a_row_for_each_case_and_budget(script):
    records = [
        *points("fast", "x265", 1.0),
        *points("fast", "vvenc", 0.5),
        *points("fast", "latents", 1.5, budget_s=60),
        *points("fast", "latents", 3.0, budget_s=10, steps=8),
        *points("still", "x265", 1.0, motion=0.01, num_frames=48),
        *points("still", "nvrc", 0.4, motion=0.01, num_frames=48, budget_s=60),
        *points("none", "x265", 1.0),
    ]
    rows = [line.strip("| ").split(" | ") for line in script.table(records).splitlines()[2:]]
    assert rows == [
        ["still", "0.01", "176x144", "48", "60", "- / - / -", "-60 % / - / -", "- / - / -", "nvrc"],
        ["fast", "0.30", "176x144", "16", "10", "+200 % / - / +500 % *", "- / - / -", "- / - / -",
         "vvenc"],
        ["fast", "0.30", "176x144", "16", "60", "+50 % / - / +200 %", "- / - / -", "- / - / -",
         "vvenc"],
    ]  # fmt: skip
    assert script.table([]) == "Not measured."


def test_the_plot(script, tmp_path):
    pytest.importorskip("matplotlib")
    records = [*points("fast", "x265", 1.0), *points("fast", "latents", 1.5, budget_s=60)]
    script.draw(records, tmp_path / script.PLOT)
    assert (tmp_path / script.PLOT).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="no finished point"):
        script.draw([], tmp_path / script.PLOT)
