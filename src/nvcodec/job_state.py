"""What `job.json` holds, read back whole or refused. Loads no torch."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from nvcodec.errors import ResumeError
from nvcodec.state_files import read_state

STATE_NAME = "job.json"
RESTART = "{restart} throws the stored job away"


class StoredSegment(BaseModel, strict=True, extra="forbid"):
    """What is known of a finished segment; all but `input` is `SegmentResult.measured`."""

    input: str
    digest: str = Field(pattern="^[0-9a-f]{32}$")
    fit_s: float
    spent_s: float
    quality: list[list[float]]


class State(BaseModel, strict=True, extra="forbid"):
    """Content of `job.json`."""

    output: str
    settings: dict[str, Any]
    segments: list[StoredSegment]
    files: list[str]
    """Names in the folder that this job writes, besides its own."""
    preset: str | None = None
    """Its name, for the same command without one."""


def load_state(folder: Path) -> State | None:
    """State of a job that lies there, if one does.

    Raises:
        ResumeError: it cannot be read.
    """
    path = folder / STATE_NAME
    if not os.path.lexists(path):
        return None
    try:
        return State.model_validate(json.loads(read_state(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise ResumeError(f"{path}: is not a job's state", RESTART) from error
