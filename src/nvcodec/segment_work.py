"""The work on one segment as data: a task in, a result out, and nothing else remembered.

    SegmentTask, planes, values before --do--> SegmentResult
        samples -> encode_segment: fit, quantize, pack -> sections
        sections -> SegmentDecoder -> planes, measured against the source

Both ends can be pickled, so a task may be done by another process or machine; only `encoder.encode`
knows the order of tasks, and which of them begins with the values of an earlier one.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.parameters import ParameterSet
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import DIGEST_SIZE, CodedSegment
from nvcodec.container.chunks import FRAMING_SIZE
from nvcodec.container.header import Head, Limits
from nvcodec.encode_plan import stop_if
from nvcodec.encode_types import FrameShown
from nvcodec.fitting.analysis.course import RESPONSE
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.steering import Steering
from nvcodec.goals import Goal, Measured
from nvcodec.metrics.quality import LOSSLESS_DB, NEAR_DB, QualityMeter, flat_psnr_db
from nvcodec.prediction import Work, predict
from nvcodec.presets import Preset
from nvcodec.representations import build
from nvcodec.samples import VideoShape
from nvcodec.segment_decoder import SegmentDecoder, select_device
from nvcodec.segment_encoder import encode_segment
from nvcodec.segment_values import SegmentValues
from nvcodec.segments import Segment
from nvcodec.time_budget import measure_overhead_s
from nvcodec.video.conversion import from_planes, to_planes
from nvcodec.video.info import Pixels, Planes, VideoInfo

Show = Callable[[FrameShown], None]
MIN_STEPS = 500
"""Frames seen by a fitting that could have left a flat picture behind."""
SECOND_SEED = 1 << 32
MIN_GAIN_DB = 5.0
"""How much nearer to its source than a constant picture a fitted one has to be."""
FURTHEST = 6.0
"""Octaves by which lambda may differ from the preset's at the start."""
NO_DIGEST = bytes(DIGEST_SIZE)
Values = Mapping[str, NDArray[np.float16]]
"""Parameters of a segment as a decoder will have them."""


class GoalWarning(UserWarning):
    """A segment does not come to what was asked for."""


class FlatWarning(UserWarning):
    """A segment's picture has hardly any content."""


@dataclass(frozen=True)
class SegmentTask:
    """Everything about the work on one segment but its frames and the values it begins with."""

    number: int
    segment: Segment
    preset: Preset
    """Resolved for the picture."""
    head: Head
    """That of the file to come."""
    info: VideoInfo
    seed: int
    device: str
    limits: Limits
    verify: bool
    """Whether what was coded is decoded and measured."""
    start: ParameterSet | None = None
    """Its own integers, coded before, to go on from."""
    begins_with: int | None = None
    """Segment whose decoded values it begins with; None: random ones."""
    is_change: bool = False
    """Whether it is coded as the change of these."""
    time_limit_s: float | None = None
    """Seconds for all of it, instead of the preset's epochs."""
    store: CheckpointStore | None = None
    """Where the state of its fitting is kept."""
    goal: Goal | None = None
    """What its chunk in the file is to come to."""

    @property
    def references(self) -> tuple[int, ...]:
        """Numbers of the segments that it is decoded with."""
        if not self.is_change:
            return ()
        assert self.begins_with is not None
        return (self.begins_with,)

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier run has begun it."""
        return self.store is not None and self.store.exists

    @property
    def shape(self) -> VideoShape:
        """Of its samples."""
        return self.head.samples.shape(self.segment.num_frames, self.info.height, self.info.width)


@dataclass(frozen=True)
class SegmentResult:
    """What a segment became, and what was measured of it."""

    coded: CodedSegment
    values: Values
    quality: list[list[float]]
    """State of a `QualityMeter` over its frames."""
    fit_s: float
    """Fitting and coding, in all runs."""
    decode_s: float
    before_s: float
    """Spent by earlier runs."""
    spent_s: float
    """Everything, in all runs."""

    @property
    def measured(self) -> dict[str, Any]:
        """What a job keeps of it, as plain values."""
        return {
            "fit_s": self.fit_s,
            "spent_s": self.spent_s,
            "quality": self.quality,
            "digest": self.coded.digest.hex(),
        }


def do(
    task: SegmentTask,
    planes: Sequence[Planes],
    values: Values | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[FitRecord], None] = lambda record: None,
    show: Show | None = None,
) -> SegmentResult:
    """Fit, code, decode again and measure one segment; the same task gives the same bytes.

    A picture that stays nearly without content is said, and fitted once more from another seed; the
    better of the two counts.

    Args:
        task: what to do.
        planes: the frames of the segment.
        values: of the segment `task.begins_with`.
        should_stop: asked before every step and frame.
        tell: told of progress about once a second.
        show: shown frames, if anybody wants to see them.

    Raises:
        NvcError: as `encode_segment`; InterruptedEncodeError: stopped, the state is in the store.
    """
    first = _try(task, planes, values, should_stop, tell, show)
    why = None if task.start is not None else _flatness(task, first, planes)
    if why is None:
        return first
    num_steps = sum(stage.epochs for stage in task.preset.stages) * task.segment.num_frames
    if task.time_limit_s is not None or num_steps < MIN_STEPS:
        warnings.warn(why, FlatWarning, stacklevel=2)
        return first
    warnings.warn(f"{why}; it is tried again", FlatWarning, stacklevel=2)
    again = replace(
        task,
        seed=(task.seed + SECOND_SEED) % (1 << 63),
        store=None if task.store is None else task.store.of_second_try(),
        begins_with=None,  # that may be where it is stuck
        is_change=False,
    )
    second = _try(again, planes, None, should_stop, tell, show)
    return replace(
        max(first, second, key=lambda result: _worth(task, result)),
        fit_s=first.fit_s + second.fit_s,
        before_s=first.before_s + second.before_s,
        spent_s=first.spent_s + second.spent_s,
    )


def _worth(task: SegmentTask, result: SegmentResult) -> tuple[int, float]:
    """Of two tries the greater one counts: bytes over the size asked for, then the better one."""
    limit = None if task.goal is None else task.goal.size_bytes
    over = 0 if limit is None else FRAMING_SIZE + len(result.coded.pack()) - limit
    return min(-over, 0), _psnr_db(task, result)


def _psnr_db(task: SegmentTask, result: SegmentResult) -> float:
    meter = QualityMeter(task.info)
    meter.restore(result.quality)
    return meter.quality().psnr_rgb_db


def _flatness(task: SegmentTask, result: SegmentResult, planes: Sequence[Planes]) -> str | None:
    """What to say where the picture is hardly nearer to its source than a constant one."""
    if not task.verify:
        return None
    psnr_db = _psnr_db(task, result)
    if psnr_db >= NEAR_DB:
        return None
    flat_db = flat_psnr_db(planes, task.info)
    if flat_db == LOSSLESS_DB or psnr_db >= flat_db + MIN_GAIN_DB:
        return None
    return (
        f"segment {task.number}: {psnr_db:.1f} dB, where a picture without content has "
        f"{flat_db:.1f} dB"
    )


def _try(
    task: SegmentTask,
    planes: Sequence[Planes],
    values: Values | None,
    should_stop: Callable[[], bool],
    tell: Callable[[FitRecord], None],
    show: Show | None,
) -> SegmentResult:
    started = time.monotonic()
    pixels = samples_of(task, planes)
    encoded = encode_segment(
        pixels,
        task.preset,
        task.seed,
        samples=task.head.samples,
        depth=task.info.depth,
        device=select_device(task.device),
        store=task.store,
        initial_values=values,
        reference=values if task.is_change else None,
        start=task.start,
        time_limit_s=_fitting_s(task, planes[0]),
        steering=_steering(task, pixels),
        should_stop=should_stop,
        on_record=tell,
        on_frame=None if show is None else _showing(task, planes, show),
    )
    this_run_s = time.monotonic() - started
    before_s = max(0.0, encoded.fit_s - this_run_s)
    if encoded.reached is not None and task.goal is not None:
        _say_missed(task, task.goal, encoded.reached)
    segment = task.segment
    coded = CodedSegment(
        task.number, segment.start, segment.num_frames, encoded.sections, encoded.digest,
        task.references,
    )  # fmt: skip
    meter, decode_s = QualityMeter(task.info), 0.0
    if task.verify:
        opened = time.monotonic()
        known = SegmentValues(task.head, task.limits)
        if task.begins_with is not None and values is not None:
            known.keep(task.begins_with, values)
        device = select_device(task.device)
        decoder = SegmentDecoder(task.head, coded, device, limits=task.limits, values=known)
        decode_s = time.monotonic() - opened + measure(decoder, planes, meter, should_stop, show)
    return SegmentResult(
        coded=coded,
        values=encoded.values,
        quality=meter.state(),
        fit_s=max(encoded.fit_s, this_run_s),
        decode_s=decode_s,
        before_s=before_s,
        spent_s=before_s + time.monotonic() - started,
    )


def _say_missed(task: SegmentTask, goal: Goal, reached: Measured) -> None:
    """Warn of a goal that was not reached; this is the nearest then."""
    if not goal.is_met(reached):
        warnings.warn(
            f"segment {task.number}: {goal.compared(reached)}; that is the nearest that preset "
            f"{task.preset.name} came in this time: more time, or another preset, comes nearer",
            GoalWarning,
            stacklevel=2,
        )


def _steering(task: SegmentTask, pixels: Pixels) -> Steering | None:
    """The goal of a task, for its fitting."""
    goal, segment, count = task.goal, task.segment, task.segment.num_frames
    if goal is None:
        return None

    def start() -> float:
        samples, info = task.head.samples, task.info
        work = Work(task.preset, samples, info, [Segment(0, count)], task.seed, task.device)
        if not work.is_of_pictures:
            return 0.0
        octaves = goal.octaves(predict(work, pixels).measured, RESPONSE)
        return max(-FURTHEST, min(FURTHEST, octaves))

    def size_of(sections: Mapping[str, bytes]) -> int:
        coded = CodedSegment(
            task.number, segment.start, segment.num_frames, {**sections}, NO_DIGEST,
            task.references,
        )  # fmt: skip
        return FRAMING_SIZE + len(coded.pack())

    return Steering(goal, task.info, size_of, task.time_limit_s is not None, start)


def _showing(
    task: SegmentTask, planes: Sequence[Planes], show: Show
) -> Callable[[int, Pixels], None]:
    """Takes a frame as `EvaluationPolicy.show` gives it."""

    def showing(t: int, pixels: Pixels) -> None:
        decoded = to_planes(task.head.samples, pixels, task.info)
        frame = task.segment.start + t
        show(FrameShown.of(frame, planes[t], decoded, task.info, is_final=False))

    return showing


def samples_of(task: SegmentTask, planes: Sequence[Planes]) -> Pixels:
    """What is fitted, (T, H, W, C) of the head's kind of samples."""
    pixels = np.empty(task.shape, task.info.sample_type)
    for t, frame in enumerate(planes):
        pixels[t] = from_planes(task.head.samples, frame, task.info)
    return pixels


def _fitting_s(task: SegmentTask, frame: Planes) -> float | None:
    """Seconds for fitting: those of the task, less what coding and measuring will take."""
    if task.time_limit_s is None:
        return None
    network = build(task.preset.representation, task.shape).to(select_device(task.device))
    scheme = load_scheme(task.preset.scheme)
    overhead_s = measure_overhead_s(network, scheme, frame, task.info, verify=task.verify)
    return task.time_limit_s - overhead_s


def measure(
    decoder: SegmentDecoder,
    planes: Sequence[Planes],
    meter: QualityMeter,
    should_stop: Callable[[], bool],
    show: Show | None = None,
) -> float:
    """Compare every frame of a segment with its source; gives the seconds of decoding."""
    decode_s, started = 0.0, time.monotonic()
    for t, reference in enumerate(planes):
        stop_if(should_stop)
        decoded = decoder.planes(t, meter.info)
        decode_s += time.monotonic() - started
        meter.add(reference, decoded)
        if show is not None:
            frame = decoder.first_frame + t
            show(FrameShown.of(frame, reference, decoded, meter.info, is_final=True))
        started = time.monotonic()
    return decode_s
