"""What all tests share: small videos by formula, one encoded file, and the command line."""

import os
import signal
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks are fastest so, and repeatable
os.environ["NVC_CONFIG"] = ""  # nobody's own defaults

import pytest

from browser_helpers import chromium, playwright
from codec_helpers import TINY, Outcome, nvc, write_y4m

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def clips():
    """The folder of test clips, which is not part of the project."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("NVC_CLIPS", root.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"no test clips at {folder}; NVC_CLIPS names their folder")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """8 frames of 32x32, 4:2:0."""
    return write_y4m(tmp_path_factory.mktemp("clip") / "clip.y4m")


@pytest.fixture(scope="session")
def encoding(clip, tmp_path_factory):
    """Path and JSON lines of `clip`, encoded by a process in three segments."""
    path = tmp_path_factory.mktemp("encoding") / "clip.nvc"
    done = nvc("encode", clip, "-o", path, "-p", TINY, "--segment-frames", 3, "--json")
    assert done.code == 0, done.stderr
    return path, done.records


@pytest.fixture(scope="session")
def encoded(encoding):
    """`clip` as a `.nvc` file of three segments: frames 0:2, 2:5, 5:8."""
    return encoding[0]


@pytest.fixture(scope="session")
def browser():
    """A real one; skips where there is none."""
    with playwright().sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs the command line in this process."""
    from nvcodec.cli import main

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["nvc", *map(str, words)])
        shown, on_terminate = warnings.showwarning, signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            warnings.showwarning = shown
            signal.signal(signal.SIGTERM, on_terminate)
        out, err = capsys.readouterr()
        return Outcome(code, out.encode(), err)

    return run
