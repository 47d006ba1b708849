"""From the bytes of a `.nvc` file to frames, needing nothing but the file.

    NvcReader --sections--> scheme.unpack --hash checked--> FP16 values --> render --> planes

Nothing of `fitting` is reachable from here: a decoder that cannot see the trainer cannot depend on
a training option.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.tail import frame_shown_at, frames_between, shown_between, stored_times
from nvcodec.errors import ChecksumError, MalformedError, VideoError
from nvcodec.frame_threads import in_order
from nvcodec.pixel_sequence import PixelSequence
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

T = TypeVar("T")


class Decoder(PixelSequence):
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
        unfinished: take an early end of the file as its end.
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
        unfinished: bool = False,
        clip: str | None = None,
    ) -> None:
        self.device = select_device(device)
        self.precision: Precision = precision
        self.limits = limits
        self._opened: tuple[int, SegmentDecoder] | None = None
        self._clip: Segment | None = None
        self._damage: list[str] = []
        try:
            self.reader = NvcReader(
                source, limits=limits, keep_going=keep_going, unfinished=unfinished
            )
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
            self.select(frames or slice(None))
            if between is not None:
                self.select(frames_between(self.times, *between))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _choose(self, name: str) -> None:
        """Narrow what is decoded to one of the file's videos."""
        if not self.reader.is_seekable:
            raise VideoError(f"clip {name}: where it is stands at the end of a pipe; use a file")
        part = self.reader.find_part(name)
        self._clip = part.segment
        count = part.segment.num_frames
        self.info = replace(self.info, num_frames=count, frame_rate=part.frame_rate)

    def select(self, frames: slice) -> None:
        """Iterate over these frames from now on, counted in the clip chosen."""
        last = self._clip.stop if self._clip else None
        self.start = self.first + (frames.start or 0)
        self.stop = last if frames.stop is None else self.first + frames.stop
        if self.stop is not None and last is not None:
            self.stop = min(self.stop, last)

    @property
    def first(self) -> int:
        """Where the clip chosen begins in the file."""
        return self._clip.start if self._clip else 0

    @property
    def num_frames(self) -> int | None:
        """Frames in the file or the clip chosen; a pipe knows only what HEAD says."""
        return len(self) if self.reader.is_seekable else self.info.num_frames

    @property
    def num_selected(self) -> int | None:
        """Frames that iterating gives, as far as it is known."""
        known = None if self.num_frames is None else self.num_frames + self.first
        stops = [stop for stop in (self.stop, known) if stop is not None]
        return max(min(stops) - self.start, 0) if stops else None

    def frame_at(self, seconds: Fraction | float) -> int:
        """See the base class; a pipe tells times of its frames too late, and counts evenly."""
        times = self._all_times() if self.reader.is_seekable else None
        if times is None:
            return super().frame_at(seconds)
        return frame_shown_at(times, seconds)

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

    def _asked_for(self) -> Segment:
        """The frames asked for, counted in the file or in the clip chosen."""
        stop = len(self) if self.stop is None else min(self.stop - self.first, len(self))
        return Segment(self.start - self.first, stop)

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

    def frame(self, t: int) -> Pixels:
        """Frame `t` of the file, or of the clip chosen, as pixels; the file must be seekable."""
        place = t + self.first
        for position, info in enumerate(self.reader.index):
            if info.first_frame <= place < info.first_frame + info.num_frames:
                if self._opened is None or self._opened[0] != position:
                    coded = self.reader.read_segment(position)
                    self._opened = position, self._open_segment(coded)
                return self._opened[1].rgb(place - info.first_frame, self.info)
        raise IndexError(f"frame {t} is not in the file")

    def segments(self) -> Iterator[tuple[Segment, CodedSegment]]:
        """The coded segments that hold frames asked for, with the frames of each."""
        whole = self.start == 0 and self.stop is None
        if whole or not self.reader.is_seekable or self.reader.keep_going:
            coded = self.reader.segments()
        else:
            coded = (
                self.reader.read_segment(i)
                for i, info in enumerate(self.reader.index)
                if self.wanted(info.segment).num_frames > 0
            )
        for segment in coded:
            wanted = self.wanted(segment.segment)
            if wanted.num_frames > 0:
                yield wanted, segment
            elif not self.reader.is_seekable:
                self._values.pass_by(segment)

    def __iter__(self) -> Iterator[Pixels]:
        """The frames asked for, in order, as pixels; see `frame` and `planes`."""
        return self._rendered(lambda decoder, t: decoder.rgb(t, self.info))

    def planes(self) -> Iterator[Planes]:
        """The frames asked for, in order, in the samples of the source.

        Raises:
            BitstreamError: damage, or an early end; frames of intact segments came before.
            VideoError: no frame of the range asked for is in the file.
        """
        return self._rendered(lambda decoder, t: decoder.planes(t, self.info))

    def _rendered(self, render: Callable[[SegmentDecoder, int], T]) -> Iterator[T]:
        """What `render` makes of every frame asked for, in order."""
        frames = self._wanted_frames()
        first = next(frames)
        is_one = self.stop is not None and self.stop - self.start == 1
        is_ahead = self.reader.is_seekable and not is_one  # nobody waits for what a pipe has next
        count = first[1].num_threads(self.limits.memory_bytes) if is_ahead else 1
        every = itertools.chain([first], frames)
        yield from in_order((partial(render, decoder, t) for t, decoder in every), count)

    def _wanted_frames(self) -> Iterator[tuple[int, SegmentDecoder]]:
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
                start, stop = segment.segment
                self._damage.append(f"frames {start}:{stop} are lost: {error}")
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

    def wanted(self, segment: Segment) -> Segment:
        """The frames asked for of some frames of the file; none may be left."""
        stop = segment.stop if self.stop is None else min(self.stop, segment.stop)
        return Segment(max(self.start, segment.start), stop)
