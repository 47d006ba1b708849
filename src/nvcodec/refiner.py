"""A `.nvc` file fitted further: the whole, or one segment while the others stay byte for byte.

    IN.nvc --RefinePlan--> preset, lambda, segments     SRC --planes-->  refine_segment --> OUT.nvc

Order, job and output are those of `encoder`; only what a segment's task comes to is another.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from nvcodec.container.header import Head
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_plan import EncodePlan, MoreFramesError, plan_encoding
from nvcodec.encode_types import EncodeOptions, EncodeReport, Event, SegmentFitting, SegmentRefined
from nvcodec.encoder import Encoding
from nvcodec.errors import VideoError
from nvcodec.fitting.record import FitRecord
from nvcodec.original import Original, RefineSettings
from nvcodec.outputs import free_output
from nvcodec.remark import maker_of, remark_of
from nvcodec.segment_refiner import (
    measured,
    psnr_db,
    refine_segment,
    size_bytes,
)
from nvcodec.segment_work import SegmentResult, SegmentTask, Values
from nvcodec.video import VideoReader, open_videos, sources_of
from nvcodec.video.info import Planes


@dataclass(frozen=True)
class RefinePlan(EncodePlan):
    """The plan of an encoding whose segments are there already."""

    original: Original
    only: int | None
    is_anew: ClassVar[bool] = False  # the original has the same HEAD

    def head(self, num_frames: int | None) -> Head:
        """That of the file, save for the lambda in its remark where all of it gets another."""
        head, lmbda = self.original.head, self.preset.lmbda
        maker = maker_of(head.remark)
        if self.only is not None or maker is None or maker.lmbda == lmbda:
            return head
        return head.model_copy(update={"remark": remark_of(maker.preset, lmbda)})

    def segment_lengths(self) -> Iterable[int]:
        """Those of the file."""
        return [segment.num_frames for segment in self.original.segments]

    def add_ancillary(self, writer: NvcWriter, video: VideoReader) -> int:
        """Those of the file, each where it stands there, instead of what the source has."""
        streams_bytes = 0
        for place, kind, payload in self.original.ancillary:
            if place == len(writer.segments):
                length = writer.copy(kind, payload)
                streams_bytes += length if kind == "mkvs" else 0
        return streams_bytes

    def job_settings(self) -> dict[str, Any]:
        """Also which file it goes on from."""
        own = {"refined": self.original.digest, "only_segment": self.only}
        return {**super().job_settings(), **own}


def refine(
    path: str | Path,
    source: str | Path | BinaryIO | Sequence[str | Path],
    target: str | Path | BinaryIO,
    settings: RefineSettings | None = None,
    options: EncodeOptions | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> EncodeReport:
    """Fit a file further into another; the same call continues an interrupted one.

    Args:
        path: the file; it is only read.
        source: the video that it was made of, as `encoder.encode` takes it.
        target: a path, or a binary stream that is written forward only.
        settings: recipe, lambda and segment.
        options: everything else; segments, samples and their depth are the file's.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Raises:
        NvcError: see `errors`; the message says what, where, what was seen and what is allowed.
    """
    settings, options = settings or RefineSettings(), options or EncodeOptions()
    original = Original.read(Path(path), options.limits)
    options = replace(options, depth=8 if original.head.bit_depth == 8 else None)
    count = len(original.segments)
    if settings.segment is not None and not 0 <= settings.segment < count:
        raise VideoError(f"segment {settings.segment}: {path} has 0 to {count - 1}")
    preset = original.preset(settings)
    sources = sources_of(source)
    output = free_output([Path(path), *sources], target, preset.names, options)
    with open_videos(sources, **options.of_source()) as video:
        original.check_source(sources[0], video.info)
        longest = max(segment.num_frames for segment in original.segments)
        own = replace(
            options, samples=original.head.samples, segment_frames=longest, verify=True, workers=1
        )
        plan = plan_encoding(original.info, preset, own)
        whole = RefinePlan(
            plan.info,
            plan.preset,
            plan.samples,
            plan.options,
            plan.survey,
            original,
            settings.segment,
        )
        return _Refining(video, whole, target, output, should_stop, on_event).run()


class _Refining(Encoding):
    """One call of `refine`."""

    plan: RefinePlan

    def __init__(self, video: VideoReader, plan: RefinePlan, *rest: Any) -> None:
        super().__init__(video, plan, *rest)
        self.segments = self._whole(self.segments)

    def _whole(self, segments: Iterable[list[Planes]]) -> Iterator[list[Planes]]:
        """The frames of all segments; refuses to end before the last one, or behind it."""
        seen, original, left = 0, self.plan.original, iter(segments)
        for planes, own in zip(left, original.segments, strict=False):
            seen += len(planes)
            if own is original.segments[-1]:
                self._refuse_more(left)  # before it is fitted
            if len(planes) == own.num_frames:
                yield planes
        if seen != self.plan.info.num_frames:
            raise VideoError(f"{seen} frames; {original.path} has {self.plan.info.num_frames}")

    def _refuse_more(self, left: Iterator[list[Planes]]) -> None:
        original = self.plan.original
        try:
            next(left, None)
        except MoreFramesError as error:
            count = self.plan.info.num_frames
            raise VideoError(
                f"more than the {count} frames of {original.path}", "{frames} chooses them"
            ) from error

    def commit(self, result: SegmentResult, input_digest: str) -> None:
        """As the base class, after what stands before the segment."""
        self.plan.add_ancillary(self.writer, self.video)
        super().commit(result, input_digest)

    def do(
        self, task: SegmentTask, planes: Sequence[Planes], before: Values | None
    ) -> SegmentResult:
        """Fit a segment further, or take it as it is."""
        started, plan = time.monotonic(), self.plan
        with NvcReader(plan.original.path, limits=task.limits) as reader:
            coded = reader.read_segment(task.number)
        found = measured(task, planes, coded, self.should_stop)
        if plan.only not in (None, task.number):
            return found
        if plan.only is not None:
            limit_s = self.tally.time_limit_s(task.segment, is_last=True)
            num_left = plan.original.segments[-1].segment.stop - task.segment.stop
            after_s = found.spent_s * num_left / task.segment.num_frames  # they are measured too
        else:
            limit_s, after_s = task.time_limit_s, time.monotonic() - started
        if limit_s is not None:
            task = replace(task, time_limit_s=limit_s - after_s)

        def tell(record: FitRecord) -> None:
            self.on_event(SegmentFitting(task.number, record))

        done = refine_segment(task, planes, found, self.should_stop, tell)
        both = done.before, done.after
        sizes, psnrs = [size_bytes(one) for one in both], [psnr_db(one) for one in both]
        self.on_event(SegmentRefined(task.number, done.is_better, *sizes, *psnrs))
        return done.best
