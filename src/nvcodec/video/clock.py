"""When ffmpeg shows the frames of a source: read from what its `showinfo` says, exactly."""

import re
from fractions import Fraction

from nvcodec.times import FrameTimes

_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")
_TICK = re.compile(r"\bpts: *(-?\d+) ")
_LENGTH = re.compile(r"\bduration: *(\d+) ")


class Clock:
    """The times of a source's frames by number, noted while it is decoded."""

    def __init__(self) -> None:
        self.base: Fraction | None = None
        self._ticks: list[int | None] = []
        self._lengths: list[int] = []

    def on_config(self, line: str) -> None:
        """Take note of the time base."""
        match = _BASE.search(line) if self.base is None else None
        if match and int(match[1]) * int(match[2]):
            self.base = Fraction(int(match[1]), int(match[2]))

    def on_frame(self, line: str) -> None:
        """Take note of a frame."""
        tick, length = _TICK.search(line), _LENGTH.search(line)
        self._ticks.append(int(tick[1]) if tick else None)
        self._lengths.append(int(length[1]) if length else 0)

    def seconds(self, number: int) -> Fraction | None:
        """When a frame is shown; None where the source does not say."""
        tick = self._ticks[number]
        return None if tick is None or self.base is None else tick * self.base

    def end(self, number: int, rate: Fraction) -> Fraction | None:
        """When a frame has been shown; at a frame rate where its length is not known."""
        start = self.seconds(number)
        if start is None or self.base is None:
            return None
        return start + (self._lengths[number] * self.base or 1 / rate)

    def times(self, start: int, stop: int) -> FrameTimes | None:
        """The times of frames `start` to `stop - 1`; None where not said, or not rising."""
        ticks = [tick for tick in self._ticks[start:stop] if tick is not None]
        if self.base is None or len(ticks) < stop - start:
            return None
        try:
            return FrameTimes.of(self.base, ticks, self._lengths[stop - 1])
        except (ValueError, OverflowError):
            return None
