"""What an encoding is told besides its preset, and what it tells while it runs and at its end."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.expectation import Expectation
from nvcodec.fitting.record import FitRecord
from nvcodec.metrics.quality import Quality
from nvcodec.samples import Samples
from nvcodec.segments import Segment
from nvcodec.video import RawGeometry, VideoInfo

DEFAULT_SEGMENT_FRAMES = 600
"""Longest segment unless asked otherwise: a UVG sequence is one segment."""


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode, besides the preset."""

    samples: Samples | None = None
    """What is fitted; None: what the preset says, where the source has it."""
    segment_frames: int = DEFAULT_SEGMENT_FRAMES
    """Longest segment."""
    seed: int = 0
    """Of initial values, batches and noise; segment n adds n."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`."""
    frames: slice | None = None
    """Range of the source's frames."""
    scale: tuple[int, int] | None = None
    """(width, height) to scale to first."""
    frame_rate: Fraction | None = None
    """Instead of the source's own, frames a second."""
    raw: RawGeometry | None = None
    """Geometry of a raw planar source."""
    workdir: Path | None = None
    """Where the job's state is kept, instead of `OUT.nvc.job`."""
    restart: bool = False
    """Throw a stored job away."""
    overwrite: bool = False
    """Replace an output that is there."""
    verify: bool = True
    """Decode and measure what was written."""
    limits: Limits = DEFAULT_LIMITS
    """Those of the decoder to come."""
    max_time_s: float | None = None
    """Seconds for the whole call, instead of the preset's epochs."""
    spent_s: float = 0.0
    """How many of them passed before it, loading Python and torch."""

    def of_source(self) -> dict[str, Any]:
        """Those that `video.open_videos` takes."""
        return {name: getattr(self, name) for name in ("frames", "scale", "frame_rate", "raw")}


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
    rate_bpp: float
    bitrate_kbps: float
    quality: Quality | None
    fit_s: float
    decode_s: float
    was_there: bool = False
    """Whether an earlier call had finished the file already."""


Event = PresetChosen | SegmentStarted | SegmentFitting | SegmentRefined
