"""What an earlier writer left in OUT.part: whether it is of the same job, and how much is whole.

Only looks; `writer` cuts the file and goes on.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nvcodec.container.chunk_payloads import SegmentInfo
from nvcodec.container.chunks import SIGNATURE, pack_chunk
from nvcodec.container.header import Head, Limits
from nvcodec.container.kinds import KINDS, Place
from nvcodec.container.reader import NvcReader
from nvcodec.errors import BitstreamError, OutputError, ResumeError


def part_path(path: str | Path) -> Path:
    """Where the file lies while it is being written."""
    return Path(f"{os.fspath(path)}.part")


def open_part(part: Path, *, to_discard: bool = False) -> BinaryIO:
    """OUT.part to be read and written, unbuffered; no link is followed.

    Args:
        part: it is there.
        to_discard: refuse what does not begin as a `.nvc` file.

    Raises:
        OutputError: it is not a file, or not one of ours.
        OSError: it cannot be opened.
    """
    kind = part.lstat().st_mode
    if not stat.S_ISREG(kind):
        raise OutputError(f"{part}: is there and is not a file")
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(part, flags), "r+b", buffering=0)
    beginning = file.read(len(SIGNATURE)) or b""
    if to_discard and not SIGNATURE.startswith(beginning):
        file.close()
        raise OutputError(f"{part}: is there and is not an unfinished .nvc file")
    file.seek(0)
    return file


def holds_nothing(part: Path, head: Head) -> bool:
    """Whether OUT.part is not there, or ends inside the signature and HEAD of this job."""
    if not part.exists():
        return True
    start = opening(head)
    with open(part, "rb") as file:
        data = file.read(len(start))
    return len(data) < len(start) and start.startswith(data)


def opening(head: Head) -> bytes:
    """Signature and HEAD."""
    return SIGNATURE + pack_chunk("HEAD", 0, head.to_bytes())


class Kept(NamedTuple):
    """What can be kept of an unfinished file."""

    infos: list[SegmentInfo]
    end: int
    """Where the last segment ends, or HEAD."""
    ancillary: set[str]
    """Kinds of ancillary chunks before that."""


def whole_segments(part: Path, head: Head, limits: Limits, max_segments: int | None = None) -> Kept:
    """The first segments in OUT.part that can be kept.

    Raises:
        ResumeError: It has another head, is not a `.nvc` file, or is damaged before its end.
    """
    try:
        with NvcReader(part, limits=limits, keep_going=True) as reader:
            _check_same_head(part, reader.head, head)
            for segment in reader.segments():
                if reader.damage:
                    raise ResumeError(
                        f"{part}: damaged before segment {segment.number}: {reader.damage[0]}"
                    )
            infos = reader.segments_read[:max_segments]
            end = infos[-1].offset + infos[-1].length if infos else reader.head_end
            front = {k for k in reader.ancillary_read if KINDS[k].place is Place.FRONT}
    except BitstreamError as error:
        raise ResumeError(f"{part}: cannot be resumed: {error}") from error
    return Kept(infos, end, front if infos else set())


def _check_same_head(part: Path, stored: Head, given: Head) -> None:
    old, new = _flat(stored.model_dump(mode="json")), _flat(given.model_dump(mode="json"))
    for name in [*new, *old]:
        if old.get(name) != new.get(name):
            raise ResumeError(
                f"{part}: {name} is {old.get(name, 'absent')} there, {new.get(name, 'absent')} now"
            )


def _flat(fields: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """JSON text of every leaf by its dotted name."""
    result: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            result |= _flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = json.dumps(value)
    return result
