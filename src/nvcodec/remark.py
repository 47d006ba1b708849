"""What HEAD's remark says of a file's maker, for people, and for fitting it further.

nvcodec 0.1.0 nvrc-tiny              fitted by this preset
nvcodec 0.1.0 nvrc-tiny lmbda=120    with this weight of the distortion instead of its own
"""

import re
from typing import NamedTuple

from nvcodec.version import __version__

PATTERN = re.compile(r"nvcodec \S+ (?P<preset>.+?)(?: lmbda=(?P<lmbda>[0-9.e+-]+))?")


class Maker(NamedTuple):
    """Which recipe a file comes from."""

    preset: str
    lmbda: float | None
    """Where it is not the preset's own."""


def remark_of(preset: str, lmbda: float | None = None) -> str:
    """The remark of a file that is made now."""
    return f"nvcodec {__version__} {preset}" + ("" if lmbda is None else f" lmbda={lmbda:.9g}")


def maker_of(remark: str) -> Maker | None:
    """What a remark says; None where it is none of ours."""
    match = PATTERN.fullmatch(remark)
    try:
        lmbda = float(match["lmbda"]) if match and match["lmbda"] else None
    except ValueError:
        return None
    return Maker(match["preset"], lmbda) if match else None
