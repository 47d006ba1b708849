"""README and docs/: generated parts are those of their sources, and every link leads somewhere."""

import re
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


def test_readme_stays_short():
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 140
    assert max(len(line) for line in lines if not line.startswith("|")) <= 130
