"""What an encoding would be: the same decisions, a few seconds of work, and no file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nvcodec.auto import AutoPreset
from nvcodec.encode_plan import plan_encoding
from nvcodec.encode_types import EncodeOptions, Event
from nvcodec.errors import VideoError
from nvcodec.expectation import Expectation, expect
from nvcodec.fitting.analysis.course import RESPONSE
from nvcodec.goals import Goal
from nvcodec.prediction import Prediction, Work, predict
from nvcodec.presets import Preset
from nvcodec.segment_decoder import select_device
from nvcodec.segment_tasks import segment_goal
from nvcodec.survey import survey
from nvcodec.video import VideoInfo, open_videos, sources_of
from nvcodec.video.conversion import from_planes


@dataclass(frozen=True)
class Foreseen:
    """What `encode` would do with the same arguments."""

    preset: str
    video: VideoInfo
    num_frames: int
    num_segments: int
    expected: Expectation
    """Of the longest segment."""
    prediction: Prediction


def dry_run(
    source: str | Path | BinaryIO | Sequence[str | Path],
    preset: Preset | AutoPreset,
    options: EncodeOptions | None = None,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Foreseen:
    """Foresee an encoding; arguments are those of `encoder.encode`.

    Raises:
        NvcError: as `encode` would say at its start.
    """
    options = options or EncodeOptions()
    sources = sources_of(source)
    device = select_device(options.devices[0])
    with open_videos(sources, **options.of_source()) as video:
        seen = survey(video.info, sources, options, is_counted=True)
        if (count := seen.num_frames) is None:
            raise VideoError("a pipe does not say how many frames are to come", "{frames} does")
        if isinstance(preset, AutoPreset):
            preset = preset.chosen_for(video, seen, None, options, device.type != "cpu", on_event)
        plan = plan_encoding(video.info, preset, options, seen)
        work = Work(
            plan.preset, plan.samples, plan.info, plan.segments(count), options.seed,
            options.device,
        )  # fmt: skip
        frames = video.first(work.num_sampled)
        pixels = np.stack([from_planes(plan.samples, frame, plan.info) for frame in frames])
    prediction = predict(work, pixels)
    if options.goal is not None:
        head = plan.head(count)
        goals = [segment_goal(plan, segment, head) for segment in work.segments]
        sizes = [goal.size_bytes for goal in goals if goal is not None and goal.size_bytes]
        goal = options.goal.sized(count, seen.frame_rate)
        own = (goal.size_bytes or 0) - seen.beside_bytes - sum(sizes) if sizes else 0
        if sizes:
            goal = replace(goal, size_bytes=sum(sizes))
        prediction = _steered(prediction, goal)
        prediction = replace(prediction, size_bytes=prediction.size_bytes + own)
    if options.max_time_s is not None:
        prediction = Prediction(prediction.size_bytes, prediction.psnr_db, options.max_time_s)
    longest = max(segment.num_frames for segment in work.segments)
    return Foreseen(
        plan.preset.name, plan.info, work.num_frames, len(work.segments),
        expect(plan.preset, work.shape(longest), plan.info), prediction,
    )  # fmt: skip


def _steered(prediction: Prediction, goal: Goal) -> Prediction:
    """The same once lambda is turned towards a goal."""
    if prediction.psnr_db is None:
        return prediction
    octaves = goal.octaves(prediction.measured, RESPONSE)
    return Prediction(
        round(prediction.size_bytes * 2 ** (octaves * RESPONSE.size_octaves)),
        prediction.psnr_db + octaves * RESPONSE.db,
        prediction.seconds,
    )
