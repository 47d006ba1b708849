"""What is inside tstm: when frames are shown, where they do not come evenly from 0 on."""

import zlib
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from nvcodec.container.header import Limits
from nvcodec.cursors import MAX_VARINT_BYTES, Cursor, pack_varint
from nvcodec.errors import MalformedError
from nvcodec.segments import Segment
from nvcodec.times import MAX_BASE, MAX_TICK, FrameTimes, VideoTimes

if TYPE_CHECKING:  # numpy is loaded where there are times alone
    import numpy as np
    from numpy.typing import NDArray


def pack_times(videos: Sequence[VideoTimes]) -> bytes:
    """The payload of tstm."""
    out = [pack_varint(len(videos))]
    for num_frames, times in videos:
        out.append(pack_varint(num_frames))
        if times is None:
            out.append(pack_varint(0))
            continue
        changes = _differences(_differences(times.ticks.tolist()))
        text = b"".join(pack_varint(2 * c if c >= 0 else -2 * c - 1) for c in changes)
        deflate = zlib.compressobj(9, wbits=-15)
        packed = deflate.compress(text) + deflate.flush()
        out += map(pack_varint, (*times.base.as_integer_ratio(), times.last, len(packed)))
        out.append(packed)
    return b"".join(out)


def parse_times(payload: bytes, limits: Limits) -> list[VideoTimes]:
    """The number of frames and the times of each video in the payload of tstm."""
    cursor = Cursor(payload, "tstm")
    videos: list[VideoTimes] = []
    total = 0
    count = cursor.varint("number of videos")
    limits.check("tstm", "videos", count, limits.segments)
    for number in range(count):
        cursor.where = f"tstm, video {number}"
        num_frames = cursor.varint("number of frames")
        total += num_frames
        limits.check("tstm", "frames", total, limits.frames)
        numerator = cursor.varint("time base")
        videos.append((num_frames, _parse(cursor, num_frames, numerator) if numerator else None))
    cursor.where = "tstm"
    cursor.finish()
    return videos


def check_times(videos: Sequence[VideoTimes], num_frames: int) -> None:
    """Refuse times of other frames than those before them."""
    seen = sum(count for count, _ in videos)
    if seen != num_frames:
        raise MalformedError(f"tstm: times of {seen} frames, {num_frames} in the segments")


def cut_times(videos: Sequence[VideoTimes], frames: Segment) -> list[VideoTimes]:
    """What these frames have of each video's times."""
    found: list[VideoTimes] = []
    first = 0
    for num_frames, times in videos:
        start, stop = max(frames.start - first, 0), min(frames.stop - first, num_frames)
        first += num_frames
        if start < stop:
            found.append((stop - start, times and times.part(start, stop)))
    return found


def _parse(cursor: Cursor, num_frames: int, numerator: int) -> FrameTimes:
    where, denominator = cursor.where, cursor.varint("time base")
    last = cursor.varint("last length")
    if not (numerator <= MAX_BASE and 1 <= denominator <= MAX_BASE and last <= MAX_TICK):
        raise MalformedError(
            f"{where}: time base {numerator}/{denominator}, last length {last}; allowed: "
            f"1 to 2^31 - 1 each, up to 2^53"
        )
    packed = cursor.take(cursor.varint("size"), "times")
    inflate = zlib.decompressobj(wbits=-15)
    try:
        text = inflate.decompress(packed, MAX_VARINT_BYTES * num_frames + 1)
    except zlib.error as error:
        raise MalformedError(f"{where}: times cannot be inflated: {error}") from error
    if not inflate.eof or inflate.unused_data:
        raise MalformedError(f"{where}: times are not one whole deflate stream of their size")
    changes = _changes(text, num_frames, where)
    try:
        ticks = array("q", _sums(_sums(changes)).tobytes())  # the first length is the first time
        return FrameTimes(Fraction(numerator, denominator), ticks, last)
    except ValueError as error:
        raise MalformedError(f"{where}: {error}") from error


def _changes(text: bytes, count: int, where: str) -> "NDArray[np.int64]":
    """As many signed integers as there are frames, from zigzag varints."""
    import numpy as np

    septets = np.frombuffer(text, np.uint8)
    is_last = septets < 0x80
    ends = np.flatnonzero(is_last)
    if not count == len(ends) > 0 or not is_last[-1]:
        raise MalformedError(f"{where}: {len(ends)} whole times, {count} frames")
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > MAX_VARINT_BYTES:
        raise MalformedError(f"{where}: varint of more than {MAX_VARINT_BYTES} bytes")
    if np.any((septets[ends] == 0) & (lengths > 1)):
        raise MalformedError(f"{where}: varint not in its shortest form")
    values = septets[ends].astype(np.int64)
    for place in range(1, int(lengths.max())):  # from the highest seven bits down
        longer = lengths > place
        values[longer] = values[longer] << 7 | septets[ends[longer] - place] & 0x7F
    return values >> 1 ^ -(values & 1)


def _sums(values: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Running sums, which no 64 bits may be too few for."""
    import numpy as np

    nearly = np.cumsum(values, dtype=np.float64)
    if max(nearly.max(), -nearly.min()) > 2 * MAX_TICK:
        raise ValueError(f"times too big: over {MAX_TICK} ticks from 0")
    return np.cumsum(values)


def _differences(values: list[int]) -> list[int]:
    """Each value less the one before it, the first as it is."""
    return [b - a for a, b in zip([0, *values], values, strict=False)]
