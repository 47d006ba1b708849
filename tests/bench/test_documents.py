"""README and docs/: generated parts are those of their sources, and every link leads somewhere."""

import re
import shutil
import subprocess
import sys

import pytest

from codec_helpers import ROOT, environment

SCRIPT = ROOT / "benchmarks" / "documents.py"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_generated_parts_agree_with_their_sources():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert any("<!-- table: small bd-rate -->" in page.read_text("utf-8") for page in PAGES)
    assert "<!-- docstring: nvcodec.container -->" in (ROOT / "docs/format.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc")
def test_the_manual_page_is_well_made():
    command = ["mandoc", "-Tlint", "-Wwarning", ROOT / "docs" / "nvc.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert not said


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = page.parent / path if path else page
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_fit_a_screen(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [n for n, line in enumerate(lines, 1) if len(line) > 120 and not line.startswith("|")]
    assert long == []


def test_readme_stays_short():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 140


def test_readme_names_files_that_are_there():
    text = PAGES[0].read_text(encoding="utf-8").split("## The map")[1]
    rows = re.findall(r"^(\S+) {2,}(.+)$", text.split("```")[1], re.MULTILINE)
    package = ROOT / "src" / "nvcodec"
    missing = []
    for name, what in rows:
        folder = package / name if name.endswith("/") else package
        named = re.findall(r"\b[a-z_]+(?:\.py|/)", what)
        places = [package / name, *(folder / other for other in named)]
        missing += [
            path for path in places if not path.exists() and not (ROOT / path.name).exists()
        ]
    assert len(rows) >= 10
    assert not missing


def test_readme_maps_every_folder():
    text = PAGES[0].read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "src" / "nvcodec").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^([a-z]+)/ {2,}", text, re.MULTILINE))
