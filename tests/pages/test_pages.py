"""Pages: whole and alone as text, and nothing sticks out in a real browser."""

import itertools
import re

import numpy as np
import pytest

import nvcodec
from browser_helpers import opened
from codec_helpers import TINY, TINY_NERV
from nvcodec.encode_types import SegmentStarted
from nvcodec.errors import InterruptedEncodeError
from nvcodec.pages.chosen import Chosen
from nvcodec.pages.report import CurvePoint, Pair, Table, report_page
from page_helpers import assert_whole, data_of


def picture(seed, height=90, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def comparison():
    """Two clips of 300 frames, one of them measured in part; words that could end a script."""
    waves = [30 + 3 * np.sin(n / 20) for n in range(300)]
    points = [CurvePoint(n % 2, "fit", n, n / 3, 20 + n, 1000 - n, 0.1) for n in range(20)]
    return report_page(
        "a.mp4 and </script><!--b-->.nvc",
        facts=[("a", "a.mp4"), ("PSNR-RGB", "30 dB")],
        warnings=["a </script> in a warning"],
        curve=points,
        curve_note="of this run",
        metrics={"PSNR-RGB (dB)": waves, "MS-SSIM": [None, float("nan"), *([0.9] * 298)]},
        first_frame=100,
        pairs=[Pair("worst: frame 140", 140, picture(0), picture(1), "a.mp4", "b.nvc"),
               Pair("best: frame 220", 220, picture(2), picture(3), "a.mp4", "b.nvc")],
        tables=[Table("Bytes", ("what", "bytes"), [("a", "1"), ("b", "3")], [0.25, 0.75])],
        settings=[("command", "nvc " + "x" * 300)],
        text='{"kind": "hinerv"}',
    )  # fmt: skip


@pytest.fixture
def encoded_page(clip, tmp_path, call):
    """The page of a real encoding."""
    page = tmp_path / "page.html"
    words = ("-p", TINY_NERV, "--segment-frames", 4, "--report", page)
    assert call("encode", clip, "-o", tmp_path / "a.nvc", *words).code == 0
    return page


def test_a_page_is_whole_and_needs_nothing_else():
    assert_whole(comparison())
    assert data_of(comparison())["title"] == "a.mp4 and </script><!--b-->.nvc"


def test_an_encoding_tells_its_story(encoded_page):
    text = encoded_page.read_text(encoding="utf-8")
    assert_whole(text)
    data = data_of(text)
    assert [point["segment"] for point in data["curve"]] == [0, 0, 1, 1]  # each of two stages
    assert len(data["metrics"]["PSNR-RGB (dB)"]) == 8
    (table,) = data["tables"]
    file = encoded_page.with_name("a.nvc")
    assert sum(int(row[1].replace(",", "")) for row in table["rows"]) == file.stat().st_size
    assert sum(table["shares"]) == pytest.approx(1)
    measured = data["metrics"]["PSNR-RGB (dB)"]
    by_name = {
        name: pair for pair in data["pairs"] for name in re.findall(r"worst|best", pair["label"])
    }
    assert measured[by_name["worst"]["frame"]] == min(measured)
    assert measured[by_name["best"]["frame"]] == max(measured)
    assert all("a picture without content has" in text for text in data["warnings"])
    assert len(data["warnings"]) == 2
    assert dict(data["settings"])["maker"].startswith("nvcodec 0.1.0 tiny-nerv #")
    assert data["curveNote"] == ""
    assert '"stages"' in data["text"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_in_a_browser(browser, encoded_page, width, scheme):
    story = encoded_page.with_name("comparison.html")
    story.write_text(comparison(), encoding="utf-8")
    for path in (encoded_page, story):
        with opened(browser, path, width, color_scheme=scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}[scheme]
            for plot in ("#curvePlot", "#framesPlot"):
                labels = [label.bounding_box() for label in page.locator(f"{plot} text.x").all()]
                assert len(labels) >= 2
                for one, other in itertools.pairwise(labels):
                    assert one["x"] + one["width"] < other["x"]
            assert page.locator("#framesPlot .dot.chosen").count() >= 1
            page.wait_for_function("document.getElementById('imageB').naturalWidth > 0")


@pytest.mark.slow
def test_frames_are_chosen_and_compared(browser, tmp_path):
    path = tmp_path / "comparison.html"
    path.write_text(comparison(), encoding="utf-8")
    with opened(browser, path, 1280) as page:
        assert page.title() == "a.mp4 and </script><!--b-->.nvc"
        assert page.locator("#tagA").text_content() == "a.mp4"
        before = page.locator("#imageA").get_attribute("src")
        page.select_option("#pair", "1")
        assert page.locator("#imageA").get_attribute("src") != before
        page.locator("#swap").click()
        assert page.evaluate("document.getElementById('bar').style.left") == "100%"
        page.check("#difference")
        assert "difference" in page.locator("#stage").get_attribute("class")
        page.select_option("#metric", "MS-SSIM")
        assert "mean 0.900" in page.locator("#framesNote").text_content()
        page.select_option("#curveOver", "step")
        assert page.locator("#curvePlot .dot").count() == 20
        with page.expect_download() as table:
            page.locator("#framesCsv").click()
        rows = table.value.path().read_text(encoding="utf-8").splitlines()
        assert rows[1] == '"100","30","", '.replace(" ", "").rstrip(",")
        assert len(rows) == 301


def test_the_worst_the_best_and_the_first_are_kept():
    chosen, made = Chosen(), []

    def pictures(frame):
        made.append(frame)
        return picture(frame), picture(frame + 100)

    for frame, psnr_db in enumerate([30.0, 31.0, 29.0, 29.5, 35.0, 29.0]):
        chosen.add(10 + frame, psnr_db, lambda frame=frame: pictures(frame))
    assert made == [0, 1, 2, 4]  # no others are looked at
    pairs = {pair.frame: pair for pair in chosen.pairs("a", "b")}
    assert [pairs[n].label.split(":")[0] for n in (12, 14, 10)] == ["worst", "best", "first"]
    assert pairs[14].right_label == "b, 35.00 dB"
    np.testing.assert_array_equal(pairs[12].right, picture(102))


def test_after_a_stop_the_page_says_what_it_has_not(clip, tmp_path, call):
    file, page, started = tmp_path / "a.nvc", tmp_path / "page.html", []

    def note(event):
        started.extend([event.number] if isinstance(event, SegmentStarted) else [])

    with pytest.raises(InterruptedEncodeError):
        nvcodec.encode(
            clip, file, TINY, segment_frames=4, on_event=note,
            should_stop=lambda: len(started) > 1,
        )  # fmt: skip
    words = ("-p", TINY, "--segment-frames", 4, "--report", page)
    assert call("encode", clip, "-o", file, *words).code == 0
    data = data_of(page.read_text(encoding="utf-8"))
    assert {point["segment"] for point in data["curve"]} == {1}
    assert "an earlier one measured" in data["curveNote"]
    assert len(data["metrics"]["PSNR-RGB (dB)"]) == 8  # these are in the job
    assert {pair["frame"] for pair in data["pairs"]} <= {4, 5, 6, 7}
    assert call("encode", clip, "-o", file, *words).code == 4  # the page is there
    page.unlink()
    assert call("encode", clip, "-o", file, *words).code == 0  # nothing to do but the page
    data = data_of(page.read_text(encoding="utf-8"))
    assert data["curve"] == []
    assert 0 in {pair["frame"] for pair in data["pairs"]}
