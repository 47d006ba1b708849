"""What tail chunks say of the frames asked for: when they are shown, and what goes with them."""

from fractions import Fraction

from nvcodec.container.reader import NvcReader
from nvcodec.errors import MalformedError
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
        return joined(videos, [part.frame_rate for part in parts])
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
