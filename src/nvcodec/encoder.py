"""From a video to a `.nvc` file, segment by segment.

    open_videos --planes--> SegmentTask --segment_work.do--> SegmentResult --commit--> NvcWriter

Here is the order alone, and that a result is in the job before it is in the file. What a user reads
as quality comes from decoding the bytes, never from a loss.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from nvcodec.auto import AutoPreset
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_plan import EncodePlan, frames_of_segments, plan_encoding
from nvcodec.encode_types import EncodeOptions, EncodeReport, Event, SegmentFitting, SegmentStarted
from nvcodec.errors import InterruptedEncodeError, NvcError
from nvcodec.expectation import expect
from nvcodec.finished import is_complete, recall, stored_streams_bytes
from nvcodec.job import frames_digest, open_job
from nvcodec.outputs import check_written, free_output, open_writer
from nvcodec.presets import Preset
from nvcodec.segment_decoder import select_device
from nvcodec.segment_tasks import segment_task
from nvcodec.segment_work import SegmentResult, SegmentTask, Values, do
from nvcodec.segments import Segment
from nvcodec.survey import survey
from nvcodec.tally import Tally
from nvcodec.video import VideoReader, open_videos, sources_of
from nvcodec.video.info import Planes
from nvcodec.workers import Work, crew_of, results_in_order


def encode(
    source: str | Path | BinaryIO | Sequence[str | Path],
    target: str | Path | BinaryIO,
    preset: Preset | AutoPreset,
    options: EncodeOptions | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> EncodeReport:
    """Encode a video into a `.nvc` file; the same call continues an interrupted one.

    Args:
        source: what `video.open_video` opens; several are one after the other, also in segments.
        target: a path, or a binary stream that is written forward only.
        preset: a loaded preset, or that one is to be chosen.
        options: everything else.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Raises:
        NvcError: see `errors`; the message says what, where, what was seen and what is allowed.
    """
    options = options or EncodeOptions()
    sources = sources_of(source)
    path = free_output(sources, target, preset.names, options)
    device, *_ = map(select_device, options.devices)
    with open_videos(sources, **options.of_source()) as video:
        seen = survey(video.info, sources, options, should_stop=should_stop)
        if isinstance(preset, AutoPreset):
            preset = preset.chosen_for(video, seen, path, options, device.type != "cpu", on_event)
        plan = plan_encoding(video.info, preset, options, seen)
        return Encoding(video, plan, target, path, should_stop, on_event).run()


class Encoding:
    """One call of `encode`: its job, its file, and what they have come to."""

    def __init__(
        self,
        video: VideoReader,
        plan: EncodePlan,
        target: str | Path | BinaryIO,
        path: Path | None,
        should_stop: Callable[[], bool],
        on_event: Callable[[Event], None],
    ) -> None:
        self.video, self.plan, self.target, self.path = video, plan, target, path
        self.should_stop, self.on_event = should_stop, on_event
        self.options, self._show = plan.options, on_event if plan.options.show_frames else None
        self.segments = frames_of_segments(video, plan.segment_lengths(), should_stop)
        self.tally = Tally(plan)
        self.is_there = path is not None and is_complete(path, plan)
        self.job = None if path is None or self.is_there else open_job(path, plan)
        self._writer: NvcWriter | None = None

    def run(self) -> EncodeReport:
        """Encode every segment, then close and check the file."""
        is_finished = self.is_there or (self.job is not None and self.job.is_finished)
        try:
            size_bytes = self._recall_file() if is_finished else self._write_file()
        except InterruptedEncodeError as error:
            if self.path is not None:
                raise
            raise InterruptedEncodeError(
                "stopped on request; a stream cannot be continued, so nothing is kept"
            ) from error
        if self.options.verify and self.path is not None:
            check_written(self.path, self.tally.digests, self.tally.num_frames, self.options.limits)
        if self.job is not None:
            self.job.remove()
        return replace(self.tally.report(size_bytes, self.video), was_there=is_finished)

    def _write_file(self) -> int:
        """Do all tasks, each result into the file in order; gives its size in bytes."""
        try:
            crew = crew_of(self.plan)
            self.tally.num_workers = 1 if crew is None else crew.size
            how = crew, self.job, self.do, self.should_stop, self.on_event
            with contextlib.closing(results_in_order(self._works(), *how)) as results:
                for done in results:
                    self.tally.add(done.result)
                    self.commit(done.result, done.input_digest)
            self.tally.streams_bytes = self.plan.add_ancillary(self.writer, self.video)
            return self.writer.finish()
        except NvcError as error:
            if self.job is not None:
                self.job.leave_nothing(self._writer, error)
            raise
        finally:
            if self._writer is not None:
                self._writer.close()

    def _works(self) -> Iterator[Work]:
        """What is left to do, as it is read; takes over what is in the file."""
        start = 0
        for number, planes in enumerate(self.segments):
            if self._writer is None:
                self._writer = self._open_writer(planes)
                num_there = len(self._writer.segments)
            segment, input_digest = Segment(start, start + len(planes)), frames_digest(planes)
            start = segment.stop
            if number < num_there:
                self._recall(number, len(planes), input_digest)
                continue
            task = self._task(number, segment, input_digest)
            yield Work(task, planes, input_digest, self.options.show_frames)

    def _recall_file(self) -> int:
        """As `_write_file`, of a file that is complete."""
        assert self.path is not None
        self.tally.streams_bytes = stored_streams_bytes(self.path, self.options.limits)
        if self.is_there:
            stop = self.should_stop
            return recall(self.path, self.plan, self.segments, self.tally, stop, self._show)
        for number, planes in enumerate(self.segments):
            self._recall(number, len(planes), frames_digest(planes))
        return self.path.stat().st_size

    @property
    def writer(self) -> NvcWriter:
        """Of the file; a video without frames, which has none, is refused by its reader."""
        assert self._writer is not None
        return self._writer

    def _open_writer(self, first: Sequence[Planes]) -> NvcWriter:
        """The file, begun or continued; a stream's first segment tells if it is all there is."""
        is_all = len(first) < self.options.segment_frames
        count = self.plan.info.num_frames or (len(first) if is_all else None)
        return open_writer(self.path or self.target, self.plan.head(count), self.options, self.job)

    def _task(self, number: int, segment: Segment, input_digest: str) -> SegmentTask:
        """What is to be done for one segment, once it is known that the preset suits it."""
        plan, head = self.plan, self.writer.head
        shape = plan.samples.shape(segment.num_frames, head.height, head.width)
        expected = expect(plan.preset, shape, plan.info)
        task = segment_task(plan, head, self.job, segment, number, input_digest)
        self.on_event(SegmentStarted(number, segment, task.info, expected, task.is_resumed))
        return replace(task, time_limit_s=self.tally.time_limit_s(segment))

    def do(
        self, task: SegmentTask, planes: Sequence[Planes], before: Values | None
    ) -> SegmentResult:
        """Do a task; values that it begins with come from this run or from an earlier one."""
        if task.begins_with is None:
            before = None
        elif before is None and self.job is not None:
            before = self.job.kept_values(task.begins_with)
        return do(
            task, planes, before, self.should_stop,
            lambda record: self.on_event(SegmentFitting(task.number, record)), self._show,
        )  # fmt: skip

    def commit(self, result: SegmentResult, input_digest: str) -> None:
        """Put a result into the file, and into the job around it."""
        number = result.coded.number
        kept = result.values if self.plan.before(number + 1) == number else None
        with contextlib.ExitStack() as around:
            if self.job is not None:
                around.enter_context(self.job.commit(number, input_digest, result.measured, kept))
            self.writer.write_segment(result.coded)

    def _recall(self, number: int, num_frames: int, input_digest: str) -> None:
        """Take over a segment that is in the file."""
        assert self.job is not None
        self.tally.recall(self.job.finished(number, input_digest), num_frames)
