"""What files need to survive other processes and power cuts: locks, and names that last."""

import os
from pathlib import Path
from typing import IO

from nvcodec.errors import OutputError


def lock(file: IO[bytes], path: Path) -> None:
    """Keep other processes away from the file at `path`, for as long as `file` is open.

    Raises:
        OutputError: another process has it, or has put another file there.
    """
    try:
        import fcntl
    except ImportError:  # Not a POSIX system: no lock.
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another process is writing it") from None
    except OSError:  # A file system without locks.
        return
    if not is_at(file, path):
        raise OutputError(f"{path}: another process is writing it")


def is_at(file: IO[bytes], path: Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def sync_folder(path: Path) -> None:
    """Make a new or changed name in the path's folder last."""
    if os.name != "posix":
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
