"""State that is read back by a later run: sealed, because a disk may give back something else.

    nvcodec-state HASH LENGTH, a line; then the content

HASH is BLAKE2b of the content, 16 bytes in hexadecimal; LENGTH its bytes in decimal.
"""

import hashlib
from pathlib import Path

from nvcodec.disk import replace_file

_WORD = b"nvcodec-state"
_MAX_LINE = 80


class TornError(ValueError):
    """A state file is not what was written."""


def write_state(path: Path, content: bytes, before: Path | None = None) -> None:
    """Replace a state file, at once and for good; `before` is a name for the one that was there.

    Raises:
        OSError: it cannot be written; the one before is still there.
    """
    line = f"{_hash(content)} {len(content)}\n".encode()
    replace_file(path, b" ".join((_WORD, line)) + content, before)


def read_state(path: Path) -> bytes:
    """The content as it was written.

    Raises:
        TornError: it is another, or none.
        OSError: it cannot be read.
    """
    if path.is_symlink() or not path.is_file():
        raise TornError(f"{path}: is no file of ours")
    data = path.read_bytes()
    line, _, content = data[:_MAX_LINE].partition(b"\n")
    content = data[len(line) + 1 :]
    if line != b" ".join((_WORD, f"{_hash(content)} {len(content)}".encode())):
        raise TornError(f"{path}: is cut off or damaged")
    return content


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
