"""A real browser for pages: Debian's chromium, driven by playwright."""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def chromium() -> str:
    """A chromium, installed where the system lets us."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=quiet, check=False, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium, and none could be installed")
    return found


def playwright():
    """The driver, installed beside the environment where it is not there."""
    try:
        return importlib.import_module("playwright.sync_api")
    except ImportError:
        folder = Path(tempfile.gettempdir()) / f"nvc-test-playwright-{os.getuid()}"
        if not (folder / "playwright").is_dir():
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
            done = subprocess.run([*pip, "playwright"], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no playwright: {done.stderr[-200:]}")
        sys.path.append(str(folder))
        return importlib.import_module("playwright.sync_api")


@contextlib.contextmanager
def opened(browser, path, width, **options):
    """A page, opened from its file without a network; it must not complain, nor ask for more."""
    view = {"width": width, "height": 1000}
    context = browser.new_context(viewport=view, offline=True, **options)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url[:80])
            if not request.url.startswith(("file:", "data:")) else None)  # fmt: skip
    page.goto(path.as_uri())
    yield page
    assert complaints == []
    context.close()
