"""What an encoding comes to for one source: the preset resolved, the samples chosen, the head."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from nvcodec.coding.schemes import load_scheme
from nvcodec.container.header import Head
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_types import EncodeOptions
from nvcodec.errors import (
    InterruptedEncodeError,
    LimitError,
    PresetError,
    UnsupportedVideoError,
    VideoError,
)
from nvcodec.goals import Goal
from nvcodec.presets import Preset
from nvcodec.remark import remark_of
from nvcodec.samples import Chroma, Samples
from nvcodec.segments import Segment, plan_segments, segments_at_cuts
from nvcodec.survey import Survey, beside
from nvcodec.video import VideoReader
from nvcodec.video.color import luma_weights
from nvcodec.video.info import Planes, VideoInfo

MIN_SIDE = 16
"""Shortest side, in pixels, of a video that is taken."""


class MoreFramesError(VideoError):
    """A video goes on behind the frames that were announced."""


class WorkersWarning(UserWarning):
    """Not so many segments are fitted at once as were asked for."""


@dataclass(frozen=True)
class EncodePlan:
    """One source, one preset, one set of options."""

    info: VideoInfo
    preset: Preset
    """With what follows from the picture's size filled in."""
    samples: Samples
    options: EncodeOptions
    survey: Survey
    is_anew: ClassVar[bool] = True
    """Whether a whole file with its HEAD is what becomes of it."""

    def head(self, num_frames: int | None) -> Head:
        """HEAD of the file; None frames where their number is not known yet."""
        settings = self.job_settings()
        del settings["num_frames"]  # a pipe may not tell it, and it is a field of its own
        return Head.from_video_info(
            self.info,
            samples=self.samples,
            representation=self.preset.representation.model_dump(mode="json", exclude_none=True),
            scheme=self.preset.scheme.model_dump(mode="json", exclude_none=True),
            remark=remark_of(self.preset.name, self.preset.lmbda, settings),
        ).model_copy(update={"num_frames": num_frames or 0})

    def is_change(self, number: int) -> bool:
        """Whether a segment is coded as the change of the one before: all but heads of chains.

        A chain is `gop` segments long, and ends before a scene cut.
        """
        head = max((n for n in self._scene_heads if n <= number), default=0)
        return (number - head) % self.options.gop > 0

    @cached_property
    def _scene_heads(self) -> list[int]:
        """Segments that begin at scene cuts."""
        if not self.survey.cuts or self.info.num_frames is None:
            return []
        segments = self.segments(self.info.num_frames)
        return [n for n, segment in enumerate(segments) if segment.start in self.survey.cuts]

    def before(self, number: int) -> int | None:
        """The segment that another one begins with, if with any."""
        begins = self.is_change(number) or (self.preset.fitting.warm_start and number > 0)
        return number - 1 if begins else None

    def segments(self, num_frames: int) -> list[Segment]:
        """Those of so many frames in all: at scene cuts, or equally long."""
        longest, cuts = self.options.segment_frames, self.survey.cuts
        if cuts is None:
            return plan_segments(num_frames, longest)
        return segments_at_cuts(num_frames, cuts, longest)

    def segment_lengths(self) -> Iterable[int]:
        """Frames of each segment; the longest allowed where it is not known how many there are."""
        if self.info.num_frames is None:
            return itertools.repeat(self.options.segment_frames)
        return [segment.num_frames for segment in self.segments(self.info.num_frames)]

    def add_ancillary(self, writer: NvcWriter, video: VideoReader) -> int:
        """Write what the source has besides pictures; gives the bytes of copied streams."""
        sizes = {kind: writer.add(kind, value) for kind, value in beside(video, self.options)}
        return sizes.get("mkvs", 0)

    def job_settings(self) -> dict[str, Any]:
        """Everything that the file's bytes depend on, save for the frames."""
        options, info = self.options, self.info
        frames = options.frames
        return {
            **self.preset.tables(),
            "samples": self.samples.value,
            "segment_frames": options.segment_frames,
            "gop": options.gop,
            "cuts": self.survey.cuts and list(self.survey.cuts),
            "seed": options.seed,
            "max_time_s": options.max_time_s,
            "goal": options.goal.settings() if options.goal else None,
            "frames": [frames.start, frames.stop] if frames else None,
            "between": [str(time) for time in options.between] if options.between else None,
            "audio": options.audio,
            "width": info.width,
            "height": info.height,
            "chroma": info.chroma.value,
            "depth": info.depth,
            "siting": info.siting,
            "mastering_display": info.mastering_display,
            "content_light": info.content_light,
            "frame_rate": str(info.frame_rate),
            "num_frames": info.num_frames,
        }


def plan_encoding(
    info: VideoInfo, preset: Preset, options: EncodeOptions, survey: Survey | None = None
) -> EncodePlan:
    """The plan for a source.

    Args:
        info: of the open video.
        preset: not resolved yet.
        options: everything else.
        survey: what is known of the whole, if anybody looked.

    Raises:
        UnsupportedVideoError: it cannot be coded, or not in the samples asked for.
    """
    if min(info.width, info.height) < MIN_SIDE:
        raise UnsupportedVideoError(
            f"a video of {info.width}x{info.height}; allowed are {MIN_SIDE}x{MIN_SIDE} and larger"
        )
    survey = survey or Survey(info.num_frames, info.frame_rate)
    info = replace(info, num_frames=survey.num_frames)
    samples = _choose_samples(options.samples, preset.samples, info.chroma)
    _check_goal(info, preset, options.goal)
    if info.chroma not in (Chroma.GRAY, Chroma.RGB):
        luma_weights(info.color)
    shape = samples.shape(1, info.height, info.width)
    config = preset.representation.resolve(shape.height, shape.width)
    resolved = preset.model_copy(update={"representation": config})
    longest = config.longest_segment(shape)
    if longest is not None and longest < options.segment_frames:
        options = replace(options, segment_frames=longest)
    if options.gop > 1:
        _check_changes(preset, options)
    plan = EncodePlan(info, resolved, samples, options, survey)
    count, wants_several = info.num_frames, options.workers != 1 or options.gop > 1
    if wants_several and count is not None and len(plan.segments(count)) == 1:
        text = f"all {count} frames are one segment; shorter segments make several"
        warnings.warn(text, WorkersWarning, stacklevel=2)
    if options.workers == 1 or (options.gop == 1 and not preset.fitting.warm_start):
        return plan
    text = f"preset {preset.name}: a segment begins with the one before: one worker alone"
    warnings.warn(text, WorkersWarning, stacklevel=2)
    return replace(plan, options=replace(options, workers=1))


def _check_changes(preset: Preset, options: EncodeOptions) -> None:
    """Refuse what cannot code a segment as the change of another.

    Raises:
        PresetError: the preset cannot.
        LimitError: more segments in a chain than a reader takes.
    """
    has_scheme = load_scheme(preset.scheme).max_references > 0
    if not (has_scheme and all(stage.can_change for stage in preset.stages)):
        raise PresetError(
            f"preset {preset.name}: codes every segment alone; hinerv-* and nerv-* can code the "
            "change of the one before",
            "{gop} 1 does without",
        )
    allowed = options.limits.needed_segments
    if options.gop > allowed:
        raise LimitError(
            f"chains of {options.gop:,} segments, allowed up to {allowed:,}",
            "{gop} makes them shorter",
        )


def _check_goal(info: VideoInfo, preset: Preset, goal: Goal | None) -> None:
    """Refuse what cannot be steered, or not be measured."""
    if goal is None:
        return
    if not any(stage.can_steer for stage in preset.stages):
        raise PresetError(
            f"preset {preset.name}: no stage that a size or a quality can steer; latents, "
            "nvrc-*, hinerv-* and nerv-* have one"
        )
    if goal.vmaf is not None and info.chroma in (Chroma.GRAY, Chroma.RGB):
        raise UnsupportedVideoError(f"VMAF of {info.chroma.words}; it is defined for YUV")


def _choose_samples(asked: Samples | None, preferred: Samples, chroma: Chroma) -> Samples:
    """What the representation gives: grey for grey, else as asked for, or as the preset prefers.

    A preset's preference that the source does not allow gives way to RGB.
    """
    if chroma is Chroma.GRAY:
        return Samples.GRAY
    allowed = Samples.allowed_for(chroma)
    if asked is None:
        return preferred if preferred in allowed else Samples.RGB
    if asked not in allowed:
        raise UnsupportedVideoError(
            f"samples {asked}: the source is {chroma.words}; allowed for it: "
            f"{', '.join(sorted(allowed))}",
            "{samples} chooses among them",
        )
    return asked


def frames_of_segments(
    video: VideoReader, lengths: Iterable[int], should_stop: Callable[[], bool]
) -> Iterator[list[Planes]]:
    """Frames of each segment, as many as `lengths` says, or as there are.

    Raises:
        VideoError: there are more frames than announced.
        InterruptedEncodeError: `should_stop` said so.
    """
    frames, count = iter(video), 0
    for length in lengths:
        planes = []
        for frame in itertools.islice(frames, length):
            stop_if(should_stop)
            planes.append(frame)
        stop_if(should_stop)
        count += len(planes)
        if planes:
            yield planes
        if len(planes) < length:
            return
    if next(frames, None) is not None:
        raise MoreFramesError(f"more frames than the {count} announced")


def stop_if(should_stop: Callable[[], bool]) -> None:
    """End here when asked to.

    Raises:
        InterruptedEncodeError: asked.
    """
    if should_stop():
        raise InterruptedEncodeError("stopped on request; everything up to here is saved")
