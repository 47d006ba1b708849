"""Files of results: one JSON line a measurement, appended, with what it was measured on."""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from nvcodec import __version__


def circumstances() -> dict[str, Any]:
    """Date, device, threads and versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {"nvcodec": __version__, "torch": torch.__version__},
    }


def stored(path: Path) -> list[dict[str, Any]]:
    """All lines of a file; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def store(line: dict[str, Any], path: Path) -> None:
    """Append a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
