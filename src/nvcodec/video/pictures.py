"""Frames into pictures, through a pipe into ffmpeg: numbered ones, a single one, one that moves.

All of them are RGB or grey in full range. `.jpg` and a `.webp` that moves lose a little, `.gif` has
256 colours for all its frames, the others keep every sample; more than 8 bits go into `.png`,
`.apng` and `.tif` as 16. Which files a video is *read* from stands in images.py.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nvcodec.errors import UnsupportedVideoError
from nvcodec.samples import Chroma
from nvcodec.video.color import (
    BT601,
    PICTURE_DEPTH,
    picture_info,
    picture_planes,
    yuv_planes_of_rgb,
)
from nvcodec.video.encoders import Conversion, FfmpegSink, warn_rate
from nvcodec.video.hdr import without_hdr
from nvcodec.video.images import FIELD
from nvcodec.video.info import Planes, VideoInfo, VideoWarning
from nvcodec.video.planar import rounded_to_8_bits


@dataclass(frozen=True)
class _Format:
    """How ffmpeg writes one kind of picture."""

    options: Mapping[str, Any]
    rgb: str = "rgb24"
    """Pixel format of colours."""
    gray: str = "gray"
    deep: tuple[str, str] | None = None
    """The same for more than 8 bits a sample; None: they are rounded to 8."""
    filters: str = ""
    """Behind everything else."""


_JPEG = _Format({"vcodec": "mjpeg", "qscale": 2}, "yuvj444p", "yuvj444p")
_TIFF = _Format({"vcodec": "tiff"}, deep=("rgb48le", "gray16le"))
_PNG_DEEP = ("rgb48be", "gray16be")
STILLS: Mapping[str, _Format] = {
    ".png": _Format({"vcodec": "png"}, deep=_PNG_DEEP),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format({"vcodec": "libwebp", "lossless": 1}, "bgra", "bgra"),
    ".bmp": _Format({"vcodec": "bmp"}, "bgr24"),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
"""Pictures of one frame, by ending."""
MOVING: Mapping[str, _Format] = {
    ".gif": _Format(
        {"format": "gif", "vcodec": "gif", "loop": 0},
        "pal8",
        "pal8",
        filters="split[a][b];[a]palettegen[p];[b][p]paletteuse",  # ffmpeg keeps all frames for this
    ),
    ".apng": _Format({"format": "apng", "vcodec": "apng", "plays": 0}, deep=_PNG_DEEP),
    ".webp": _Format(
        {"format": "webp", "vcodec": "libwebp_anim", "quality": 90, "loop": 0},
        "yuv420p",
        "yuv420p",
    ),
}
"""Pictures of many frames, by ending."""


def is_pattern(path: Path) -> bool:
    """Whether numbered pictures are written for this name, such as `%05d.png`."""
    return path.suffix.lower() in STILLS and len(FIELD.findall(path.name)) == 1


def numbered_sink(
    info: VideoInfo, pattern: Path, where: str
) -> tuple[FfmpegSink, VideoInfo, Conversion]:
    """Sink for numbered pictures, the first with number 1."""
    path = f"{str(pattern.parent).replace('%', '%%')}/{pattern.name}"
    options = {"format": "image2"}
    return _sink(FfmpegSink, info, STILLS[pattern.suffix.lower()], options, path, where)


def picture_sink(
    info: VideoInfo, path: Path, where: str
) -> tuple[FfmpegSink, VideoInfo, Conversion]:
    """Sink for one file: a picture, or, by its ending and the number of frames, one that moves.

    Raises:
        UnsupportedVideoError: It holds one frame, and there are more.
    """
    suffix = path.suffix.lower()
    if suffix in MOVING and not (suffix in STILLS and info.num_frames == 1):
        warn_rate(info, suffix, where)
        return _sink(FfmpegSink, info, MOVING[suffix], {}, str(path), where)
    if info.num_frames not in (None, 1):
        raise _too_many(where, f"{info.num_frames} frames")
    options = {"format": "image2", "update": 1}
    return _sink(_SingleSink, info, STILLS[suffix], options, str(path), where)


class _SingleSink(FfmpegSink):
    """Takes one frame; a pipe shows late that it has more."""

    _is_full = False

    def write(self, planes: Planes) -> None:
        if self._is_full:
            raise _too_many(self.where, "more")
        self._is_full = True
        super().write(planes)


def _too_many(where: str, seen: str) -> UnsupportedVideoError:
    path = Path(where)
    return UnsupportedVideoError(
        f"{where}: holds one frame, there are {seen}; {path.parent / path.stem}/ or "
        f"{path.with_stem(path.stem + '%03d')} holds them all",
        "{at} chooses one",
    )


def _sink(
    kind: type[FfmpegSink],
    info: VideoInfo,
    form: _Format,
    options: Mapping[str, Any],
    path: str,
    where: str,
) -> tuple[FfmpegSink, VideoInfo, Conversion]:
    stored, is_gray = without_hdr(picture_info(info), where), info.chroma is Chroma.GRAY
    is_jpeg, is_rounded = form is _JPEG and not is_gray, info.depth > 8 and form.deep is None
    formats = (form.rgb, form.gray) if info.depth == 8 or form.deep is None else form.deep
    if is_rounded:
        text = f"{where}: {info.depth} bits a sample, written as 8"
        warnings.warn(text, VideoWarning, stacklevel=2)
        stored = replace(stored, depth=8)
    if is_jpeg:  # JFIF: full range, BT.601
        color = replace(stored.color, matrix=BT601)
        stored = replace(stored, chroma=Chroma.YUV444, color=color)
    filters = [f for f in ("setparams=range=pc" if is_gray or is_jpeg else "", form.filters) if f]
    outputs = {**form.options, **options, "pix_fmt": formats[is_gray]}
    if filters:
        outputs["vf"] = ",".join(filters)

    def convert(planes: Planes) -> Planes:
        planes = picture_planes(planes, info)
        if is_rounded:
            planes = tuple(
                rounded_to_8_bits(plane, PICTURE_DEPTH, is_full=True) for plane in planes
            )
        return yuv_planes_of_rgb(planes, stored) if is_jpeg else planes

    return kind(stored, outputs, path, where), stored, convert
