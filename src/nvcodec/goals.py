"""What a user wants of a file: a size, a quality, or both; and how far something is from that.

Distances are in octaves of lambda, as that is what is turned: `Response` says how much size and
quality change with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from nvcodec.errors import VideoError

SIZE_MARGIN = 0.02
"""Share of the size asked for that a file may stay below it."""
DB_MARGIN, VMAF_MARGIN = 0.2, 0.5
"""How far from the quality asked for a file may be."""
SIZE_AIM, DB_AIM, VMAF_AIM = 0.992, 0.05, 0.1
"""Where steering aims: a share of the size, and what is added to a quality."""
MOST_BYTES = 1 << 62
"""More than any file."""
MOST = {"size_bytes": MOST_BYTES, "psnr_db": 100, "vmaf": 100}
"""What may be asked for; no picture exceeds such a quality without being the source itself."""
STATISTICS = ("mean", "worst", "pN")


@dataclass(frozen=True)
class Response:
    """What an octave of lambda does."""

    size_octaves: float
    db: float
    vmaf: float = 3.0


@dataclass(frozen=True)
class Measured:
    """What a file, or a segment of one, has come to."""

    size_bytes: int
    psnr_db: float | None = None
    """PSNR-RGB in the statistic of the goal."""
    vmaf: float | None = None


@dataclass(frozen=True)
class Goal:
    """A size or a bitrate, qualities, or both: then the size is never exceeded."""

    size_bytes: int | None = None
    bitrate_kbps: float | None = None
    psnr_db: float | None = None
    vmaf: float | None = None
    of: str = "mean"
    """Statistic of a quality over the frames: mean, worst, or p5 for the 5th percentile."""

    def __post_init__(self) -> None:
        if self.size_bytes is not None and self.bitrate_kbps is not None:
            raise ValueError("a size and a bitrate; allowed is one of them")
        for name in ("size_bytes", "bitrate_kbps", "psnr_db", "vmaf"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} {value}; allowed are numbers above 0")
            if value is not None and name in MOST and value > MOST[name]:
                raise ValueError(f"{name} {value:g}; allowed are up to {MOST[name]}")
        percentile(self.of)

    @property
    def has_quality(self) -> bool:
        """Whether pictures are to be measured."""
        return self.psnr_db is not None or self.vmaf is not None

    @property
    def has_size(self) -> bool:
        """Whether bytes are bounded."""
        return self.size_bytes is not None or self.bitrate_kbps is not None

    def sized(self, num_frames: int | None, frame_rate: Fraction) -> "Goal":
        """The same with its bitrate as a size.

        Raises:
            VideoError: there is a size or a bitrate, and the number of frames is not known.
        """
        if not self.has_size:
            return self
        if num_frames is None:
            raise VideoError(
                "how many frames are to come is not known, and all of them share the bytes",
                "{frames} names them",
            )
        size = self.size_bytes
        if self.bitrate_kbps is not None:
            size = min(int(125 * self.bitrate_kbps * num_frames / frame_rate), MOST_BYTES)
            if size == 0:
                raise VideoError(f"bitrate {self.bitrate_kbps} kbit/s: makes 0 bytes in all")
        return replace(self, size_bytes=size, bitrate_kbps=None)

    def statistic(self, values: Sequence[float]) -> float:
        """Of a quality's values by frame."""
        rank = percentile(self.of)
        if rank is None:
            return sum(values) / len(values)
        return sorted(values)[round(rank / 100 * (len(values) - 1))]

    def octaves(self, measured: Measured, response: Response) -> float:
        """By how much to change lambda; below 0: fewer bytes."""
        qualities = []
        if self.psnr_db is not None and measured.psnr_db is not None:
            qualities.append((self.psnr_db + DB_AIM - measured.psnr_db) / response.db)
        if self.vmaf is not None and measured.vmaf is not None:
            qualities.append((self.vmaf + VMAF_AIM - measured.vmaf) / response.vmaf)
        found = [max(qualities)] if qualities else []
        if self.size_bytes is not None:
            share = SIZE_AIM * self.size_bytes / measured.size_bytes
            found.append(math.log2(max(share, 2.0**-30)) / response.size_octaves)
        return min(found, default=0.0)

    def is_met(self, measured: Measured) -> bool:
        """Whether nothing is left to do."""
        is_small = self.size_bytes is None or measured.size_bytes <= self.size_bytes
        if not self.has_quality:
            assert self.size_bytes is not None
            return is_small and measured.size_bytes >= (1 - SIZE_MARGIN) * self.size_bytes
        above = [
            (seen - asked) / margin
            for seen, asked, margin in (
                (measured.psnr_db, self.psnr_db, DB_MARGIN),
                (measured.vmaf, self.vmaf, VMAF_MARGIN),
            )
            if seen is not None and asked is not None
        ]
        is_near = all(value >= -1 for value in above) and min(above) <= 1
        if is_small and not is_near and self.size_bytes is not None and min(above) < -1:
            return measured.size_bytes >= (1 - SIZE_MARGIN) * self.size_bytes
        return is_small and is_near

    def miss(self, measured: Measured, response: Response) -> float:
        """How bad it is, 0 for where steering aims; too large a file is worse than anything."""
        distance = abs(self.octaves(measured, response))
        is_small = self.size_bytes is None or measured.size_bytes <= self.size_bytes
        return distance if is_small else 1000 + distance

    def compared(self, measured: Measured) -> str:
        """What was reached beside what was asked for, in words."""
        of = "" if self.of == "mean" else f" of {self.of}"
        pairs = (
            (measured.size_bytes, self.size_bytes, "", "{:,} bytes"),
            (measured.psnr_db, self.psnr_db, f"PSNR-RGB{of} ", "{:.2f} dB"),
            (measured.vmaf, self.vmaf, f"VMAF{of} ", "{:.1f}"),
        )
        return ", ".join(
            f"{name}{words.format(seen)}, {words.format(asked)} asked for"
            for seen, asked, name, words in pairs
            if seen is not None and asked is not None
        )

    def settings(self) -> dict[str, Any]:
        """Plain values, of what is asked for."""
        own = {
            "size_bytes": self.size_bytes,
            "bitrate_kbps": self.bitrate_kbps,
            "psnr_db": self.psnr_db,
            "vmaf": self.vmaf,
        }
        return {name: value for name, value in own.items() if value is not None} | {"of": self.of}


def percentile(of: str) -> float | None:
    """The rank, 0 to 100, that a statistic's name means; None for the mean.

    Raises:
        ValueError: there is none of this name.
    """
    if of == "mean":
        return None
    if of == "worst":
        return 0.0
    if of[:1] == "p" and of[1:].isascii() and of[1:].isdecimal() and int(of[1:]) <= 100:
        return float(of[1:])
    raise ValueError(f"statistic {of!r}; allowed are {', '.join(STATISTICS)} with N up to 100")
