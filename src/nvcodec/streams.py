"""What a file has besides its video: audio, subtitles, chapters, attachments, copied whole."""

import collections
from collections.abc import Iterable
from typing import NamedTuple

PICTURES = ("video", "cover picture")
"""Kinds of streams with pictures, of which one is read."""


class Stream(NamedTuple):
    """One stream of a file."""

    kind: str
    """`audio`, `subtitle`, `data`, `attachment`, or one of `PICTURES`."""
    codec: str
    language: str = ""
    """As the file says it; empty where it says nothing."""

    @property
    def words(self) -> str:
        """For people."""
        return " ".join(filter(None, self))


class Streams(NamedTuple):
    """Streams in a file of their own, as ffmpeg has copied them."""

    streams: tuple[Stream, ...]
    """In the order of the file."""
    num_chapters: int
    data: bytes
    """The file: Matroska; QuickTime where that holds more; ffmetadata for chapters alone."""

    @property
    def suffix(self) -> str:
        """Ending of a movie that holds all of them."""
        return ".mov" if self.data[4:8] == b"ftyp" else ".mkv"

    @property
    def words(self) -> str:
        """For people."""
        return ", ".join(counted(self.streams, self.num_chapters))


def counted(streams: Iterable[Stream], num_chapters: int = 0) -> list[str]:
    """Kinds of streams with their numbers, for people."""
    kinds = (s.kind if s.kind == PICTURES[1] else f"{s.kind} stream" for s in streams)
    counts = collections.Counter(kinds)
    if num_chapters:
        counts["chapter"] = num_chapters
    return [f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items()]
