"""What tail chunks say of the frames asked for: when they are shown, and what goes with them."""

import bisect
from collections.abc import Sequence
from fractions import Fraction

from nvcodec.container.reader import NvcReader
from nvcodec.errors import MalformedError, VideoError
from nvcodec.segments import Part, Segment
from nvcodec.times import FrameTimes, VideoTimes, joined


def stored_times(reader: NvcReader, rate: Fraction, clip: Segment | None) -> FrameTimes | None:
    """Times of all frames of a file, or of one of its videos; None for evenly at the rate.

    Raises:
        MalformedError: they are those of other videos than the file has.
    """
    videos: list[VideoTimes] | None = reader.ancillary("tstm")
    if videos is None:
        return None
    parts = reader.parts or [Part("", Segment(0, sum(count for count, _ in videos)), rate)]
    if [part.segment.num_frames for part in parts] != [count for count, _ in videos]:
        raise MalformedError("tstm: times of other videos than the file has")
    if clip is None:
        try:
            return joined(videos, [part.frame_rate for part in parts])
        except ValueError as error:
            raise MalformedError(f"tstm: {error}") from error
    return videos[[part.segment for part in parts].index(clip)][1]


def shown_between(
    times: FrameTimes | None, rate: Fraction, wanted: Segment, num_frames: int
) -> tuple[Fraction, Fraction] | None:
    """From when to when some frames of a video are shown; None for all of them, or none."""
    start, stop = wanted
    if start >= stop or wanted == (0, num_frames):
        return None
    if times is None:
        return start / rate, stop / rate
    zero = times.seconds_at(start) if start else Fraction(0)
    return zero, times.seconds_at(stop) if stop < num_frames else times.end


def frames_between(times: Sequence[Fraction], start: Fraction, end: Fraction | None) -> slice:
    """The frames shown from one time on and before the other."""
    stop = len(times) if end is None else bisect.bisect_left(times, end)
    return slice(bisect.bisect_left(times, start), stop)


def frame_shown_at(times: FrameTimes, seconds: Fraction | float) -> int:
    """Index of the frame that is shown at a time.

    Raises:
        VideoError: none is.
    """
    second = Fraction(str(seconds))  # 0.12 is meant as 3/25
    if not times.seconds_at(0) <= second < times.end:
        shown = f"{float(times.seconds_at(0)):g} to {float(times.end):g}"
        raise VideoError(f"{float(seconds):g} seconds: not in the video, shown from {shown}")
    return bisect.bisect_right(times.seconds(), second) - 1
