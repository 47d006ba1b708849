"""What HEAD's remark says of a file's maker, for people, and for fitting it further.

nvcodec 0.1.0 nvrc-tiny              fitted by this preset
nvcodec 0.1.0 nvrc-tiny lmbda=120    with this weight of the distortion instead of its own
nvcodec 0.1.0 nvrc-tiny #0a1b2c3d    a hash of all settings, which tells one encoding from another
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from nvcodec.version import __version__

PATTERN = re.compile(
    r"nvcodec \S+ (?P<preset>.+?)(?: lmbda=(?P<lmbda>[0-9.e+-]+))?(?: #[0-9a-f]{8})?"
)


class Maker(NamedTuple):
    """Which recipe a file comes from."""

    preset: str
    lmbda: float | None
    """Where it is not the preset's own."""


def remark_of(
    preset: str, lmbda: float | None = None, settings: Mapping[str, Any] | None = None
) -> str:
    """The remark of a file that is made now, by settings that JSON holds."""
    words = ["nvcodec", __version__, preset]
    if lmbda is not None:
        words.append(f"lmbda={lmbda:.9g}")
    if settings is not None:
        text = json.dumps(settings, sort_keys=True).encode()
        words.append("#" + hashlib.blake2b(text, digest_size=4).hexdigest())
    return " ".join(words)


def maker_of(remark: str) -> Maker | None:
    """What a remark says; None where it is none of ours."""
    match = PATTERN.fullmatch(remark)
    try:
        lmbda = float(match["lmbda"]) if match and match["lmbda"] else None
    except ValueError:
        return None
    return Maker(match["preset"], lmbda) if match else None
