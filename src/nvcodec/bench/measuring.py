"""Every quality of a decoded file against its source, in one pass over both.

PSNR and MS-SSIM as in `metrics.quality`, at the depth of the source, MS-SSIM of luma beside it,
VMAF by ffmpeg. Where a codec gives a source of 8 bits more, they are rounded away. An RGB source is
compared in RGB: what a YUV codec makes of it is turned back by the same conversion that made its
input.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nvcodec.bench.points import Source
from nvcodec.errors import VerificationError
from nvcodec.metrics.ffmpeg_rgb import psnr_rgb_ffmpeg_db
from nvcodec.metrics.quality import MIN_MS_SSIM_SIDE, QualityMeter, ms_ssim
from nvcodec.metrics.vmaf import vmaf
from nvcodec.video import Chroma, ColorTags, Planes, VideoInfo, create_video
from nvcodec.video import open_video as open_any
from nvcodec.video.color import planes_to_rgb, rgb_to_planes


@dataclass(frozen=True)
class Measured:
    """What was measured of a decoded file."""

    quality: dict[str, Any]
    digest: str
    """Of every decoded sample, at the depth of the source."""


def coded_info(info: VideoInfo) -> VideoInfo:
    """What a baseline is given: the source's own samples; 4:2:0 by BT.601 for an RGB source."""
    if info.chroma is not Chroma.RGB:
        return info
    return replace(info, chroma=Chroma.YUV420, color=ColorTags("limited"))


def write_y4m(source: Source) -> None:
    """Write the source as Y4M for encoders and for VMAF."""
    target = coded_info(source.seen.info)
    with source.clip.open() as video, create_video(source.y4m, target, overwrite=True) as copy:
        for planes in video:
            is_rgb = video.info.chroma is Chroma.RGB
            copy.write(rgb_to_planes(np.stack(planes, axis=-1), target) if is_rgb else planes)


def measure(source: Source, decoded: Path, work: Path, picture: Path | None = None) -> Measured:
    """Compare a decoded file with its source.

    Args:
        source: the clip.
        decoded: Y4M, or a folder of pictures for an RGB source.
        work: folder for what is in between.
        picture: where the middle frame goes, as PNG.

    Raises:
        VerificationError: another size, other samples, or another number of frames.
    """
    info = source.seen.info
    meter, digest = QualityMeter(info), hashlib.blake2b(digest_size=16)
    ms_ssim_y: list[float] = []
    has_luma = info.chroma is not Chroma.RGB
    is_large = min(info.height, info.width) >= MIN_MS_SSIM_SIDE
    rounded = work / "rounded.y4m"
    with ExitStack() as stack:
        video = stack.enter_context(open_any(decoded, depth=8 if info.depth == 8 else None))
        coded = _coded_samples(video.info, info)
        copy = None
        if has_luma:
            copy = stack.enter_context(create_video(rounded, info, overwrite=True))
        references, others = _reference_frames(source, stack), iter(video)
        for number, reference in enumerate(references):
            planes = next(others, None)
            if planes is None:
                raise VerificationError(_count(number, source))
            for plane in planes:
                digest.update(plane.tobytes())
            if coded is not info:
                rgb = planes_to_rgb(planes, coded)
                planes = tuple(np.ascontiguousarray(rgb[..., c]) for c in range(3))
            meter.add(reference, planes)
            if copy is not None:
                copy.write(planes)
                if is_large:
                    lumas = reference[0][..., None], planes[0][..., None]
                    ms_ssim_y.append(ms_ssim(*lumas, info.depth))
            if picture is not None and number == source.seen.num_frames // 2:
                save_picture(planes, info, picture)
        if next(others, None) is not None:
            raise VerificationError(_count(source.seen.num_frames + 1, source))
    quality = meter.quality()
    scores: dict[str, float] = {}
    by_ffmpeg = None
    if info.chroma not in (Chroma.RGB, Chroma.GRAY):
        scores = vmaf(source.y4m, rounded)
        if info.depth == 8:
            by_ffmpeg = psnr_rgb_ffmpeg_db(source.y4m, rounded, info.width, info.height)
    rounded.unlink(missing_ok=True)
    return Measured(
        {
            "psnr_rgb_db": quality.psnr_rgb_db,
            "psnr_rgb_ffmpeg_db": by_ffmpeg,
            "psnr_yuv_db": quality.psnr_yuv_db,
            "psnr_planes_db": list(quality.psnr_planes_db),
            "ms_ssim_rgb": quality.ms_ssim_rgb,
            "ms_ssim_y": float(np.mean(ms_ssim_y)) if ms_ssim_y else None,
            "vmaf": scores.get("vmaf"),
            "vmaf_neg": scores.get("vmaf_neg"),
        },
        digest.hexdigest(),
    )


def _coded_samples(seen: VideoInfo, info: VideoInfo) -> VideoInfo:
    """What decoded samples are: the source's own, or YUV that goes back to its RGB.

    Raises:
        VerificationError: neither of them.
    """
    converts_back_to_rgb = info.chroma is Chroma.RGB and seen.chroma is not Chroma.RGB
    coded = coded_info(info) if converts_back_to_rgb else info
    found, wanted = (
        f"{one.width}x{one.height} {one.chroma.value} of {one.depth} bits" for one in (seen, coded)
    )
    if found != wanted:
        raise VerificationError(f"decoded: {found}, the source is {wanted}")
    return coded


def save_source_picture(source: Source, picture: Path) -> None:
    """Store the source's middle frame as PNG."""
    with ExitStack() as stack:
        for number, planes in enumerate(_reference_frames(source, stack)):
            if number == source.seen.num_frames // 2:
                save_picture(planes, source.seen.info, picture)
                return


def save_picture(planes: Planes, info: VideoInfo, picture: Path) -> None:
    """Store one frame as PNG, in the RGB that PSNR is measured on."""
    rgb = planes_to_rgb(planes, info)
    if rgb.shape[-1] == 1:
        rgb = np.repeat(rgb, 3, axis=-1)
    described = replace(info, chroma=Chroma.RGB, color=ColorTags("full"), num_frames=None)
    folder = picture.with_suffix("")
    with create_video(folder, described, overwrite=True) as target:
        target.write(tuple(np.ascontiguousarray(rgb[..., c]) for c in range(3)))
    next(folder.glob("*.png")).replace(picture)
    folder.rmdir()


def _reference_frames(source: Source, stack: ExitStack) -> Iterator[Planes]:
    """Frames of the source in its own samples."""
    if source.seen.info.chroma is Chroma.RGB:
        return iter(stack.enter_context(source.clip.open()))
    return iter(stack.enter_context(open_any(source.y4m)))


def _count(seen: int, source: Source) -> str:
    more = "at least " if seen > source.seen.num_frames else ""
    return f"decoded: {more}{seen} frames, the source has {source.seen.num_frames}"
