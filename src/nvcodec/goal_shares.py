"""What a goal for a whole file means for its next segment."""

from dataclasses import replace

from nvcodec.container.chunk_payloads import SegmentInfo, pack_index
from nvcodec.container.chunks import END_SIZE, FRAMING_SIZE
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_plan import EncodePlan
from nvcodec.errors import VideoError
from nvcodec.goals import Goal
from nvcodec.segments import Segment, plan_segments


def segment_goal(plan: EncodePlan, segment: Segment, writer: NvcWriter) -> Goal | None:
    """The goal of the next segment: of bytes its share of what is left, by its frames.

    Raises:
        VideoError: bytes are to be shared among an unknown number of frames, or are too few for
            the file's own header.
    """
    goal = plan.options.goal
    if goal is None or not goal.has_size:
        return goal
    longest = plan.options.segment_frames
    count = plan.info.num_frames or (segment.stop if segment.num_frames < longest else None)
    whole = goal.sized(count, plan.info.frame_rate)
    size = whole.size_bytes
    assert count is not None
    assert size is not None
    tail = plan.beside_bytes + _tail_bytes(plan_segments(count, longest), size)
    left = size - writer.size_bytes - tail
    share = left * segment.num_frames // (count - segment.start)
    if share < FRAMING_SIZE:
        has_beside = plan.beside_bytes > 0
        beside = f" and {plan.beside_bytes:,} bytes of audio, times and the like" * has_beside
        raise VideoError(
            f"size {size:,} bytes: {share:,} are left for segment {segment.start}:"
            f"{segment.stop}, after what every file has{beside}",
            "{audio} leaves audio out" * has_beside,
        )
    return replace(whole, size_bytes=share)


def _tail_bytes(segments: list[Segment], size_bytes: int) -> int:
    """Of index and end, at most, in a file of so many bytes."""
    infos = [
        SegmentInfo(number, segment.start, segment.num_frames, number * size_bytes, size_bytes)
        for number, segment in enumerate(segments)
    ]
    return FRAMING_SIZE + len(pack_index(infos)) + len(infos) + END_SIZE
