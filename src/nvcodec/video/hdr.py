"""HDR metadata that stand beside the samples: the mastering display and the content's light level.

Read from what ffmpeg's `showinfo` says of a frame. It prints chromaticities with four digits where
they have five, so that those of a file are read once more, as `matroska` says.
"""

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace

from nvcodec.samples import ContentLight, MasteringDisplay
from nvcodec.video.info import VideoInfo, VideoWarning

UNITS = 8 * (50_000,) + 2 * (10_000,)
"""Of the fields of `MasteringDisplay`: in 1, and in 1 cd/m2."""
_NUMBER = r"[ ,]*([0-9]+\.[0-9]+)"
_MASTERING = re.compile(
    rf"has_primaries:(\d) has_luminance:(\d) r\({_NUMBER * 2}\) g\({_NUMBER * 2}\) "
    rf"b\({_NUMBER * 2}\) wp\({_NUMBER * 2}\) min_luminance={_NUMBER}, max_luminance={_NUMBER}"
)
_LIGHT = re.compile(r"MaxCLL=(\d+), MaxFALL=(\d+)")
_NOT_KEPT = {
    "Dolby Vision": "Dolby Vision metadata",
    "HDR Dynamic Metadata": "HDR10+ metadata",
    "Dynamic Metadata SMPTE2094": "HDR10+ metadata",
    "Ambient viewing environment": "the ambient viewing environment",
}


def has_hdr(info: VideoInfo) -> bool:
    """Whether a video has such metadata."""
    return info.mastering_display is not None or info.content_light is not None


def without_hdr(info: VideoInfo, where: str) -> VideoInfo:
    """The same video for a target that does not take such metadata; says so where there are any."""
    if has_hdr(info):
        text = f"{where}: written without the mastering display and light level"
        warnings.warn(text, VideoWarning, stacklevel=2)
    return replace(info, mastering_display=None, content_light=None)


def movie_hdr(info: VideoInfo, suffix: str, where: str) -> VideoInfo:
    """The same video with what a movie can hold of such metadata; says what it cannot."""
    if suffix == ".avi":
        return without_hdr(info, where)
    if info.content_light is not None and 0 in info.content_light:  # ffmpeg takes both or none
        text = f"{where}: written without the light level, of which one number is not stated"
        warnings.warn(text, VideoWarning, stacklevel=2)
        return replace(info, content_light=None)
    return info


class HdrReport:
    """What `showinfo` says of a video's side data, line by line."""

    def __init__(self) -> None:
        self.mastering_display: MasteringDisplay | None = None
        self.content_light: ContentLight | None = None
        self.lost: dict[str, None] = {}
        """What is there and is not kept, in order."""

    def on_line(self, line: str) -> None:
        """Take note of a line; the first of its kind counts."""
        if match := _MASTERING.search(line):
            self.mastering_display = self.mastering_display or _printed(*match.groups())
        elif match := _LIGHT.search(line):
            pixel, mean = (int(text) for text in match.groups())
            if max(pixel, mean) < 1 << 16 and pixel + mean:
                self.content_light = self.content_light or ContentLight(pixel, mean)
        for words, name in _NOT_KEPT.items():
            if f"side data - {words}" in line:
                self.lost[name] = None


def mastering_display(numbers: Sequence[float]) -> MasteringDisplay | None:
    """From chromaticities and luminances in cd/m2; None for none, and for what no display has."""
    if not all(map(math.isfinite, numbers)):
        return None
    values = [round(number * unit) for number, unit in zip(numbers, UNITS, strict=True)]
    if not any(values) or min(values) < 0:
        return None
    fits = max(values[:8]) < 1 << 16 and max(values[8:]) < 1 << 32
    return MasteringDisplay(*values) if fits else None


def _printed(primaries: str, luminance: str, *texts: str) -> MasteringDisplay | None:
    """From what `showinfo` prints; what is not stated is 0."""
    *places, low, high = (float(text) for text in texts)
    stated = [place * (primaries == "1") for place in places]
    return mastering_display([*stated, *(light * (luminance == "1") for light in (high, low))])
