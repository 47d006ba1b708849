"""What an encoding is told besides its preset, and what it tells while it runs and at its end."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.expectation import Expectation
from nvcodec.fitting.record import FitRecord
from nvcodec.goals import Goal
from nvcodec.metrics.quality import Quality, mean_squared_error, psnr_db
from nvcodec.samples import Samples
from nvcodec.segments import Segment
from nvcodec.video import RawGeometry, VideoInfo
from nvcodec.video.color import planes_to_rgb
from nvcodec.video.conversion import for_looking
from nvcodec.video.ffmpeg import Between
from nvcodec.video.info import Pixels, Planes
from nvcodec.video.scaling import Scale

DEFAULT_SEGMENT_FRAMES = 600
"""Longest segment unless asked otherwise: a UVG sequence is one segment."""


_OF_SOURCE = ("frames", "scale", "frame_rate", "raw", "depth", "between")


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode, besides the preset."""

    samples: Samples | None = None
    """What is fitted; None: what the preset says, where the source has it."""
    segment_frames: int = DEFAULT_SEGMENT_FRAMES
    """Longest segment."""
    at_cuts: bool = False
    """Segments begin where scenes do, instead of being equally long."""
    gop: int = 1
    """Segments in a chain: all but its first are coded as changes of the one before."""
    seed: int = 0
    """Of initial values, batches and noise; segment n adds n."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`; of several, with commas between, each worker gets one."""
    workers: int | str = 1
    """How many segments are fitted at once, by processes; or `ray`, `ray://HOST:PORT`."""
    frames: slice | None = None
    """Range of the source's frames."""
    scale: Scale | None = None
    """Size to scale to first."""
    frame_rate: Fraction | None = None
    """Instead of the source's own, frames a second."""
    raw: RawGeometry | None = None
    """Geometry of a raw planar source."""
    depth: int | None = None
    """8: deeper samples are rounded to 8 bits; None: as the source has them."""
    workdir: Path | None = None
    """Where the job's state is kept, instead of `OUT.nvc.job`."""
    audio: bool = True
    """Keep audio, subtitles, chapters, attachments as they are."""
    between: Between | None = None
    """From when to when, in seconds, instead of `frames`."""
    restart: bool = False
    """Throw a stored job away."""
    overwrite: bool = False
    """Replace an output that is there."""
    verify: bool = True
    """Decode and measure what was written."""
    limits: Limits = DEFAULT_LIMITS
    """Those of the decoder to come."""
    goal: Goal | None = None
    """A size or a quality that lambda is turned for."""
    max_time_s: float | None = None
    """Seconds for the whole call, instead of the preset's epochs."""
    show_frames: bool = False
    """Tell of frames too, with `FrameShown`."""
    spent_s: float = 0.0
    """How many of them passed before it, loading Python and torch."""

    @property
    def needs_count(self) -> bool:
        """Whether segments share something, so that their number is to be known."""
        return self.max_time_s is not None or (self.goal is not None and self.goal.has_size)

    @property
    def devices(self) -> list[str]:
        """Names of all devices."""
        return self.device.split(",")

    def of_source(self) -> dict[str, Any]:
        """Those that `video.open_videos` takes."""
        return {name: getattr(self, name) for name in _OF_SOURCE}


@dataclass(frozen=True)
class PresetChosen:
    """A preset was chosen where none was named."""

    preset: str
    reason: str
    """In words, for one line."""


@dataclass(frozen=True)
class SegmentStarted:
    """A segment is about to be fitted."""

    number: int
    segment: Segment
    video: VideoInfo
    expected: Expectation
    is_resumed: bool


@dataclass(frozen=True)
class SegmentFitting:
    """Where the fitting of a segment stands."""

    number: int
    record: FitRecord


@dataclass(frozen=True, eq=False)
class FrameShown:
    """A frame beside its source, both for looking at: uint8 (H, W, 3), RGB.

    Told only where `EncodeOptions.show_frames` asks for it: now and then while a segment is fitted,
    as its quantized representation has the frame then; and at its end every frame in order.
    """

    frame: int
    """Of the video."""
    source: Pixels
    decoded: Pixels
    psnr_db: float
    """Between the two, at the source's depth."""
    is_final: bool
    """Whether it is decoded from the bytes of the file."""

    @classmethod
    def of(
        cls, frame: int, source: Planes, decoded: Planes, info: VideoInfo, *, is_final: bool
    ) -> Self:
        """A frame from planes in the samples of the source."""
        rgb = planes_to_rgb(source, info), planes_to_rgb(decoded, info)
        quality = psnr_db(mean_squared_error(*rgb), info.depth)
        before, after = for_looking(source, info), for_looking(decoded, info)
        return cls(frame, before, after, quality, is_final)


@dataclass(frozen=True)
class SegmentRefined:
    """What became of a segment that was coded before, in sections and PSNR-RGB."""

    number: int
    is_better: bool
    """False: it stays as it was."""
    bytes_before: int
    bytes_after: int
    psnr_before_db: float
    psnr_after_db: float


@dataclass(frozen=True)
class EncodeReport:
    """A finished encoding; quality is that of the decoded file, None when it was not measured."""

    num_frames: int
    num_segments: int
    size_bytes: int
    """Without what was copied beside the video."""
    rate_bpp: float
    bitrate_kbps: float
    quality: Quality | None
    fit_s: float
    decode_s: float
    streams_bytes: int = 0
    """Bytes of audio and the like, copied as they are."""
    was_there: bool = False
    """Whether an earlier call had finished the file already."""
    frames_psnr_db: tuple[float, ...] = field(default=(), repr=False)
    """PSNR-RGB of every frame; empty where it was not measured."""


Event = PresetChosen | SegmentStarted | SegmentFitting | FrameShown | SegmentRefined
