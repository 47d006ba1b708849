"""Which size a video is scaled to, as it is asked for: in pixels, by one side, or by a share."""

import math
import re
from fractions import Fraction

Scale = tuple[int, int] | Fraction
"""(width, height), one of which may be `KEPT`; or a share of both sides, rounded to even sizes."""
KEPT = -2
"""A side that follows from the other, the shape being kept: the nearest even number."""
ALLOWED = "allowed are WxH, Wx-2 and -2xH (even, the shape kept), 1/2, 0.5"


def parse_scale(text: str) -> Scale:
    """A scale as people write it.

    Raises:
        ValueError: It is none.
    """
    if match := re.fullmatch(r"([1-9][0-9]{0,4}|-2)x([1-9][0-9]{0,4}|-2)", text):
        size = int(match[1]), int(match[2])
        if size != (KEPT, KEPT):
            return size
    elif re.fullmatch(r"[0-9]{1,4}/[1-9][0-9]{0,3}|[0-9]{0,2}\.[0-9]{1,6}|1", text):
        share = Fraction(text)
        if share > 0:
            return share
    raise ValueError(f"scale {text!r}: {ALLOWED}")


def scale_text(scale: Scale) -> str:
    """The text that `parse_scale` reads it from."""
    return str(scale) if isinstance(scale, Fraction) else f"{scale[0]}x{scale[1]}"


def scaled_size(scale: Scale, width: int, height: int) -> tuple[int, int]:
    """(width, height) that a video of this size gets."""
    if isinstance(scale, Fraction):
        return _even(width * scale), _even(height * scale)
    wide, high = scale
    if wide == KEPT:
        return _even(Fraction(width * high, height)), high
    return wide, _even(Fraction(height * wide, width)) if high == KEPT else high


def scale_filter(scale: Scale) -> str:
    """Width and height as ffmpeg's scale filter takes them, to the same size."""
    if isinstance(scale, tuple):
        return f"{scale[0]}:{scale[1]}"
    over, under = scale.numerator, scale.denominator
    even = f"'max(2,2*floor(({{}}*{over}+{under})/{2 * under}))'"
    return f"{even.format('iw')}:{even.format('ih')}"


def _even(side: Fraction) -> int:
    """The nearest even number, the larger of two, at least 2."""
    return max(2, 2 * math.floor((side + 1) / 2))
