"""What files need to survive other processes and power cuts: locks, new names, names that last.

A temporary file or folder has a name that did not exist, and is made so that no link is followed;
whoever made it remembers it, and removes nothing else.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from nvcodec.errors import OutputError

_NEW = (
    os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_NAME_LENGTH = 40
"""Characters of a name kept in a temporary one: with four bytes each it is not too long."""


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
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
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


def new_file(target: Path) -> Path:
    """An empty file beside `target` under a name that did not exist, with the same ending.

    Raises:
        OSError: it cannot be made there.
    """

    def make(path: Path) -> None:
        os.close(os.open(path, _NEW, 0o666))

    return _new(make, target.parent, target.stem, target.suffix)


def new_folder(parent: Path, name: str) -> Path:
    """An empty folder in `parent` under a name that did not exist.

    Raises:
        OSError: it cannot be made there.
    """
    return _new(Path.mkdir, parent, name, "")


def open_new(path: Path) -> BinaryIO:
    """A file that was not there, and no link, unbuffered, to be written."""
    return os.fdopen(os.open(path, _NEW, 0o666), "w+b", buffering=0)


def write_all(file: BinaryIO, content: bytes) -> None:
    """Write to a file that is unbuffered, and so may take less at a time."""
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]


def replace_file(path: Path, content: bytes, before: Path | None = None) -> None:
    """Give `path` a new content at once and for good, in a folder that is ours.

    Args:
        path: the file, there or not.
        content: all of it.
        before: a name for the file that was there, instead of none.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    part = path.with_name(path.name + ".tmp")
    part.unlink(missing_ok=True)  # left by a process that was killed; a link goes, not its target
    with open_new(part) as file:
        write_all(file, content)
        os.fsync(file.fileno())
    if before is not None and path.exists():
        path.replace(before)
    part.replace(path)
    sync_folder(path)


def put_file(path: Path, content: bytes) -> None:
    """Give `path` a new content at once, in a folder that is not ours.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    part = new_file(path)
    try:
        with part.open("r+b") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _new(make: Callable[[Path], None], parent: Path, name: str, suffix: str) -> Path:
    while True:
        path = parent / f"{name[:_NAME_LENGTH]}.part-{secrets.token_hex(4)}{suffix}"
        with contextlib.suppress(FileExistsError):
            make(path)
            return path
