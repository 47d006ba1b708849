"""Writing a `.nvc` file: append only, so that the disk holds a valid prefix at every moment.

    NvcWriter(path)  ->  OUT.part grows, fsync per segment
        finish()     ->  indx, END, fsync, rename to OUT, fsync folder
    NvcWriter(pipe)  ->  the same bytes, forward

Whatever stops it, OUT.part stays and `NvcWriter.resume` goes on from its last whole segment. OUT
itself is only ever a finished file.
"""

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from nvcodec.container.chunk_payloads import (
    DIGEST_SIZE,
    MAX_SECTIONS,
    SegmentInfo,
    Totals,
    pack_clips,
    pack_index,
    pack_segment,
    pack_totals,
)
from nvcodec.container.chunks import FRAMING_SIZE, HEADER_SIZE, pack_chunk, parse_header, tag_text
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.container.unfinished import holds_nothing, opening, part_path, whole_segments
from nvcodec.disk import is_at, lock, sync_folder
from nvcodec.errors import OutputError
from nvcodec.segments import Clip

_BLOCK_SIZE = 1 << 20


class NvcWriter:
    """A `.nvc` file being written, segment by segment.

    Args:
        target: A path, or a binary file that is written forward only, such as a pipe.
        head: What the file says about itself; written at once.
        overwrite: Replace a finished file, and throw away an unfinished one, of this name.
        limits: What a reader will accept.

    Raises:
        OutputError: The file, or its unfinished part, is there already, or cannot be written.
        LimitError: `head` is beyond the limits.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        head: Head,
        *,
        overwrite: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._prepare(target, head, overwrite, limits)
        if self._path is not None:
            part = part_path(self._path)
            try:
                self._file = _open(part, "ab" if overwrite else "xb")
                lock(self._file, part)
                self._file.truncate(0)
                sync_folder(part)
            except FileExistsError:
                raise OutputError(
                    f"{part}: an unfinished file is there; resume it, or allow to overwrite it"
                ) from None
            except OSError as error:
                raise _output_error(error, f"{part}: cannot be written") from error
        self._begin()

    @classmethod
    def resume(
        cls,
        path: str | Path,
        head: Head,
        *,
        overwrite: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        max_segments: int | None = None,
    ) -> Self:
        """Go on with OUT.part after its last whole segment, or begin it if it holds nothing yet.

        A torn segment at its end is dropped, as are an index, an end, and whatever comes after
        the first `max_segments` segments. `segments` says what is kept.

        Raises:
            ResumeError: OUT.part has another head, is no `.nvc` file, or is damaged before its end.
            OutputError: As for a new file.
        """
        part = part_path(path)
        try:
            if not part.exists():
                return cls(path, head, overwrite=overwrite, limits=limits)
            self = cls.__new__(cls)
            self._prepare(path, head, overwrite, limits)
            self._file = _open(part, "r+b")
            try:
                lock(self._file, part)
                if holds_nothing(part, head):
                    self._file.truncate(0)
                    self._begin()
                else:
                    self._take_over(*whole_segments(part, head, limits, max_segments))
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise _output_error(error, f"{part}: cannot be resumed") from error
        return self

    def _prepare(
        self, target: str | Path | BinaryIO, head: Head, overwrite: bool, limits: Limits
    ) -> None:
        """Set every field but, for a path, the file."""
        Head.from_bytes(head.to_bytes(), limits)  # What we write, we can read.
        self.head = head
        self.limits = limits
        self._segments: list[SegmentInfo] = []
        self._hash = hashlib.blake2b(digest_size=DIGEST_SIZE)
        self._size = self._sequence = self._num_frames = 0
        self._is_open = True
        self._overwrite = overwrite
        self._path: Path | None = None
        self._is_owned = isinstance(target, str | Path)
        if not isinstance(target, str | Path):
            self._file = target
            self._name = str(getattr(target, "name", "output"))
            return
        path = Path(target)
        self._name = str(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            try:
                self._file = _open(path, "wb")
            except OSError as error:
                raise _output_error(error, f"{path}: cannot be written") from error
            return
        self._path = path
        self._check_free()

    def _check_free(self) -> None:
        assert self._path is not None
        if self._path.is_dir() or (self._path.exists() and not self._overwrite):
            kind = "a folder" if self._path.is_dir() else "a file"
            raise OutputError(f"{self._path}: {kind} of this name is there already")

    def _begin(self) -> None:
        self._append(opening(self.head), "HEAD")
        self._sequence = 1

    def _take_over(self, infos: list[SegmentInfo], end: int) -> None:
        """Cut OUT.part at `end` and stand as if everything before had been written here."""
        self._file.truncate(end)
        self._file.seek(0)
        while block := self._file.read(_BLOCK_SIZE):
            self._hash.update(block)
        os.fsync(self._file.fileno())
        self._sequence = 1
        if infos:
            self._file.seek(infos[-1].offset)
            header = parse_header(self._file.read(HEADER_SIZE), infos[-1].offset)
            self._sequence = header.sequence + 1
            self._file.seek(end)
        self._segments = infos
        self._num_frames = infos[-1].segment.stop if infos else 0
        self._size = end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def segments(self) -> list[SegmentInfo]:
        """The segments written so far, those of a resumed file included."""
        return list(self._segments)

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._size

    def write_segment(
        self, first_frame: int, num_frames: int, sections: Mapping[str, bytes], digest: bytes
    ) -> SegmentInfo:
        """Append a segment; when this returns, a file has it on the disk.

        Args:
            first_frame: Where the segment before ended.
            num_frames: At least 1.
            sections: Bytes by tag of four characters.
            digest: 16-byte hash of the decoded integers.

        Raises:
            OutputError: It could not be written; the segments before are safe.
            LimitError: It is larger than a reader accepts.
        """
        number = len(self._segments)
        where = f"segment {number}"
        stop = first_frame + num_frames
        if first_frame != self._num_frames or num_frames < 1:
            raise ValueError(
                f"{where}: frames {first_frame}:{stop}, must begin at {self._num_frames}"
            )
        if self.head.num_frames and stop > self.head.num_frames:
            raise ValueError(f"{where}: frames up to {stop}, HEAD has {self.head.num_frames}")
        if len(digest) != DIGEST_SIZE or len(sections) > MAX_SECTIONS:
            raise ValueError(
                f"{where}: digest of {len(digest)} bytes, {len(sections)} sections; "
                f"allowed: {DIGEST_SIZE}, up to {MAX_SECTIONS}"
            )
        for tag in sections:
            tag_text(tag.encode(), where)
        payload = pack_segment(number, first_frame, num_frames, sections, digest)
        self.limits.check(where, "payload bytes", len(payload), self.limits.segment_bytes)
        self.limits.check(where, "segments", number + 1, self.limits.segments)
        self.limits.check(where, "frames", stop, self.limits.frames)
        length = FRAMING_SIZE + len(payload)
        info = SegmentInfo(number, first_frame, num_frames, self._size, length)
        self._append(pack_chunk("SEGM", self._sequence, payload), where)
        self._sequence += 1
        self._segments.append(info)
        self._num_frames = stop
        return info

    def finish(self, clips: Sequence[Clip] = ()) -> int:
        """Append index and end; a file gets its final name. Gives the size in bytes.

        Args:
            clips: The videos that the file holds, if they are several.

        Raises:
            OutputError: It could not be written, or another file took the name; OUT.part stays.
        """
        if not self._segments or self._num_frames != (self.head.num_frames or self._num_frames):
            raise ValueError(
                f"{len(self._segments)} segments with {self._num_frames} frames, "
                f"HEAD has {self.head.num_frames or 'any number'}, at least one segment needed"
            )
        if clips:
            self._append(pack_chunk("clip", self._sequence, pack_clips(clips)), "clip")
            self._sequence += 1
        index_offset = self._size
        self._append(pack_chunk("indx", self._sequence, pack_index(self._segments)), "indx")
        totals = Totals(
            len(self._segments), self._num_frames, index_offset, self._size, self._hash.digest()
        )
        self._append(pack_chunk("END ", self._sequence + 1, pack_totals(totals)), "END")
        try:
            if self._path is not None:
                self._rename(part_path(self._path), self._path)
        finally:
            self.close()
        return self._size

    def _rename(self, part: Path, path: Path) -> None:
        """Give OUT.part its final name, under the lock."""
        self._check_free()
        try:
            if not is_at(self._file, part):
                raise OutputError(f"{part}: another process has replaced it; {path} is not written")
            if os.name != "posix":  # There, an open file cannot be renamed.
                self.close()
            part.replace(path)
            sync_folder(path)
        except OSError as error:
            raise _output_error(error, f"{path}: cannot rename") from error

    def discard(self) -> None:
        """Stop writing, and remove OUT.part if it is still this one."""
        if self._path is not None and self._is_open and is_at(self._file, part_path(self._path)):
            part_path(self._path).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Stop writing; without `finish` before, OUT.part stays as it is. Streams stay open."""
        self._is_open = False
        if self._is_owned:
            self._file.close()

    def _append(self, data: bytes, what: str) -> None:
        """Write all of `data` down to the disk; if that fails, take back what went out."""
        if not self._is_open:
            raise OutputError(f"{self._name}: cannot write {what}, it is closed")
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            self._file.flush()
            if self._path is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._drop_torn_tail()
            text = f"{self._name}: cannot write {what}, {len(data):,} bytes at {self._size:,}"
            raise _output_error(error, text) from error
        except BaseException:  # Ctrl-C: it may be on the disk or not, `resume` will see.
            self.close()
            raise
        self._hash.update(data)
        self._size += len(data)

    def _drop_torn_tail(self) -> None:
        self._is_open = False
        if self._path is not None:
            # A reader copes with a torn tail where this fails, and so does `resume`.
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
        if self._is_owned:
            self._file.close()


def _open(path: Path, mode: str) -> BinaryIO:
    """A file without a buffer, so that every error shows where it happens."""
    return cast(BinaryIO, open(path, mode, buffering=0))


def _output_error(error: OSError, text: str) -> OutputError:
    """The error as one of ours, with the system's reason."""
    if isinstance(error, OutputError):
        return error
    return OutputError(f"{text}: {error.strerror or error}")
