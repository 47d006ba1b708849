"""The presets are found in an installed wheel and in a checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nvcodec.presets import preset_names, presets_folder

ROOT = Path(__file__).resolve().parents[1]


def test_a_checkout_uses_the_folder_at_the_top():
    assert presets_folder() == ROOT / "presets"
    assert "hinerv-mini" in preset_names()
    assert "paper/hinerv-uvg-s" in preset_names()


@pytest.mark.slow
def test_a_wheel_carries_the_presets(tmp_path):
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("nvcodec_inr-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (manual,) = installed.glob("*.data/data/share/man/man1/nvc.1")
    assert manual.read_bytes() == (ROOT / "docs" / "nvc.1").read_bytes()
    script = (
        "from nvcodec.presets import preset_names, presets_folder, load_preset;"
        "print(presets_folder()); print(len(preset_names())); load_preset('hinerv-mini');"
        "from nvcodec.bench.datasets import load_dataset; load_dataset('uvg');"
        "from nvcodec.bench import page; from nvcodec.pages.document import document;"
        "document('t', page.FOLDER / 'page.html', page.FOLDER / 'page.js', {})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(installed)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder, count = done.stdout.split()
    assert Path(folder) == installed / "nvcodec" / "presets_data"
    assert int(count) == len(preset_names())
    assert (installed / "nvcodec" / "py.typed").is_file()
