"""What an encoding is told besides its preset, and what it tells while it runs and at its end."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.fitting.loop import FitRecord
from nvcodec.metrics.quality import Quality
from nvcodec.samples import Samples
from nvcodec.segments import Segment
from nvcodec.video import RawGeometry, VideoInfo

DEFAULT_SEGMENT_FRAMES = 600
"""Longest segment unless asked otherwise: a UVG sequence is one segment."""


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode, besides the preset.

    `frames` picks a range of the source, `scale` is (width, height), `frame_rate` replaces the
    source's own, `raw` is the geometry of a raw planar source. `workdir` keeps the job instead of
    `OUT.nvc.job`; `restart` throws a stored job away; `overwrite` allows to replace the target;
    `verify` decodes and measures what was written; `limits` are those of the decoder to come.
    `max_time_s` replaces the preset's epochs by a time for everything, of which `spent_s` is gone.
    """

    samples: Samples | None = None
    segment_frames: int = DEFAULT_SEGMENT_FRAMES
    seed: int = 0
    device: str = "auto"
    frames: slice | None = None
    scale: tuple[int, int] | None = None
    frame_rate: Fraction | None = None
    raw: RawGeometry | None = None
    workdir: Path | None = None
    restart: bool = False
    overwrite: bool = False
    verify: bool = True
    limits: Limits = DEFAULT_LIMITS
    max_time_s: float | None = None
    spent_s: float = 0.0


@dataclass(frozen=True)
class SegmentStarted:
    """A segment is about to be fitted."""

    number: int
    segment: Segment
    video: VideoInfo
    num_parameters: int
    macs_per_frame: int
    predicted_bytes: int
    memory_bytes: int
    is_resumed: bool


@dataclass(frozen=True)
class SegmentFitting:
    """Where the fitting of a segment stands."""

    number: int
    record: FitRecord


@dataclass(frozen=True)
class EncodeReport:
    """A finished encoding; quality is that of the decoded file, None when it was not measured."""

    num_frames: int
    num_segments: int
    size_bytes: int
    rate_bpp: float
    bitrate_kbps: float
    quality: Quality | None
    fit_s: float
    decode_s: float


Event = SegmentStarted | SegmentFitting
