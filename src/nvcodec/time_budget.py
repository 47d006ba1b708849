"""Time for a whole encoding, and each segment's share of it."""

import math
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import torch

from nvcodec.coding.parameters import Parameter
from nvcodec.coding.scheme import Scheme
from nvcodec.fitting.evaluation import EvaluationPolicy
from nvcodec.metrics.quality import QualityMeter
from nvcodec.representations.representation import Representation
from nvcodec.segment_values import band_height
from nvcodec.segments import Segment
from nvcodec.video.info import Planes, VideoInfo

START_S = 0.3
"""For reading, writing, and whatever else is quick."""


LATE = 1.1
"""Share of a limit up to which nothing is said of what is over it."""


class TimeWarning(UserWarning):
    """More time was needed than there was."""


@dataclass
class TimeBudget:
    """What there is in all, and what is gone."""

    limit_s: float
    before_s: float = 0.0
    """Spent before this process' encoding began, in all runs of the job."""
    started: float = field(default_factory=time.monotonic)

    @property
    def spent_s(self) -> float:
        """In all runs of the job."""
        return time.monotonic() - self.started + self.before_s

    def say_if_late(self) -> None:
        """Warn if much more was spent than there was."""
        if self.spent_s > LATE * self.limit_s + START_S:
            warnings.warn(
                f"took {self.spent_s:.1f} s instead of {self.limit_s:.1f} s: a whole pass needs "
                "more, or the machine was slower at the end than when its pace was measured",
                TimeWarning,
                stacklevel=2,
            )

    def share_s(self, segment: Segment, num_frames: int, num_workers: int = 1) -> float:
        """Time for one segment: as much of what is left as it has of the frames left.

        Of several workers each has its part of these frames, in whole segments like this one.
        """
        num_left = num_frames - segment.start
        num_rounds = math.ceil(num_left / (num_workers * segment.num_frames))
        num_own = max(num_rounds * segment.num_frames, num_left / num_workers)
        return (self.limit_s - self.spent_s) * segment.num_frames / min(num_left, num_own)


def measure_overhead_s(
    representation: Representation[Any],
    scheme: Scheme[Any],
    frame: Planes,
    info: VideoInfo,
    *,
    verify: bool,
) -> float:
    """Time that follows a fitting: its last evaluation, coding, and decoding and measuring if so.

    Goes by coding the values as they are, and by rendering one frame.
    """
    started = time.monotonic()
    parameters = dict(representation.named_parameters())
    values = [
        Parameter(spec, parameters[spec.name].detach().float().cpu().numpy())
        for spec in representation.specs
    ]
    scheme.pack(scheme.quantize(values))
    coding_s = time.monotonic() - started
    first = torch.zeros(1, dtype=torch.int64)
    band = band_height(representation.config, representation.shape)
    for _ in range(2):  # the first time takes longer
        started = time.monotonic()
        with torch.inference_mode():
            representation.render(first, band).cpu()
        render_s = time.monotonic() - started
        QualityMeter(info).add(frame, frame)
        frame_s = time.monotonic() - started
    count = representation.shape.num_frames
    # Coded once for its size, and once for the shares of it.
    evaluation_s = 2 * coding_s + render_s * min(EvaluationPolicy().num_frames, count)
    return START_S + evaluation_s + coding_s + verify * (coding_s + frame_s * count)
