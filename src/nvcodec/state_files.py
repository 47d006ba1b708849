"""State that is read back by a later run: sealed, because a disk may give back something else.

    nvcodec-state HASH LENGTH, a line; then the content

HASH is BLAKE2b of the content, 16 bytes in hexadecimal; LENGTH its bytes in decimal.
"""

import hashlib
from pathlib import Path

from nvcodec.disk import replace_file

_MAX_SEAL = 80


class TornError(ValueError):
    """A state file is not what was written."""


def write_state(path: Path, content: bytes, before: Path | None = None) -> None:
    """Replace a state file, at once and for good; `before` is a name for the one that was there.

    Raises:
        OSError: it cannot be written; the one before is still there.
    """
    replace_file(path, _seal(content) + b"\n" + content, before)


def read_state(path: Path) -> bytes:
    """The content as it was written.

    Raises:
        TornError: it is another, or none.
        OSError: it cannot be read.
    """
    if path.is_symlink() or not path.is_file():
        raise TornError(f"{path}: is no file of ours")
    data = path.read_bytes()
    seal = data[:_MAX_SEAL].partition(b"\n")[0]
    content = data[len(seal) + 1 :]
    if seal != _seal(content):
        raise TornError(f"{path}: is cut off or damaged")
    return content


def _seal(content: bytes) -> bytes:
    """The first line of a file."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return f"nvcodec-state {digest} {len(content)}".encode()
