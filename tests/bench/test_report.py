"""What is made of stored points: curves, averages, tables, files."""

import csv
import json
import math

import pytest
from bench_helpers import curve, record

from nvcodec.bench.curves import compare, measured_curves
from nvcodec.bench.report import bd_table, markdown, speed_table, write_report
from nvcodec.bench.results import NAME, Results, read_records
from nvcodec.errors import OutputError, PresetError, ToolMissingError, VideoError
from page_helpers import assert_whole


@pytest.fixture
def records():
    return [r for s in ("one", "two") for c, g in (("x265", 1), ("nvc", 2)) for r in curve(s, c, g)]


def test_curves_and_their_average(records):
    curves = measured_curves(records)
    assert [(c.sequence, c.codec) for c in curves] == [
        ("one", "x265"), ("one", "nvc"), ("two", "x265"), ("two", "nvc"),
        ("average", "x265"), ("average", "nvc"),
    ]  # fmt: skip
    average = curves[4]
    assert average.values("psnr_rgb_db") == curves[0].values("psnr_rgb_db")
    assert average.points[0].quality["ms_ssim_rgb"] == pytest.approx(15.23, abs=0.01)  # dB
    assert "ms_ssim_y" not in average.points[0].quality


def test_ms_ssim_is_averaged_before_the_logarithm(records):
    for number, stored in enumerate(records):
        stored["quality"]["ms_ssim_rgb"] = 0.99 if number < 8 else 0.92
    average = measured_curves(records)[4]
    mean_db = -10 * math.log10(1 - (0.99 + 0.92) / 2)
    assert average.points[0].quality["ms_ssim_rgb"] == pytest.approx(mean_db)


def test_of_two_clips_of_one_name_the_last_counts(records):
    records[-1]["input_digest"] = "another"
    curves = measured_curves(records)
    assert [len(c.points) for c in curves if c.sequence == "one"] == [4, 4]
    assert [(c.codec, len(c.points)) for c in curves if c.sequence == "two"] == [("nvc", 1)]


def test_an_average_needs_the_point_on_every_sequence(records):
    curves = measured_curves(records[1:])  # one point of x265 is missing on the first sequence
    average = next(c for c in curves if (c.sequence, c.codec) == ("average", "x265"))
    assert len(average.points) == 3
    lone = [*records, *curve("one", "svt")]
    assert not [c for c in measured_curves(lone) if (c.sequence, c.codec) == ("average", "svt")]


def test_bd_rates_against_an_anchor(records):
    table = bd_table(compare(measured_curves(records), "x265"), "psnr_rgb_db")
    assert table == [
        ["codec", "one", "two", "average", "mean"],
        ["nvc", "+100.0 %", "+100.0 %", "+100.0 %", "+100.0 %"],
    ]


def test_no_overlap_is_said(records):
    worse = [record("one", "bad", f"q {n}", 0.01 * (n + 1), gain=100) for n in range(3)]
    table = bd_table(compare(measured_curves([*records, *worse]), "x265"), "psnr_rgb_db")
    assert table[2] == ["bad", "no overlap", "", "", ""]


def test_speed_table(records):
    table = speed_table([*records, record("one", "nvc", "big", 1.0, parameters=2000)])
    assert table[2][:3] == ["nvc", "9", "4"]
    assert table[2][6] == "2,000"


def test_a_report_is_written_whole(records, tmp_path):
    results = Results(tmp_path)
    for line in [*records, {**record(point="bad"), "status": "failed", "error": "it\nbroke"}]:
        results.append(line)
    results.close()
    published = tmp_path / "printed.json"
    point = {"rate_bpp": 0.1, "psnr_rgb_db": 33.0}
    printed = {"codec": "Theirs", "sequence": "one", "source": "A paper", "points": [point]}
    published.write_text(json.dumps({"title": "x", "curves": [printed]}))
    written = write_report(tmp_path, [published], None)
    names = {path.name for path in written}
    assert {"index.html", "report.md", "points.csv", "bd_rate.csv", "tables.tex"} < names
    assert {"rd_one_psnr_rgb_db.png", "rd_average_vmaf.svg"} < names
    assert all(path.stat().st_size > 100 for path in written)
    rows = list(csv.reader((tmp_path / "report" / "points.csv").open()))
    assert len(rows) == 1 + len(records)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| nvc | +100.0 % |" in text
    assert "it broke" in text
    assert "A paper" in text
    assert "nvc & +100.0 \\% &" in (tmp_path / "report" / "tables.tex").read_text()
    page = (tmp_path / "report" / "index.html").read_text()
    assert '"codec":"Theirs"' in page
    assert_whole(page)


def test_what_cannot_be_reported(records, tmp_path):
    with pytest.raises(VideoError, match="cannot be read"):
        write_report(tmp_path, [], None)
    (tmp_path / NAME).write_text("")
    with pytest.raises(PresetError, match="no finished point"):
        write_report(tmp_path, [], None)
    (tmp_path / NAME).write_text(json.dumps(records[0]) + "\n")
    with pytest.raises(PresetError, match="anchor 'x266' has no points; allowed are x265"):
        write_report(tmp_path, [], "x266")
    (tmp_path / "bad.json").write_text('{"title": "x", "curves": [{"codec": "y"}]}')
    with pytest.raises(PresetError, match=r"bad.json: curves\.0\.source"):
        write_report(tmp_path, [tmp_path / "bad.json"], None)


@pytest.mark.parametrize("package", ["matplotlib", "bjontegaard"])
def test_a_missing_package_is_named(records, tmp_path, monkeypatch, package):
    (tmp_path / NAME).write_text("".join(json.dumps(r) + "\n" for r in records))
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(
        ToolMissingError, match=rf"{package}: not installed.*pip install {package}$"
    ):
        write_report(tmp_path, [], None)


def test_results_survive_a_line_that_was_cut_off(tmp_path, records):
    (tmp_path / NAME).write_text(json.dumps(records[0]) + '\n{"key": "cut')
    results = Results(tmp_path)
    results.append(records[1])
    with pytest.raises(OutputError, match="another process is writing"):
        Results(tmp_path)
    results.close()
    assert read_records([tmp_path / NAME]) == records[:2]


def test_results_that_were_replaced_while_open(tmp_path, records):
    results = Results(tmp_path)
    results.append(records[0])
    (tmp_path / "other").write_bytes((tmp_path / NAME).read_bytes())
    (tmp_path / "other").replace(tmp_path / NAME)
    results.append(records[1])
    results.close()
    assert read_records([tmp_path / NAME]) == records[:2]


def test_the_last_line_of_a_point_counts(tmp_path, records):
    failed = {**records[0], "status": "failed", "error": "disk"}
    (tmp_path / NAME).write_text(json.dumps(failed) + "\n" + json.dumps(records[0]) + "\n")
    assert read_records([tmp_path / NAME]) == [records[0]]


def test_markdown_says_how_it_was_measured(records):
    curves = measured_curves(records)
    text = markdown(records, curves, compare(curves, "x265"), "x265")
    for word in ("Akima", "another process", "BT.601", "two cores", "nvcodec 0", "x265 q 0"):
        assert word in text
