"""From the bytes of a `.nvc` file to frames, needing nothing but the file.

    NvcReader --sections--> scheme.unpack --hash checked--> FP16 values --> render --> planes

Nothing of `fitting` is reachable from here: a decoder that cannot see the trainer cannot depend on
a training option.
"""

import bisect
import operator
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, overload

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.tail import shown_between, stored_times
from nvcodec.errors import ChecksumError, MalformedError, VideoError
from nvcodec.segment_decoder import Precision, SegmentDecoder, select_device
from nvcodec.segment_values import (
    SegmentValues,
    check_conversion,
    check_work,
    representation_config,
)
from nvcodec.segments import Segment
from nvcodec.streams import Streams
from nvcodec.times import FrameTimes
from nvcodec.video.copying import trimmed
from nvcodec.video.ffmpeg import Between
from nvcodec.video.info import Pixels, Planes


class Decoder:
    """An open `.nvc` file: its frames as pixels, by index or in order. A context manager.

        with Decoder("in.nvc") as video:
            first = video[0]                # (H, W, 3) RGB, or (H, W, 1) grey
            for pixels in video: ...        # all of them
            for planes in video.planes(): ...   # in the samples of the source

    Args:
        source: a path, or a binary stream that is read forward only.
        frames: `slice(start, stop)` of the frames wanted when iterating; only they, and the
            segments that hold them, are computed.
        between: instead of `frames`: from when to when, in seconds, the end excluded.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        precision: arithmetic on the FP16 weights; `fp16` is half precision on a GPU and float32 on
            a CPU.
        limits: the most that a file may ask for.
        keep_going: give what is intact of a damaged or unfinished file; `damage` then tells what is
            missing.
        clip: name or number of one of the videos in the file, to be decoded as if it were alone.

    Raises:
        BitstreamError: for any bytes that are not a `.nvc` file, here or while iterating.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        frames: slice | None = None,
        between: Between | None = None,
        device: str = "auto",
        precision: Precision = "fp16",
        limits: Limits = DEFAULT_LIMITS,
        keep_going: bool = False,
        clip: str | None = None,
    ) -> None:
        self.start = (frames.start or 0) if frames else 0
        self.stop = frames.stop if frames else None
        self.device = select_device(device)
        self.precision: Precision = precision
        self.limits = limits
        self._opened: tuple[int, SegmentDecoder] | None = None
        self._clip: Segment | None = None
        self._damage: list[str] = []
        try:
            self.reader = NvcReader(source, limits=limits, keep_going=keep_going)
        except OSError as error:
            raise VideoError(f"{source}: cannot be read: {error.strerror}") from error
        try:
            self.head = self.reader.head
            representation_config(self.head)
            self.info = self.head.to_video_info()
            check_conversion(self.head)
            read = self.reader.find_segment if self.reader.is_seekable else None
            self._values = SegmentValues(self.head, limits, read)
            if clip is not None:
                self._choose(clip)
            if between is not None:
                self._choose_by_time(*between)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _choose(self, name: str) -> None:
        """Narrow what is decoded to one of the file's videos."""
        if not self.reader.is_seekable:
            raise VideoError(f"clip {name}: where it is stands at the end of a pipe; use a file")
        parts = self.reader.parts
        found = [clip for clip in parts if clip.name == name]
        if not found and name.isascii() and name.isdecimal():
            found = parts[int(name) :][:1]
        if not found:
            known = ", ".join(f"{number} {clip.name}" for number, clip in enumerate(parts))
            raise VideoError(f"clip {name}: not in the file, which has {known or 'one video only'}")
        if len(found) > 1:
            numbers = ", ".join(str(i) for i, clip in enumerate(parts) if clip.name == name)
            raise VideoError(f"clip {name}: several have that name; take a number: {numbers}")
        (first, last), rate = found[0].segment, found[0].frame_rate
        self._clip = found[0].segment
        self.start += first
        self.stop = last if self.stop is None else min(first + self.stop, last)
        self.info = replace(self.info, num_frames=last - first, frame_rate=rate)

    def _choose_by_time(self, start: Fraction, end: Fraction | None) -> None:
        """Narrow what is decoded to the frames shown in a range of time."""
        times, first = self.times, self.start
        self.start = first + bisect.bisect_left(times, start)
        self.stop = first + (len(times) if end is None else bisect.bisect_left(times, end))

    @property
    def times(self) -> list[Fraction]:
        """When each frame of the file, or of the clip chosen, is shown, in seconds."""
        times = self._all_times()
        return times.seconds() if times else [n / self.info.frame_rate for n in range(len(self))]

    def frame_times(self) -> FrameTimes | None:
        """When the frames asked for are shown, from the first if any are cut off; None: evenly."""
        times, (start, stop) = self._all_times(), self._asked_for()
        return times.part(start, stop) if times and start < stop else None

    def streams(self) -> Streams | None:
        """Audio and the like, cut between packets to the frames asked for; None: there are none."""
        self._check_seekable("audio and other streams are")
        stored: Streams | None = self.reader.ancillary("mkvs")
        if stored is None:
            return None
        wanted, rate = self._asked_for(), self.info.frame_rate
        cut = shown_between(self._all_times(), rate, wanted, len(self))
        return trimmed(stored, cut) if cut else stored

    @property
    def num_wanted(self) -> int | None:
        """How many frames will come; None where it is not known."""
        if self.reader.is_seekable:
            return max(self._asked_for().num_frames, 0)
        ends = [n for n in (self.info.num_frames, self.stop) if n is not None]
        return max(min(ends) - self.start, 0) if ends else None

    def _asked_for(self) -> Segment:
        """The frames asked for, counted in the file or in the clip chosen."""
        first = self._clip.start if self._clip else 0
        stop = len(self) if self.stop is None else min(self.stop - first, len(self))
        return Segment(self.start - first, stop)

    def _all_times(self) -> FrameTimes | None:
        """Times of all frames of the file, or of the clip chosen, as far as they are stored."""
        self._check_seekable("times of frames are")
        return stored_times(self.reader, self.info.frame_rate, self._clip)

    def _check_seekable(self, what: str) -> None:
        if not self.reader.is_seekable:
            raise VideoError(f"{what} at the end of a pipe; use a file")

    def __len__(self) -> int:
        """Number of frames in the file, or in the clip chosen; a pipe does not know it."""
        if not self.reader.is_seekable:
            raise TypeError("the number of frames in a pipe is known at its end only")
        if self._clip is not None:
            return self._clip.num_frames
        index = self.reader.index
        return index[-1].first_frame + index[-1].num_frames if index else 0

    @overload
    def __getitem__(self, t: int) -> Pixels: ...
    @overload
    def __getitem__(self, t: slice) -> list[Pixels]: ...
    def __getitem__(self, t: int | slice) -> Pixels | list[Pixels]:
        """Frame `t` of the file, or of the clip chosen, as pixels; the file must be seekable.

        Returns:
            (H, W, 3) RGB, or (H, W, 1) for a grey video, full range; uint8, or uint16 at the depth
            of the video, `info.depth`, where that is above 8; a list of them for a slice.
        """
        if isinstance(t, slice):
            return [self[i] for i in range(*t.indices(len(self)))]
        t = operator.index(t)
        asked, t = t, t + len(self) if t < 0 else t
        if self._clip is not None:
            t = t + self._clip.start if 0 <= t < len(self) else -1
        for position, info in enumerate(self.reader.index):
            if info.first_frame <= t < info.first_frame + info.num_frames:
                if self._opened is None or self._opened[0] != position:
                    coded = self.reader.read_segment(position)
                    self._opened = position, self._open_segment(coded)
                return self._opened[1].rgb(t - info.first_frame, self.info)
        raise IndexError(f"frame {asked} is not in the file")

    def segments(self) -> Iterator[tuple[Segment, CodedSegment]]:
        """The coded segments that hold frames asked for, with the frames of each."""
        whole = self.start == 0 and self.stop is None
        if whole or not self.reader.is_seekable or self.reader.keep_going:
            coded = self.reader.segments()
        else:
            coded = (
                self.reader.read_segment(i)
                for i, info in enumerate(self.reader.index)
                if self._wanted(info.first_frame, info.num_frames).num_frames > 0
            )
        for segment in coded:
            wanted = self._wanted(segment.first_frame, segment.num_frames)
            if wanted.num_frames > 0:
                yield wanted, segment

    def __iter__(self) -> Iterator[Pixels]:
        """The frames asked for, in order, as pixels; see `__getitem__` and `planes`."""
        for t, decoder in self._rendered():
            yield decoder.rgb(t, self.info)

    def planes(self) -> Iterator[Planes]:
        """The frames asked for, in order, in the samples of the source.

        Raises:
            BitstreamError: damage, or an early end; frames of intact segments came before.
            VideoError: no frame of the range asked for is in the file.
        """
        for t, decoder in self._rendered():
            yield decoder.planes(t, self.info)

    def _rendered(self) -> Iterator[tuple[int, SegmentDecoder]]:
        """Every frame asked for, as its index in a segment and the decoder of that segment."""
        count = num_frames = 0
        for wanted, segment in self.segments():
            num_frames += wanted.num_frames
            check_work(self.head, num_frames, self.limits)
            try:
                decoder = self._open_segment(segment)
            except (MalformedError, ChecksumError) as error:
                if not self.reader.keep_going:
                    raise
                self._damage.append(str(error))
                continue
            for t in range(wanted.start, wanted.stop):
                yield t - segment.first_frame, decoder
                count += 1
        if count == 0:
            if self.damage:
                raise MalformedError(f"no frame is intact: {self.damage[0]}")
            raise VideoError(f"no frames in {self.start}:{'' if self.stop is None else self.stop}")

    @property
    def damage(self) -> list[str]:
        """What could not be read, when keeping going."""
        return self.reader.damage + self._damage

    def _open_segment(self, segment: CodedSegment) -> SegmentDecoder:
        return SegmentDecoder(
            self.head, segment, self.device, self.precision, self.limits, self._values
        )

    def _wanted(self, first_frame: int, num_frames: int) -> Segment:
        stop = first_frame + num_frames
        return Segment(
            max(self.start, first_frame), stop if self.stop is None else min(self.stop, stop)
        )
