"""Times as people write them: durations (1h30m, 90s) and moments of a video (12.5, 1:02:03.5)."""

import re
from fractions import Fraction


def duration_s(text: str) -> float:
    """`1h30m`, `5m`, `90s` or plain seconds, above 0, as seconds.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text)
    seconds = 0.0
    if match is not None:
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = 3600 * hours + 60 * minutes + rest
    if seconds <= 0:
        raise ValueError("expected a time such as 90s, 5m or 1h30m")
    return seconds


def moment_s(text: str) -> Fraction:
    """`12.5`, `1:02.5` or `1:02:03.5`, from 0 on, as seconds.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d{1,9})?)", text)
    if match is None:
        raise ValueError("expected seconds or h:m:s, such as 12.5 or 1:02:03.5")
    hours, minutes, rest = (Fraction(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest
