"""Two videos held against each other, frame by frame; prints nothing.

    reference, other --common_info--> planes of one kind --QualityMeter--> Comparison

Videos of one kind are compared in their own samples, others as pictures: RGB, each by its own tags.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from nvcodec.metrics.quality import Quality, QualityMeter, psnr_db
from nvcodec.metrics.vmaf import vmaf
from nvcodec.samples import Chroma
from nvcodec.video.color import picture_info, picture_planes
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.planar import rounded_to_8_bits
from nvcodec.video.writer import VideoWriter, create_video

OnPair = Callable[[int, float, Planes, Planes], None]


class Side(NamedTuple):
    """One of the two videos."""

    info: VideoInfo
    frames: Iterable[Planes]


@dataclass(frozen=True)
class FrameQuality:
    """How near one frame is to its twin; dB, MS-SSIM None for pictures too small for it."""

    frame: int
    psnr_rgb_db: float
    psnr_planes_db: tuple[float, ...]
    ms_ssim_rgb: float | None


@dataclass(frozen=True)
class Comparison:
    """Everything measured between two videos."""

    info: VideoInfo
    """Of the planes that were compared."""
    frames: tuple[FrameQuality, ...]
    quality: Quality
    """Of all frames together."""
    longer: str | None
    """Which has more frames than were compared: `reference`, `other`, None: neither."""
    vmaf: Mapping[str, float]
    """By model; empty where it was not asked for, or cannot be measured."""

    @property
    def plane_names(self) -> str:
        """A letter for each plane: YUV, Y or RGB."""
        return {Chroma.RGB: "RGB", Chroma.GRAY: "Y"}.get(self.info.chroma, "YUV")

    def worst(self, count: int) -> list[FrameQuality]:
        """The frames with the lowest PSNR-RGB, the worst first."""
        return sorted(self.frames, key=lambda frame: frame.psnr_rgb_db)[:count]


def common_info(reference: VideoInfo, other: VideoInfo) -> VideoInfo | None:
    """What two videos are compared as; None: they have not one size, or only one is grey.

    Their own samples if they have the same; else pictures, of 8 bits if one of them has 8.
    """
    is_apart = (reference.width, reference.height) != (other.width, other.height)
    grays = [info.chroma is Chroma.GRAY for info in (reference, other)]
    if is_apart or len(set(grays)) > 1:
        return None
    ours = replace(reference, mastering_display=None, content_light=None)  # changes no sample
    if _kind(reference) == _kind(other):
        return ours
    depths = [picture_info(info).depth for info in (reference, other)]
    return replace(picture_info(ours), depth=min(depths))


def _kind(info: VideoInfo) -> tuple[Chroma, int, str]:
    """What videos must share for their samples to mean the same."""
    return info.chroma, info.depth, "" if info.chroma is Chroma.RGB else info.color.range


def compare(
    reference: Side,
    other: Side,
    *,
    first: int = 0,
    with_vmaf: bool = False,
    on_frame: Callable[[int], None] = lambda count: None,
    on_pair: OnPair = lambda frame, psnr_db, reference, other: None,
) -> Comparison:
    """Compare frames in pairs, up to the end of the shorter video.

    Args:
        reference: What it should be.
        other: What it is; `common_info` of the two is not None.
        first: Number of the first frame.
        with_vmaf: Measure that too, over copies of both in a temporary folder.
        on_frame: Told how many frames are compared.
        on_pair: Told of every pair, in planes of `common_info`, with its number and PSNR-RGB.
    """
    info = common_info(reference.info, other.info)
    assert info is not None
    meter = QualityMeter(info)
    ours, theirs = _as(info, reference), _as(info, other)
    with contextlib.ExitStack() as stack:
        copies = []
        if with_vmaf:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            copies = [folder / "reference.y4m", folder / "other.y4m"]

        def tell(a: Planes, b: Planes) -> None:
            on_pair(first + meter.num_frames - 1, meter.frames_psnr_db[-1], a, b)
            on_frame(meter.num_frames)

        longer = _add_pairs(meter, ours, theirs, copies, tell)
        scores = vmaf(*copies) if copies else {}
    return Comparison(info, _by_frame(meter, first), meter.quality(), longer, scores)


def _as(info: VideoInfo, side: Side) -> Iterator[Planes]:
    """Frames of a video, as those that are compared."""
    depth = picture_info(side.info).depth
    for planes in side.frames:
        if _kind(side.info) == _kind(info):
            yield planes
            continue
        pictures = picture_planes(planes, side.info)
        if depth > info.depth:
            pictures = tuple(rounded_to_8_bits(p, depth, is_full=True) for p in pictures)
        yield pictures


def _add_pairs(
    meter: QualityMeter,
    ours: Iterator[Planes],
    theirs: Iterator[Planes],
    copies: list[Path],
    tell: Callable[[Planes, Planes], None],
) -> str | None:
    """Measure all pairs, and say which side has more."""
    with contextlib.ExitStack() as stack:
        writers: list[VideoWriter] = [
            stack.enter_context(create_video(path, meter.info)) for path in copies
        ]
        while True:
            a, b = next(ours, None), next(theirs, None)
            if a is None or b is None:
                return "reference" if a is not None else "other" if b is not None else None
            meter.add(a, b)
            for writer, planes in zip(writers, (a, b), strict=False):
                writer.write(planes)
            tell(a, b)


def _by_frame(meter: QualityMeter, first: int) -> tuple[FrameQuality, ...]:
    psnr_rgb, ms_ssim, *errors = meter.state()
    return tuple(
        FrameQuality(
            frame=first + number,
            psnr_rgb_db=psnr_rgb[number],
            psnr_planes_db=tuple(psnr_db(error, meter.info.depth) for error in errors[number]),
            ms_ssim_rgb=ms_ssim[number] if ms_ssim else None,
        )
        for number in range(meter.num_frames)
    )
