"""What an encoding has come to so far: frames, hashes, quality, time spent and time left."""

from collections.abc import Mapping
from typing import Any

from nvcodec.encode_plan import EncodePlan
from nvcodec.encode_types import EncodeReport
from nvcodec.errors import VideoError
from nvcodec.metrics.quality import QualityMeter
from nvcodec.segment_work import SegmentResult
from nvcodec.segments import Segment
from nvcodec.time_budget import TimeBudget
from nvcodec.times import mean_rate
from nvcodec.video import VideoReader


class Tally:
    """Sums over the segments of one encoding, those of earlier runs included."""

    def __init__(self, plan: EncodePlan) -> None:
        self.plan = plan
        self.digests: list[bytes] = []
        """Hash of every segment's integers."""
        self.num_frames = self.streams_bytes = 0
        self.fit_s = self.decode_s = 0.0
        self.num_workers = 1
        """Who share the time that is left."""
        self._num_now = 0
        self._meter = QualityMeter(plan.info)
        limit_s, spent_s = plan.options.max_time_s, plan.options.spent_s
        self._budget = None if limit_s is None else TimeBudget(limit_s, spent_s)

    def time_limit_s(self, segment: Segment, is_last: bool = False) -> float | None:
        """Seconds that a segment may take: its share of what is left; None without a limit.

        Args:
            segment: which one.
            is_last: no other after it needs any.

        Raises:
            VideoError: how many frames share the time is not known.
        """
        if self._budget is None:
            return None
        count, longest = self.plan.info.num_frames, self.plan.options.segment_frames
        if count is None and segment.num_frames == longest:
            raise VideoError(
                "how many frames are to come is not known, and all of them share the time",
                f"{{frames}} names them, or {{segment_frames}} above {longest} takes all at once",
            )
        stop = segment.stop if is_last else count or segment.stop
        return self._budget.share_s(segment, stop, self.num_workers)

    def add(self, result: SegmentResult) -> None:
        """Count a segment that was done now."""
        self._count(result.coded.digest, result.coded.num_frames, result.fit_s, result.quality)
        self.decode_s += result.decode_s
        self._spent_before(result.before_s)
        self._num_now += 1

    def recall(self, stored: Mapping[str, Any], num_frames: int) -> None:
        """Count a segment that an earlier run put into the file; what it measured counts as now."""
        digest = bytes.fromhex(stored["digest"])
        self._count(digest, num_frames, stored["fit_s"], stored["quality"])
        self._spent_before(stored["spent_s"])

    def report(self, file_bytes: int, video: VideoReader) -> EncodeReport:
        """The whole; its quality only if every frame was measured, its rate without streams."""
        if self._budget is not None and self._num_now:
            self._budget.say_if_late()
        size_bytes = file_bytes - self.streams_bytes
        info, num_frames = self.plan.info, self.num_frames
        rates = [part.frame_rate for part in video.parts] or [info.frame_rate]
        rate = mean_rate(video.times, rates) or info.frame_rate
        is_measured = self._meter.num_frames == num_frames
        return EncodeReport(
            num_frames=num_frames,
            num_segments=len(self.digests),
            size_bytes=size_bytes,
            streams_bytes=self.streams_bytes,
            rate_bpp=8 * size_bytes / (num_frames * info.width * info.height),
            bitrate_kbps=8e-3 * size_bytes * float(rate) / num_frames,
            quality=self._meter.quality() if is_measured else None,
            fit_s=self.fit_s,
            decode_s=self.decode_s,
            frames_psnr_db=tuple(self._meter.frames_psnr_db) if is_measured else (),
        )

    def _count(
        self, digest: bytes, num_frames: int, fit_s: float, quality: list[list[float]]
    ) -> None:
        self.digests.append(digest)
        self.num_frames += num_frames
        self.fit_s += fit_s
        self._meter.restore(quality)

    def _spent_before(self, seconds: float) -> None:
        if self._budget is not None:
            self._budget.before_s += seconds
