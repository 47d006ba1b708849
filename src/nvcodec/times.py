"""When frames are shown: exact times in a time base, as a source has them.

A video whose frames come evenly from 0 on has none: frame n is shown at n / rate.
"""

import math
import operator
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

MAX_BASE = 2**31 - 1
"""Largest numerator and denominator of a time base: those of ffmpeg."""
MAX_TICK = 2**53
"""No time is further from 0, either way."""


@dataclass(frozen=True)
class FrameTimes:
    """Times of the frames of a video, strictly rising, in whole ticks of a time base."""

    base: Fraction
    """Seconds of a tick."""
    ticks: "array[int]"
    """When each frame is shown."""
    last: int = 0
    """How long the last one is shown; 0 where nobody said."""

    def __post_init__(self) -> None:
        ticks = self.ticks
        ends = (abs(ticks[0]), abs(ticks[-1]), self.last) if ticks else ()
        if not all(map(operator.lt, ticks, ticks[1:])):
            raise ValueError("times that do not rise from frame to frame")
        if not ticks or max(ends) > MAX_TICK or self.last < 0:
            raise ValueError(f"{len(ticks)} times and a last length of {self.last} ticks")
        if not 0 < self.base.numerator <= MAX_BASE >= self.base.denominator:
            raise ValueError(f"a time base of {self.base}")

    @classmethod
    def of(cls, base: Fraction, ticks: Iterable[int], last: int = 0) -> Self:
        """Times from any integers."""
        return cls(base, array("q", ticks), last)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.ticks)

    def seconds(self) -> list[Fraction]:
        """When each frame is shown."""
        return [tick * self.base for tick in self.ticks]

    @property
    def end(self) -> Fraction:
        """When the last frame has been shown; where nobody said, as long as the others on mean."""
        if self.last or len(self) == 1:
            return (self.ticks[-1] + self.last) * self.base
        return self.seconds_at(-1) + (self.seconds_at(-1) - self.seconds_at(0)) / (len(self) - 1)

    def seconds_at(self, t: int) -> Fraction:
        """When frame `t` is shown."""
        return self.ticks[t] * self.base

    @property
    def mean_rate(self) -> Fraction | None:
        """Frames a second from the first to the end; None for a single one of no length."""
        length = self.end - self.seconds_at(0)
        return len(self) / length if length else None

    def is_even(self, rate: Fraction, first: int = 0) -> bool:
        """Whether frame n is shown at n / rate, rounded to a tick; `first` is the first one's n."""
        (num, den), (r, q) = self.base.as_integer_ratio(), rate.as_integer_ratio()
        a, b = num * r, den * q
        return all(2 * abs(tick * a - n * b) <= a for n, tick in enumerate(self.ticks, first))

    def from_first(self) -> "FrameTimes":
        """The same times, counted from that of the first frame."""
        return FrameTimes.of(self.base, (tick - self.ticks[0] for tick in self.ticks), self.last)

    def part(self, start: int, stop: int) -> "FrameTimes":
        """Those of frames `start` to `stop - 1`; if frames before are cut off, from the first."""
        ticks = self.ticks[start:stop]
        last = self.last if stop >= len(self) else self.ticks[stop] - ticks[-1]
        times = FrameTimes(self.base, ticks, last)
        return times.from_first() if start > 0 else times


NANOSECOND = Fraction(1, 10**9)
VideoTimes = tuple[int, FrameTimes | None]
"""Number of frames of a video, and their times; None: evenly at its frame rate."""


def joined(videos: Sequence[VideoTimes], rates: Sequence[Fraction]) -> FrameTimes | None:
    """The times of videos one after the other; None where one video is all, and even.

    They are exact unless no time base fits all of them, and in nanoseconds then.

    Raises:
        ValueError: not even then do they fit.
    """
    if len(videos) == 1:
        return videos[0][1]
    whole: list[Fraction] = []
    zero = Fraction(0)
    for (num_frames, times), rate in zip(videos, rates, strict=True):
        if times is None:
            whole += [zero + n / rate for n in range(num_frames)]
            zero += num_frames / rate
        else:
            whole += [zero + second for second in times.seconds()]
            zero += times.end
    base = Fraction(1, math.lcm(*(second.denominator for second in whole), zero.denominator))
    if base.denominator > MAX_BASE:
        base = NANOSECOND
    ticks = [round(second / base) for second in whole]
    if max(map(abs, ticks)) > MAX_TICK:
        raise ValueError(f"times of several videos in a row: over {MAX_TICK} ticks from 0")
    return FrameTimes.of(base, ticks, round(zero / base) - ticks[-1])


def mean_rate(videos: Sequence[VideoTimes], rates: Sequence[Fraction]) -> Fraction | None:
    """Frames a second over all of some videos in a row; None where they come evenly, or too far."""
    if not any(times for _, times in videos):
        return None
    try:
        times = joined(videos, rates)
    except ValueError:
        return None
    return None if times is None else times.mean_rate
