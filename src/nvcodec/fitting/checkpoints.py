"""Checkpoints of one segment's fitting: atomic, two generations, loaded without pickled code.

Loads torch only to read or write one.
"""

import io
from pathlib import Path
from typing import Any

from nvcodec.errors import OutputError, ResumeError
from nvcodec.state_files import read_state, write_state

FORMAT = 6
"""Changes with what a state holds."""
RESTART = "{restart} throws the stored job away"


SECOND = "-again"


def checkpoint_names(name: str) -> tuple[str, str]:
    """Files of a fitting's checkpoints: the newest, and the one before it."""
    return f"{name}.ckpt", f"{name}.ckpt.1"


class CheckpointStore:
    """`NAME.ckpt` and the one before it, `NAME.ckpt.1`, in a folder that exists.

    `digest` names what the state belongs to: settings, frames and seed. A stored state with another
    digest is refused.
    """

    def __init__(self, folder: Path, name: str, digest: str) -> None:
        self.folder, self.name, self.digest = folder, name, digest
        self.path, self.previous = (folder / file for file in checkpoint_names(name))

    def of_second_try(self) -> "CheckpointStore":
        """Where a second fitting of the same segment keeps its state."""
        return CheckpointStore(self.folder, f"{self.name}{SECOND}", self.digest)

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
        try:
            write_state(self.path, content.getvalue(), before=self.previous)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot write a checkpoint: {error.strerror}"
            ) from error

    def load(self) -> dict[str, Any] | None:
        """The newest whole generation, on the CPU; None when nothing is stored.

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
                content = io.BytesIO(read_state(path))
                state: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
                stored_format, digest = state.get("format"), state.get("digest")
            except Exception as error:  # whatever a damaged state does: the one before is tried
                torn = f"{path}: {error}"
                continue
            if stored_format != FORMAT:
                raise ResumeError(f"{path}: of another version of nvc", RESTART)
            if digest != self.digest:
                raise ResumeError(f"{path}: belongs to other settings or another input", RESTART)
            return state
        if torn is not None:
            raise ResumeError(f"no checkpoint can be read ({torn})", RESTART)
        return None

    def clear(self) -> None:
        """Remove both generations."""
        for path in (self.path, self.previous):
            path.unlink(missing_ok=True)
