"""Checkpoints of one segment's fitting: atomic, two generations, loaded without pickled code.

Loads torch only to read or write one.
"""

import io
import os
import pickle
from pathlib import Path
from typing import Any

from nvcodec.disk import sync_folder
from nvcodec.errors import OutputError, ResumeError

FORMAT = 3
"""Changes with what a state holds."""
RESTART = "{restart} throws the stored job away"


class CheckpointStore:
    """`NAME.ckpt` and the one before it, `NAME.ckpt.1`, in a folder that exists.

    `digest` names what the state belongs to: settings, frames and seed. A stored state with another
    digest is refused.
    """

    def __init__(self, folder: Path, name: str, digest: str) -> None:
        self.path = folder / f"{name}.ckpt"
        self.previous = folder / f"{name}.ckpt.1"
        self.digest = digest

    @property
    def exists(self) -> bool:
        """Whether a state is stored."""
        return self.path.exists() or self.previous.exists()

    def save(self, state: dict[str, Any]) -> None:
        """Replace the newest generation; at no moment is there none.

        Raises:
            OutputError: the folder cannot be written or the disk is full; both generations are
            still there.
        """
        import torch

        content = io.BytesIO()
        torch.save({"format": FORMAT, "digest": self.digest, **state}, content)
        part = self.path.with_suffix(".tmp")
        try:
            with part.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            if self.path.exists():
                self.path.replace(self.previous)
            part.replace(self.path)
            sync_folder(self.path)
        except OSError as error:
            raise OutputError(f"{part}: cannot write a checkpoint: {error.strerror}") from error

    def load(self) -> dict[str, Any] | None:
        """The newest readable generation, on the CPU; None when nothing is stored.

        Raises:
            ResumeError: the state belongs to other settings, frames or seed, or to another version,
            or cannot be read.
        """
        import torch

        torn = None
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
                torn = f"{path}: {error}"  # the generation before is tried
                continue
            if state.get("format") != FORMAT:
                raise ResumeError(f"{path}: of another version of nvc", RESTART)
            if state.get("digest") != self.digest:
                raise ResumeError(f"{path}: belongs to other settings or another input", RESTART)
            return state
        if torn is not None:
            raise ResumeError(f"no checkpoint can be read ({torn})", RESTART)
        return None

    def clear(self) -> None:
        """Remove both generations."""
        for path in (self.path, self.previous):
            path.unlink(missing_ok=True)
