"""Streams beside the video, copied by ffmpeg as they are: out of a source, and next to new frames.

    source --gather--> Streams, a Matroska file of its own      in the .nvc file
    Streams --trimmed--> Streams of a part of the time
    Streams --Companion--> a file beside the frames that ffmpeg encodes, and what of it to take

A cut is made between packets: what begins before the cut is left out, and what is left keeps its
distance from the frames.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from nvcodec.errors import FfmpegError
from nvcodec.processes import ffmpeg_path, run
from nvcodec.streams import Stream, Streams, counted
from nvcodec.video.ffmpeg import GLOBAL_OPTIONS, READ_FORMATS, Between, Others
from nvcodec.video.info import VideoWarning
from nvcodec.video.reader import VideoReader

OWN_FORMATS = ("matroska", "mov")
"""Where streams are kept: the first that holds all of them, or else the most."""
CHAPTERS = "ffmetadata"
"""Where chapters are kept that have no streams beside them."""
MOVIE_FORMATS = {
    ".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
}  # fmt: skip
INPUTS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(f for f in (*READ_FORMATS, CHAPTERS) if f != "image2"),
}
"""Options of an input: nothing but the file is read."""
OUTPUTS = {"acodec": "copy", "scodec": "copy", "dcodec": "copy", "map_chapters": 1}
"""Options of a movie with streams beside its video; they are its second input."""
_HEAD_BYTES = 1 << 16
"""Room for the list of streams before them."""


def gather(video: VideoReader, limit_bytes: int) -> Streams | None:
    """What the source has besides pictures, and what cannot be kept with a warning each.

    Args:
        video: A reader that has given its last frame; where it was cut, the streams are.
        limit_bytes: The most that may be kept.
    """
    others = [other for other in video.others if other.streams or other.num_chapters]
    if not others:
        return None
    source, streams = others[0], [*others[0].streams.values()]
    if video.parts:
        why = "of several videos none is kept"
    elif source.path is None or source.why_not:
        why = source.why_not
    else:
        try:
            return _gathered(source, source.path, video.cut, limit_bytes)
        except FfmpegError as error:
            why = str(error).splitlines()[0]
    _warn_lost(source, streams, why)
    return None


def _gathered(source: Others, path: Path, cut: Between | None, limit_bytes: int) -> Streams | None:
    with tempfile.TemporaryDirectory(prefix="nvc-") as folder:
        target = Path(folder) / "streams"
        numbers, name = _choose(path, [*source.streams], target, cut)
        if left := [s for number, s in source.streams.items() if number not in numbers]:
            words = ", ".join(dict.fromkeys(stream.words for stream in left))
            why = f"{words}: nothing takes a copy"
            _warn_lost(source._replace(num_chapters=0), left, why)
        kept = tuple(source.streams[number] for number in numbers)
        if not kept and not source.num_chapters:
            return None
        _copy(path, numbers, target, name, cut, limit_bytes - _HEAD_BYTES)
        if target.stat().st_size > limit_bytes - _HEAD_BYTES:
            _warn_lost(source, kept, f"more than the {limit_bytes:,} bytes of a chunk")
            return None
        return Streams(kept, source.num_chapters, target.read_bytes())


def _warn_lost(source: Others, streams: Iterable[Stream], why: str) -> None:
    words = ", ".join(counted(streams, source.num_chapters))
    warnings.warn(f"{source.where}: not in the file: {words} ({why})", VideoWarning, stacklevel=3)


def _choose(
    source: Path, numbers: list[int], target: Path, cut: Between | None
) -> tuple[list[int], str]:
    """Which streams are kept, in which format."""
    if not numbers:
        return [], CHAPTERS
    best: tuple[list[int], str] = ([], CHAPTERS)
    for name in OWN_FORMATS:
        held = holdable(source, numbers, target, name, cut)
        if len(held) > len(best[0]):
            best = held, name
        if len(held) == len(numbers):
            break
    return best


def holdable(
    source: Path, numbers: list[int], target: Path, name: str, cut: Between | None = None
) -> list[int]:
    """Those of a file's streams that a format takes as they are, found by trying."""
    candidates = [numbers] if len(numbers) == 1 else [numbers, *([n] for n in numbers)]
    held: list[int] = []
    for some in candidates:
        with contextlib.suppress(FfmpegError):
            _copy(source, some, target, name, cut)
            held += some
            if some == numbers:
                break
    return held


def _copy(
    source: Path,
    numbers: Sequence[int],
    target: Path,
    name: str,
    cut: Between | None = None,
    limit_bytes: int | None = None,
) -> None:
    """Copy streams and chapters into a file of their own; same input, same bytes."""
    command = [ffmpeg_path(), *GLOBAL_OPTIONS, "-y"]
    for option, value in INPUTS.items():
        command += [f"-{option}", value]
    command += ["-i", f"file:{source}"]
    for number in numbers:
        command += ["-map", f"0:{number}"]
    command += ["-map_metadata", "-1"] if name == CHAPTERS else []
    if cut is not None:
        start, end = cut
        command += ["-ss", _decimal(start)]
        command += [] if end is None else ["-t", _decimal(end - start)]
    command += [] if limit_bytes is None else ["-fs", str(limit_bytes + 1)]
    run([*command, "-c", "copy", "-fflags", "+bitexact", "-f", name, f"file:{target}"])


def _decimal(seconds: Fraction) -> str:
    return f"{float(seconds):.6f}"


def trimmed(streams: Streams, cut: Between) -> Streams:
    """The part of streams from one time to another, counted from the first.

    Raises:
        FfmpegError: They cannot be read.
    """
    numbers = range(len(streams.streams))
    name = ("mov" if streams.suffix == ".mov" else OWN_FORMATS[0]) if numbers else CHAPTERS
    with tempfile.TemporaryDirectory(prefix="nvc-") as folder:
        source, target = Path(folder) / "all", Path(folder) / "part"
        source.write_bytes(streams.data)
        _copy(source, numbers, target, name, cut)
        return streams._replace(data=target.read_bytes())


class Companion:
    """Streams as a file, for as long as ffmpeg writes a movie with them.

    Args:
        streams: What to write.
        suffix: Ending of the movie; what it cannot hold is said.
        where: Its name, for messages.
    """

    def __init__(self, streams: Streams, suffix: str, where: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nvc-")
        self.path = Path(self._folder.name) / "streams"
        self.path.write_bytes(streams.data)
        numbers, name = [*range(len(streams.streams))], MOVIE_FORMATS[suffix]
        target = Path(self._folder.name) / "trial"
        self.numbers = holdable(self.path, numbers, target, name) if numbers else []
        """Those that go into the movie."""
        target.unlink(missing_ok=True)
        if left := [streams.streams[n] for n in numbers if n not in self.numbers]:
            warn_left(where, ", ".join(stream.words for stream in left), streams)

    def close(self) -> None:
        """Remove the file."""
        self._folder.cleanup()


def warn_left(where: str, words: str, streams: Streams) -> None:
    """Say what a target cannot hold."""
    text = f"{where}: not in it: {words}; {streams.suffix} keeps all"
    warnings.warn(text, VideoWarning, stacklevel=3)
