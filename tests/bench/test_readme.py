"""README's tables are those of the stored results."""

import subprocess
import sys

from codec_helpers import ROOT, environment

SCRIPT = ROOT / "benchmarks" / "readme_tables.py"


def test_readme_agrees_with_the_results():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "<!-- table: small bd-rate -->" in (ROOT / "README.md").read_text(encoding="utf-8")
