"""Where the clips are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clips():
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("NVC_CLIPS", root.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"no test clips at {folder}; NVC_CLIPS names their folder")
    return folder
