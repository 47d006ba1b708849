"""Segments: half-open ranges of frames, each coded alone; parts: videos in one file."""

import bisect
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple


class Segment(NamedTuple):
    """Frames `start <= t < stop` of a video."""

    start: int
    stop: int

    @property
    def num_frames(self) -> int:
        """Number of frames in the segment."""
        return self.stop - self.start


class Part(NamedTuple):
    """One of several videos that a file holds one after the other."""

    name: str
    segment: Segment
    """Its frames among those of the file; they need not be coded alone."""
    frame_rate: Fraction


def cut_parts(parts: Sequence[Part], frames: Segment) -> list[Part]:
    """What these frames hold of each video, counted from the first of them."""
    found = []
    for part in parts:
        start, stop = max(part.segment.start, frames.start), min(part.segment.stop, frames.stop)
        if start < stop:
            segment = Segment(start - frames.start, stop - frames.start)
            found.append(part._replace(segment=segment))
    return found


def plan_segments(num_frames: int, max_length: int) -> list[Segment]:
    """Fewest segments of at most `max_length` frames, whose lengths differ by at most one."""
    if num_frames < 1 or max_length < 1:
        raise ValueError(f"need at least one frame a segment, got {num_frames} and {max_length}")
    count = -(-num_frames // max_length)
    bounds = [num_frames * i // count for i in range(count + 1)]
    return [Segment(a, b) for a, b in itertools.pairwise(bounds)]


SHORTEST = 4
"""Segments at cuts have at least the longest one's length over this."""


def segments_at_cuts(num_frames: int, cuts: Sequence[int], max_length: int) -> list[Segment]:
    """Segments of at most `max_length` frames that begin at cuts, the most important first.

    A cut nearer than a quarter of `max_length` to one before it in the list, or to an end, is none;
    what is longer between two is cut evenly.
    """
    shortest = max(max_length // SHORTEST, 1)
    bounds = [0, num_frames]
    for cut in cuts:
        place = bisect.bisect(bounds, cut)
        if 0 < place < len(bounds) and all(
            abs(bound - cut) >= shortest for bound in bounds[place - 1 : place + 1]
        ):
            bounds.insert(place, cut)
    return [
        Segment(start + part.start, start + part.stop)
        for start, stop in itertools.pairwise(bounds)
        for part in plan_segments(stop - start, max_length)
    ]
