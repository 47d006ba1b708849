"""Time for a whole encoding (`--max-time`), and each segment's share of it."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from nvcodec.decoder import band_height
from nvcodec.metrics.quality import QualityMeter
from nvcodec.representations._base import Representation
from nvcodec.segments import Segment
from nvcodec.video.info import Planes, VideoInfo

CODING_S = 0.5


@dataclass
class TimeBudget:
    """What there is in all, and what is gone."""

    limit_s: float
    before_s: float = 0.0
    """Spent before this process' encoding began, in all runs of the job."""
    started: float = field(default_factory=time.monotonic)

    def share_s(self, segment: Segment, num_frames: int) -> float:
        """Time for one segment: as much of what is left as it has of the frames left."""
        spent_s = time.monotonic() - self.started + self.before_s
        return (self.limit_s - spent_s) * segment.num_frames / (num_frames - segment.start)


def measuring_s(
    representation: Representation[Any], num_frames: int, frame: Planes, info: VideoInfo
) -> float:
    """Time that coding, decoding and measuring a segment will take, going by one frame of noise."""
    first = torch.zeros(1, dtype=torch.int64, device=next(representation.parameters()).device)
    for _ in range(2):  # the first time takes longer
        started = time.monotonic()
        with torch.inference_mode():
            representation.render(first, band_height(representation)).cpu()
        QualityMeter(info).add(frame, frame)
        frame_s = time.monotonic() - started
    return CODING_S + frame_s * num_frames
