"""The report's page in a real browser: Debian's chromium, driven by playwright."""

import csv
import itertools
import json
import math
import subprocess

import pytest

from browser_helpers import opened
from codec_helpers import ROOT, TINY, environment, nvc_command

pytestmark = pytest.mark.slow
CLIP = ROOT / "benchmarks" / "clips" / "bbb_320x180_48f.mp4"
LEFT_EDGE = "() => document.getElementById('bar').style.left"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of two clips, two baselines and one preset."""
    out = tmp_path_factory.mktemp("page") / "out"
    small = out.parent / "small.y4m"
    subprocess.run(
        nvc_command("bench", CLIP, "--frames", "0:8", "--baselines", "x264,svt-av1",
                    "-p", f"tiny={TINY} --set representation.channels=8", "--out", out, "-q"),
        env=environment(), check=True,
    )  # fmt: skip
    from codec_helpers import write_y4m

    write_y4m(small, 64, 48)
    subprocess.run(
        nvc_command("bench", small, "--baselines", "x264,svt-av1", "--out", out, "-q"),
        env=environment(), check=True,
    )  # fmt: skip
    return out / "report" / "index.html"


@pytest.fixture
def page(browser, report):
    """The page, opened from the file without a network; errors are collected."""
    with opened(browser, report, 1250) as shown:
        yield shown


def dots(page):
    return page.locator("#plot .dot").count()


def test_the_plot_is_drawn_and_its_switches_work(page):
    assert dots(page) == 9  # four of each baseline, one of ours
    assert page.locator("#plot polyline").count() == 3
    place = "() => document.querySelector('#plot .dot').getAttribute('transform')"
    before = page.evaluate(place)
    page.select_option("#scale", "linear")
    assert page.evaluate(place) != before
    page.select_option("#metric", "vmaf")
    assert "VMAF" in page.locator("#plot").text_content()
    assert "VMAF" in page.locator("#anchor").text_content()
    page.select_option("#metric", "decode_frames_per_s")
    assert "decoded frames/s" in page.locator("#plot").text_content()
    assert dots(page) == 9
    assert "PSNR-RGB" in page.locator("#anchor").text_content()
    page.select_option("#metric", "vmaf")
    page.select_option("#sequence", "small")
    assert dots(page) == 8
    page.select_option("#metric", "ms_ssim_rgb")
    assert "nothing was measured here" in page.locator("#plot").text_content()
    page.select_option("#metric", "psnr_rgb_db")
    page.select_option("#sequence", "average")
    assert dots(page) == 8
    assert page.locator("#viewer").is_hidden()  # an average has no picture


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overlaps_or_sticks_out(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(f"document.getElementById('plot').clientWidth <= {width}")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    for metric in ("psnr_rgb_db", "encode_s"):
        page.select_option("#metric", metric)
        labels = [label.bounding_box() for label in page.locator("#plot text.x").all()]
        assert len(labels) >= 2
        for one, other in itertools.pairwise(labels):
            assert one["x"] + one["width"] < other["x"]
        assert labels[0]["height"] >= 11  # readable
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_curves_differ_without_colours_and_points_can_be_taken_away(page):
    shapes = page.locator("#plot .dot").evaluate_all("dots => dots.map(d => d.getAttribute('d'))")
    assert len(set(shapes)) == 3
    with page.expect_download() as table:
        page.locator("#csv").click()
    rows = list(csv.reader(table.value.path().read_text(encoding="utf-8").splitlines()))
    assert rows[0][:3] == ["codec", "point", "bpp"]
    assert len(rows) == 1 + 9
    with page.expect_download() as everything:
        page.locator("#json").click()
    curves = json.loads(everything.value.path().read_text(encoding="utf-8"))
    assert {curve["codec"] for curve in curves} == {"x264", "svt-av1", "tiny"}


def test_the_first_pair_is_the_nearest_in_rate(page):
    page.wait_for_function("document.getElementById('imageB').naturalWidth === 320")
    costs = page.evaluate("data.curves.filter(c => c.sequence === $('sequence').value)"
                          ".map(c => [c.kind, c.points.map(p => [p.key, p.cost])])")  # fmt: skip
    ours = [p for kind, points in costs if kind == "nvc" for p in points]
    theirs = [p for kind, points in costs if kind != "nvc" for p in points]
    nearest = min(itertools.product(ours, theirs), key=lambda p: abs(math.log(p[0][1] / p[1][1])))
    shown = [page.locator(f"#{side}").input_value() for side in ("left", "right")]
    assert shown == [key for key, _ in nearest]


def test_a_point_tells_its_facts_and_a_name_hides_its_curve(page):
    page.locator("#plot .dot").first.hover()
    said = page.locator("#tip").text_content()
    for word in ("x264", "bpp", "PSNR-RGB", "bytes", "-preset veryslow"):
        assert word in said
    page.locator("#legend button", has_text="x264").click()
    assert dots(page) == 5
    page.locator("#legend button", has_text="x264").click()
    assert dots(page) == 9


def test_the_table_sorts(page):
    head = page.locator("#points th", has_text="PSNR-RGB (dB)")
    column = head.evaluate("node => node.cellIndex")

    def values():
        cells = page.locator(f"#points tbody td:nth-child({column + 1})")
        return [float(text) for text in cells.all_text_contents()]

    head.click()
    assert values() == sorted(values())
    head.click()
    assert values() == sorted(values(), reverse=True)
    page.locator("#points th").first.click()
    names = page.locator("#points tbody td:first-child").all_text_contents()
    assert names == sorted(names)


def test_the_slider_moves_and_the_picture_zooms(page, report, tmp_path):
    page.wait_for_function("document.getElementById('imageB').naturalWidth === 320")
    assert page.evaluate(LEFT_EDGE) == "50%"
    assert "tiny" in page.locator("#tagA").text_content()
    assert "bpp" in page.locator("#tagB").text_content()
    page.locator("#split").fill("250")
    assert page.evaluate(LEFT_EDGE) == "25%"
    assert page.evaluate("document.getElementById('clip').style.clipPath").startswith("inset(0")
    page.select_option("#zoom", "4")
    moved = "() => document.getElementById('imageA').style.transform"
    before = page.evaluate(moved)
    assert "scale(4)" in before
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 350, box["y"] + 220)
    page.mouse.up()
    assert page.evaluate(moved) != before
    page.mouse.wheel(0, -100)
    page.wait_for_function("document.getElementById('zoom').value === '8'")
    page.check("#source")
    assert page.locator("#tagA").text_content() == "source"
    page.uncheck("#source")
    page.select_option("#zoom", "fit")
    page.locator("#plot .dot").nth(6).click()  # a point of a baseline: ours stays on the left
    assert "svt-av1" in page.locator("#tagB").text_content()
    assert "tiny" in page.locator("#tagA").text_content()
    page.screenshot(path=report.parent / "screenshot.png", full_page=True)
