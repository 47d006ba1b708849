"""What is to be done for each segment, whoever else does another: its task, its share of a goal."""

from dataclasses import replace

from nvcodec.container.chunk_payloads import SegmentInfo, pack_index
from nvcodec.container.chunks import END_SIZE, FRAMING_SIZE, SIGNATURE
from nvcodec.container.header import Head
from nvcodec.encode_plan import EncodePlan
from nvcodec.errors import VideoError
from nvcodec.goals import Goal
from nvcodec.job import Job
from nvcodec.segment_values import check_limits
from nvcodec.segment_work import SegmentTask
from nvcodec.segments import Segment


def segment_task(
    plan: EncodePlan, head: Head, job: Job | None, segment: Segment, number: int, input_digest: str
) -> SegmentTask:
    """The task of a segment, save for its time.

    Args:
        plan: of the encoding.
        head: of the file.
        job: where the state of its fitting is kept, if anywhere.
        segment: its frames.
        number: of it.
        input_digest: of the frames.

    Raises:
        VideoError: see `segment_goal`.
        BitstreamError: see `check_limits`: no decoder would take it.
    """
    options = plan.options
    check_limits(head, segment.num_frames, options.limits)
    return SegmentTask(
        number=number,
        segment=segment,
        preset=plan.preset,
        head=head,
        info=plan.info,
        seed=options.seed + number,
        device=options.devices[0],
        limits=options.limits,
        verify=options.verify,
        begins_with=plan.before(number),
        is_change=plan.is_change(number),
        store=None if job is None else job.checkpoints(number, input_digest),
        goal=segment_goal(plan, segment, head),
    )


def segment_goal(plan: EncodePlan, segment: Segment, head: Head) -> Goal | None:
    """The goal of a segment: of bytes its share by its frames, whoever comes before it.

    Raises:
        VideoError: bytes are to be shared among an unknown number of frames, or are too few for
            the file's own header.
    """
    goal = plan.options.goal
    if goal is None or not goal.has_size:
        return goal
    longest = plan.options.segment_frames
    count = plan.info.num_frames or (segment.stop if segment.num_frames < longest else None)
    whole = goal.sized(count, plan.survey.frame_rate)
    size = whole.size_bytes
    assert count is not None
    assert size is not None
    own = len(SIGNATURE) + FRAMING_SIZE + len(head.to_bytes())
    own += _tail_bytes(plan.segments(count), size)
    left = size - own - plan.survey.beside_bytes
    share = left * segment.stop // count - left * segment.start // count
    if share < FRAMING_SIZE:
        has_beside = plan.survey.beside_bytes > 0
        beside = (
            f" and {plan.survey.beside_bytes:,} bytes of audio, times and the like" * has_beside
        )
        raise VideoError(
            f"size {size:,} bytes: that is {FRAMING_SIZE - share:,} too few for segment "
            f"{segment.start}:{segment.stop}, beside what every file has{beside}",
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
