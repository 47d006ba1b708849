"""What may be written where: checked before any work, and once more when the file is there."""

import contextlib
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from nvcodec.container.header import Head, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_types import EncodeOptions
from nvcodec.errors import OutputError, VerificationError
from nvcodec.job import OVERWRITE, Job, job_folder, may_be_complete
from nvcodec.video import VideoReader, images
from nvcodec.video.copying import gather


def check_output(
    target: str | Path | BinaryIO,
    overwrite: bool,
    *,
    made_by: Collection[str] = (),
) -> Path | None:
    """The path of a regular output; None for a stream, a device or a named pipe.

    Args:
        target: a path or a stream.
        overwrite: whether it may be there already.
        made_by: presets; a finished file of one may be there, from the same command perhaps.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    if not isinstance(target, str | Path):
        return None
    path = Path(target)
    try:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder, a file is needed")
        if path.exists() and not path.is_file():
            return None
        is_taken = path.exists() and not overwrite
        if is_taken and not may_be_complete(path, made_by):
            raise OutputError(f"{path}: exists", OVERWRITE)
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent}: no such folder")
        if not os.access(path.parent, os.W_OK):
            raise OutputError(f"{path.parent}: no permission to write there")
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def check_apart(source: str | Path | BinaryIO, path: Path) -> None:
    """Refuse an output that would take the place of its source, whatever their names.

    Raises:
        OutputError: the two, or a picture of the source and the output, are one file.
    """
    for ours in (path, part_path(path)):
        try:
            own = ours.stat()
        except OSError:  # not there, or nothing that a source could be
            continue
        if any(os.path.samestat(own, theirs) for theirs in _source_stats(source)):
            raise OutputError(f"{path}: is the source itself; another name is needed")


def _source_stats(source: str | Path | BinaryIO) -> Iterator[os.stat_result]:
    """Identities of the files that a source consists of."""
    stream = sys.stdin if source == "-" else source
    if not isinstance(stream, str | Path):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no file behind it
            yield os.fstat(stream.fileno())
        return
    path, files = Path(stream), [Path(stream)]
    if path.is_dir():
        files = [entry for entry in path.iterdir() if images.is_picture(entry)]
    elif not path.exists() and images.is_pattern(str(path)) and path.parent.is_dir():
        files = images.matching(path)
    for file in files:
        with contextlib.suppress(OSError):
            yield file.stat()


def free_output(
    sources: Sequence[str | Path | BinaryIO],
    target: str | Path | BinaryIO,
    presets: Collection[str],
    options: EncodeOptions,
) -> Path | None:
    """The path of an encoding's output, free to be written; None for a stream.

    Raises:
        OutputError: it is not free, is one of the sources, or is a stream with a work folder.
    """
    path = check_output(target, options.overwrite, made_by=() if options.restart else presets)
    if path is not None:
        try:
            for ours in (part_path(path), job_folder(path, options.workdir)):
                with contextlib.suppress(FileNotFoundError):
                    ours.lstat()  # a name too long is told now
        except OSError as error:
            raise OutputError(f"{ours}: cannot be written: {error.strerror}") from error
        for source in sources:
            check_apart(source, path)
    elif options.workdir is not None:
        raise OutputError(
            "an output that is a stream cannot be continued", "{workdir} is for files"
        )
    return path


def open_writer(
    target: str | Path | BinaryIO, head: Head, options: EncodeOptions, job: Job | None
) -> NvcWriter:
    """The writer of an output, with what the job knows to be in it already."""
    limits, overwrite = options.limits, options.overwrite
    if job is None:
        return NvcWriter(target, head, limits=limits)
    assert isinstance(target, Path)
    if not (job.is_resumed and part_path(target).exists()):
        return NvcWriter(target, head, overwrite=overwrite, limits=limits)
    known = len(job.digests)
    return NvcWriter.resume(target, head, overwrite=overwrite, limits=limits, max_segments=known)


def write_tail(writer: NvcWriter, video: VideoReader, options: EncodeOptions) -> int:
    """Put what the source has besides pictures behind them; gives the bytes of copied streams."""
    if video.parts:
        writer.add("clip", video.parts)
    if any(times for _, times in video.times):
        writer.add("tstm", video.times)
    streams = gather(video, options.limits.segment_bytes) if options.audio else None
    return 0 if streams is None else writer.add("mkvs", streams)


def check_written(path: Path, digests: Sequence[bytes], num_frames: int, limits: Limits) -> None:
    """Read a finished file back: every segment must hold the integers that were measured.

    Raises:
        VerificationError: it does not.
    """
    with NvcReader(path, limits=limits) as reader:
        seen = [(segment.digest, segment.num_frames) for segment in reader.segments()]
    if [digest for digest, _ in seen] != list(digests) or sum(n for _, n in seen) != num_frames:
        raise VerificationError(f"{path}: does not hold the {num_frames} frames that were coded")
