"""Arguments of the library as people type them: taken, or refused in one line at the call."""

import operator
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from nvcodec import clock
from nvcodec.video.arrays import ArrayFrames
from nvcodec.video.raw import parse_rate
from nvcodec.video.scaling import Scale, parse_scale


def path(value: Any) -> Any:
    """A path or a stream to read.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("path: bytes; wrap them: io.BytesIO(...)")
    if not (isinstance(value, str | os.PathLike) or hasattr(value, "read")):
        kind = type(value).__name__
        raise TypeError(f"path: {kind}; allowed are a path and a binary stream")
    return value


def source(value: Any) -> Any:
    """A source of frames; arrays as a video.

    Raises:
        TypeError: it is none.
        ValueError: it is an array of another shape.
    """
    if isinstance(value, str | Path) or hasattr(value, "read"):
        return value
    is_bytes = isinstance(value, bytes | bytearray | memoryview)
    names = isinstance(value, Sequence) and all(isinstance(v, str | Path) for v in value)
    if names and not is_bytes:
        return value
    if is_bytes or not isinstance(value, Iterable):
        raise TypeError(
            f"source: {type(value).__name__}; allowed are a path, a binary stream, paths, or frames"
        )
    return ArrayFrames(value)


def frames(value: Any) -> slice | None:
    """A range of frames as a slice.

    Raises:
        TypeError, ValueError: it is none, or not one that can be read forward.
    """
    if value is None:
        return None
    if not isinstance(value, slice | range):
        example = ", ".join(map(str, value)) if isinstance(value, tuple | list) else "0, 4"
        raise TypeError(f"frames: {value!r}; allowed are slice({example}) and range({example})")
    start, stop = (None if v is None else operator.index(v) for v in (value.start, value.stop))
    is_forward = (start or 0) >= 0 and (stop is None or stop > (start or 0))
    if value.step not in (None, 1) or not is_forward:
        raise ValueError(f"frames: {value!r}; allowed are 0 <= start < stop, step 1")
    return slice(start, stop)


def gop(value: Any) -> int:
    """Number of segments in a chain.

    Raises:
        TypeError, ValueError: it is none from 1 on.
    """
    length = operator.index(value)
    if length < 1:
        raise ValueError(f"gop: {value!r}; allowed are integers from 1 on")
    return length


def frame_rate(value: Any) -> Fraction | None:
    """A frame rate.

    Raises:
        ValueError: it is none above 0.
    """
    if value is None or (isinstance(value, Fraction) and value > 0):
        return value
    try:
        return parse_rate(str(value))
    except ValueError as error:
        raise ValueError(f"frame_rate: {value!r}; {error}") from error


def max_time_s(value: Any) -> float | None:
    """Seconds of a duration.

    Raises:
        ValueError: it is none above 0.
    """
    if value is None:
        return None
    try:
        return clock.duration_s(str(value))
    except ValueError as error:
        raise ValueError(f"max_time: {value!r}; {error}") from error


def scale(value: Any) -> Scale | None:
    """A size to scale to, also in the words of the command line.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, str | float):
        return parse_scale(str(value))
    is_pair = isinstance(value, tuple) and len(value) == 2
    if not (value is None or is_pair or isinstance(value, Fraction)):
        raise TypeError(f'scale: {value!r}; allowed are (width, height), "320x-2", "1/2", 0.5')
    found: Scale | None = value
    return found
