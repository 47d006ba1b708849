"""The folder of a job: made by us, marked as ours, emptied of what the job wrote and nothing else.

Whatever else lies in it, or lay at its name before, stays. Loads no torch.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from nvcodec.disk import open_new, sync_folder
from nvcodec.errors import OutputError

MARKER = "about.txt"
ABOUT = b"""An encoding of nvc that is not finished keeps its state here.
The same command continues it, and removes this folder at its end.
"""


class JobFolder:
    """A folder that may not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        """Whether anything has its name."""
        return os.path.lexists(self.path)

    @property
    def is_ours(self) -> bool:
        """Whether it was made by an encoding of the same user."""
        marker = self.path / MARKER
        try:
            if self.path.is_symlink() or marker.is_symlink() or not marker.is_file():
                return False
            is_own = not hasattr(os, "getuid") or self.path.stat().st_uid == os.getuid()
            return is_own and marker.read_bytes() == ABOUT
        except OSError:
            return False

    def create(self) -> None:
        """Make it, or take over one of ours.

        Raises:
            OutputError: what is there is not ours, or it cannot be made.
        """
        try:
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(parents=True)
            if not self.is_ours:
                if self.path.is_symlink() or any(self.path.iterdir()):
                    raise OutputError(
                        f"{self.path}: is there and was not made by an encoding of yours"
                    )
                # Empty: made just now, or by an encoding that was killed right then.
                with open_new(self.path / MARKER) as marker:
                    marker.write(ABOUT)
                sync_folder(self.path / MARKER)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot keep the job's state: {error.strerror or error}"
            ) from error

    def remove(self, names: Iterable[str]) -> None:
        """Remove the files of these names, in this order, and the folder if nothing else is there.

        Raises:
            OutputError: it is not ours; nothing was removed.
        """
        if not self.is_there:
            return
        if not self.is_ours:
            raise OutputError(f"{self.path}: was not made by an encoding of yours; it stays")
        for name in names:
            for file in (self.path / name, self.path / f"{name}.tmp"):
                file.unlink(missing_ok=True)
        if set(os.listdir(self.path)) == {MARKER}:
            (self.path / MARKER).unlink()
            with contextlib.suppress(OSError):  # another process has put something there
                self.path.rmdir()
