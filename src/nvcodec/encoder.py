"""From a video to a `.nvc` file, segment by segment.

    open_video --planes--> encode_segment: fit, quantize, pack --sections--> NvcWriter
                                 |                  ^
                                 +-- decoded again, and measured against the planes

`encode_segment` keeps no state: frames, preset and seed give sections. What a user reads as quality
comes from decoding the bytes, never from a loss.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from nvcodec import __version__
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Head
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_types import (
    EncodeOptions,
    EncodeReport,
    Event,
    SegmentFitting,
    SegmentStarted,
)
from nvcodec.errors import (
    BitstreamError,
    InterruptedEncodeError,
    NvcError,
    OutputError,
    UnsupportedVideoError,
    VerificationError,
    VideoError,
)
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.job import (
    Job,
    check_apart,
    check_output,
    check_owner,
    discard_job,
    frames_digest,
    job_folder,
)
from nvcodec.metrics.quality import QualityMeter
from nvcodec.presets import Preset
from nvcodec.representations import build
from nvcodec.samples import Chroma, Samples
from nvcodec.segment_decoder import SegmentDecoder, select_device
from nvcodec.segment_encoder import encode_segment, predicted_bytes, predicted_memory_bytes
from nvcodec.segment_values import check_limits, representation_config, segment_shape
from nvcodec.segments import Segment, plan_segments
from nvcodec.time_budget import TimeBudget, measuring_s
from nvcodec.video import VideoReader, open_videos
from nvcodec.video.color import luma_weights
from nvcodec.video.conversion import from_planes
from nvcodec.video.info import Pixels, Planes, VideoInfo

MIN_SIDE = 16
"""Shortest side, in pixels, of a video that is taken."""


def encode(
    source: str | Path | BinaryIO | Sequence[str | Path],
    target: str | Path | BinaryIO,
    preset: Preset,
    settings: EncodeOptions | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> EncodeReport:
    """Encode a video into a `.nvc` file; the same call continues an interrupted one.

    Args:
        source: what `video.open_video` opens; several are concatenated in time, and the file says
            where each begins. Segments go on from one to the next.
        target: a path, or a binary stream that is written forward only.
        preset: a loaded preset.
        settings: everything else.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Raises:
        NvcError: see `errors`; the message says what, where, what was seen and what is allowed.
    """
    settings = settings or EncodeOptions()
    sources = (
        list(source) if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    )
    path = check_output(
        target, settings.overwrite, continues=not settings.restart, workdir=settings.workdir
    )
    if path is not None:
        for one in sources:
            check_apart(one, path)
    elif settings.workdir is not None:
        raise OutputError("--workdir: an output that is a stream cannot be continued")
    device = select_device(settings.device)
    with open_videos(
        sources,
        frames=settings.frames,
        scale=settings.scale,
        frame_rate=settings.frame_rate,
        raw=settings.raw,
    ) as video:
        run = _Encoding(video, target, path, preset, settings, device, should_stop, on_event)
        return run.run()


class _Encoding:
    """One call of `encode`: its job, its file, and what was measured so far."""

    def __init__(
        self,
        video: VideoReader,
        target: str | Path | BinaryIO,
        path: Path | None,
        preset: Preset,
        settings: EncodeOptions,
        device: torch.device,
        should_stop: Callable[[], bool],
        on_event: Callable[[Event], None],
    ) -> None:
        self.video = video
        self.target = target
        self.path = path
        self.settings = settings
        self.device = device
        self.should_stop = should_stop
        self.on_event = on_event
        self.samples = _choose_samples(settings.samples, preset.samples, video.info)
        _check_video(video.info)
        shape = self.samples.shape(1, video.info.height, video.info.width)
        config = preset.representation.resolve(shape.height, shape.width)
        self.preset = preset.model_copy(update={"representation": config})
        self.meter = QualityMeter(video.info)
        limit_s = settings.max_time_s
        self.budget = None if limit_s is None else TimeBudget(limit_s, settings.spent_s)
        self.fit_s = 0.0
        self.decode_s = 0.0
        self.is_finished = False
        self.values: Mapping[str, NDArray[Any]] | None = None
        """Of the segment before, where the next begins with them."""
        self.job = self._open_job()

    def run(self) -> EncodeReport:
        """Encode every segment, then close and check the file."""
        try:
            work = self._recall_segments if self.is_finished else self._write_segments
            digests, num_frames, size_bytes = work()
        except InterruptedEncodeError as error:
            if self.job is None:
                raise InterruptedEncodeError(
                    "stopped on request; a stream cannot be continued, so nothing is kept"
                ) from error
            raise
        if self.settings.verify and self.path is not None:
            self._verify(digests, num_frames)
        if self.job is not None:
            self.job.remove()
        info = self.video.info
        is_measured = self.meter.num_frames == num_frames
        return EncodeReport(
            num_frames=num_frames,
            num_segments=len(digests),
            size_bytes=size_bytes,
            rate_bpp=8 * size_bytes / (num_frames * info.width * info.height),
            bitrate_kbps=8e-3 * size_bytes * float(info.frame_rate) / num_frames,
            quality=self.meter.quality() if is_measured else None,
            fit_s=self.fit_s,
            decode_s=self.decode_s,
        )

    def _write_segments(self) -> tuple[list[bytes], int, int]:
        """Digests of all segments, number of frames, and bytes written."""
        writer: NvcWriter | None = None
        digests: list[bytes] = []
        num_frames = 0
        try:
            for number, planes in enumerate(self._segments(iter(self.video))):
                if writer is None:
                    # Written only now: a stream of one segment has told its number of frames.
                    count = self.video.info.num_frames
                    is_all = count is None and len(planes) < self.settings.segment_frames
                    writer = self._open_writer(len(planes) if is_all else count)
                digests.append(self._encode(writer, number, num_frames, planes))
                num_frames += len(planes)
            assert writer is not None  # a video without frames was refused by its reader
            return digests, num_frames, writer.finish(self.video.clips)
        except NvcError as error:
            # A preset that does not fit, and the like: leave nothing behind.
            if self.job is not None and self.job.is_empty:
                if writer is not None:
                    writer.discard()
                    self.job.remove()
                elif not self.job.is_resumed and not isinstance(error, OutputError):
                    self.job.remove()
            raise
        finally:
            if writer is not None:
                writer.close()

    def _recall_segments(self) -> tuple[list[bytes], int, int]:
        """As `_write_segments`, of a file that got its name just before something stopped us."""
        assert self.path is not None
        digests: list[bytes] = []
        num_frames = 0
        for number, planes in enumerate(self._segments(iter(self.video))):
            digests.append(self._recall(number, frames_digest(planes)))
            num_frames += len(planes)
        return digests, num_frames, self.path.stat().st_size

    def _recall(self, number: int, input_digest: str) -> bytes:
        """Digest of a segment that is in the file; what was measured then counts as now."""
        assert self.job is not None
        stored = self.job.finished(number, input_digest)
        self.fit_s += stored["fit_s"]
        self._spent_before(stored["spent_s"])
        self.meter.restore(stored["quality"])
        return bytes.fromhex(stored["digest"])

    def _segments(self, frames: Iterator[Planes]) -> Iterator[list[Planes]]:
        """Frames of each segment: even lengths where their number is known, else as they come."""
        longest, count = self.settings.segment_frames, self.video.info.num_frames
        lengths: Sequence[int] | Iterator[int] = itertools.repeat(longest)
        if count is not None:
            lengths = [segment.num_frames for segment in plan_segments(count, longest)]
        for length in lengths:
            planes = []
            for frame in itertools.islice(frames, length):
                self._stop_if_asked()
                planes.append(frame)
            self._stop_if_asked()
            if planes:
                yield planes
            if len(planes) < length:
                return
        if next(frames, None) is not None:
            raise VideoError(f"more frames than the {count} announced")

    def _stop_if_asked(self) -> None:
        if self.should_stop():
            raise InterruptedEncodeError("stopped on request; everything up to here is saved")

    def _encode(
        self, writer: NvcWriter, number: int, first_frame: int, planes: list[Planes]
    ) -> bytes:
        """Encode, measure and write one segment, or take over one that the file holds already."""
        input_digest = frames_digest(planes)
        if number < len(writer.segments):
            return self._recall(number, input_digest)
        started = time.monotonic()
        head = writer.head
        segment = Segment(first_frame, first_frame + len(planes))
        store = None
        if self.job is not None:
            store = CheckpointStore(
                self.job.folder, f"segment-{number}", self.job.digest(input_digest, number)
            )
        self._announce(head, number, segment, store is not None and store.exists)
        encoded = encode_segment(
            self._pixels(planes),
            self.preset,
            self.settings.seed + number,
            samples=self.samples,
            depth=self.video.info.depth,
            device=self.device,
            store=store,
            initial_values=self._values_before(number),
            time_limit_s=self._time_limit_s(head, segment, planes[0]),
            should_stop=self.should_stop,
            on_record=lambda record: self.on_event(SegmentFitting(number, record)),
        )
        this_run_s = time.monotonic() - started
        before_s = max(0.0, encoded.fit_s - this_run_s)
        self._spent_before(before_s)
        fit_s = max(encoded.fit_s, this_run_s)
        self.fit_s += fit_s
        coded = CodedSegment(number, first_frame, len(planes), encoded.sections, encoded.digest)
        meter = QualityMeter(self.video.info)
        if self.settings.verify:
            self._measure(meter, head, coded, planes)
        self.meter.restore(meter.state())
        if self.preset.fitting.warm_start:
            self.values = encoded.values
            if self.job is not None:
                self.job.keep_values(number, encoded.values)
        if self.job is not None:
            self.job.finish(
                number,
                input_digest,
                {
                    "fit_s": fit_s,
                    "spent_s": before_s + time.monotonic() - started,
                    "quality": meter.state(),
                    "digest": encoded.digest.hex(),
                },
            )
        writer.write_segment(first_frame, len(planes), encoded.sections, encoded.digest)
        if store is not None:
            store.clear()
        return encoded.digest

    def _values_before(self, number: int) -> Mapping[str, NDArray[Any]] | None:
        """What segment `number` begins with; None for values of its own."""
        if not (number and self.preset.fitting.warm_start):
            return None
        if self.values is None and self.job is not None:  # an earlier run coded the one before
            self.values = self.job.kept_values(number - 1)
        return self.values

    def _spent_before(self, seconds: float) -> None:
        """An earlier run of the job spent this time, which counts as if it were now."""
        if self.budget is not None:
            self.budget.before_s += seconds

    def _time_limit_s(self, head: Head, segment: Segment, frame: Planes) -> float | None:
        """Time for fitting one segment: its share of what is left, less what measuring takes."""
        if self.budget is None:
            return None
        count = self.video.info.num_frames
        if count is None and segment.num_frames == self.settings.segment_frames:
            raise VideoError(
                "--max-time: how many frames are to come is not known; name them with --frames, "
                f"or allow segments longer than {segment.num_frames} with --segment-frames"
            )
        share_s = self.budget.share_s(segment, count or segment.stop)
        shape = segment_shape(head, segment.num_frames)
        representation = build(self.preset.representation, shape).to(self.device)
        scheme, verify = load_scheme(self.preset.scheme), self.settings.verify
        return share_s - measuring_s(representation, scheme, frame, self.video.info, verify=verify)

    def _announce(self, head: Head, number: int, segment: Segment, is_resumed: bool) -> None:
        """Say what is to be expected, and refuse what no decoder would take."""
        check_limits(head, segment.num_frames, self.settings.limits)
        config, shape = representation_config(head), segment_shape(head, segment.num_frames)
        self.on_event(
            SegmentStarted(
                number=number,
                segment=segment,
                video=self.video.info,
                num_parameters=config.num_parameters(shape),
                macs_per_frame=config.macs_per_frame(shape),
                predicted_bytes=predicted_bytes(self.preset, shape),
                memory_bytes=predicted_memory_bytes(
                    self.preset, shape, self.video.info.frame_bytes
                ),
                is_resumed=is_resumed,
            )
        )

    def _pixels(self, planes: list[Planes]) -> Pixels:
        info = self.video.info
        shape = self.samples.shape(len(planes), info.height, info.width)
        pixels = np.empty(shape, info.sample_type)
        for t, frame in enumerate(planes):
            pixels[t] = from_planes(self.samples, frame, info)
        return pixels

    def _measure(
        self, meter: QualityMeter, head: Head, coded: CodedSegment, planes: list[Planes]
    ) -> None:
        """Decode the segment's bytes and compare every frame."""
        started = time.monotonic()
        decoder = SegmentDecoder(head, coded, self.device, limits=self.settings.limits)
        for t, reference in enumerate(planes):
            self._stop_if_asked()
            decoded = decoder.planes(t, self.video.info)
            self.decode_s += time.monotonic() - started
            meter.add(reference, decoded)
            started = time.monotonic()

    def _verify(self, digests: list[bytes], num_frames: int) -> None:
        """Read the finished file back: every segment must hold the integers that were measured."""
        assert self.path is not None
        with NvcReader(self.path, limits=self.settings.limits) as reader:
            seen = [(segment.digest, segment.num_frames) for segment in reader.segments()]
        if [digest for digest, _ in seen] != digests or sum(n for _, n in seen) != num_frames:
            raise VerificationError(
                f"{self.path}: does not hold the {num_frames} frames that were coded"
            )

    def _open_job(self) -> Job | None:
        settings, path = self.settings, self.path
        if path is None:
            return None
        folder = settings.workdir or job_folder(path)
        check_owner(folder, path)
        if settings.restart:
            discard_job(folder, path)
        has_part = part_path(path).exists()
        if path.exists() and not has_part:
            job = Job.stored(folder, self._job_settings(), path)
            if job is not None and job.digests == self._written_digests(path):
                self.is_finished = True
                return job
            if not settings.overwrite:
                raise OutputError(f"{path}: exists; -y overwrites it")
            discard_job(folder)  # of an encoding that had finished, and was killed right then
        job = Job(folder, self._job_settings(), path)
        if has_part and not (job.is_resumed or settings.overwrite):
            job.remove()
            raise OutputError(
                f"{part_path(path)}: unfinished, and without the job that could continue it; "
                "--restart throws it away"
            )
        return job

    def _job_settings(self) -> dict[str, Any]:
        """Everything that the file's bytes depend on, save for the frames."""
        settings, info = self.settings, self.video.info
        frames = settings.frames
        return {
            **self.preset.tables(),
            "samples": self.samples.value,
            "segment_frames": settings.segment_frames,
            "seed": settings.seed,
            "max_time_s": settings.max_time_s,
            "frames": [frames.start, frames.stop] if frames else None,
            "width": info.width,
            "height": info.height,
            "chroma": info.chroma.value,
            "frame_rate": str(info.frame_rate),
            "num_frames": info.num_frames,
        }

    def _written_digests(self, path: Path) -> list[str] | None:
        """Hash of each segment's integers as the finished file has it; None if it is not whole."""
        try:
            with NvcReader(path, limits=self.settings.limits) as reader:
                return [segment.digest.hex() for segment in reader.segments()]
        except (BitstreamError, OSError):
            return None

    def _open_writer(self, num_frames: int | None) -> NvcWriter:
        head = Head.from_video_info(
            self.video.info,
            samples=self.samples,
            representation=self.preset.representation.model_dump(mode="json", exclude_none=True),
            scheme=self.preset.scheme.model_dump(mode="json", exclude_none=True),
            remark=f"nvcodec {__version__} {self.preset.name}",
        ).model_copy(update={"num_frames": num_frames or 0})
        overwrite, limits = self.settings.overwrite, self.settings.limits
        if self.path is None:
            return NvcWriter(self.target, head, limits=limits)
        if self.job is not None and self.job.is_resumed and part_path(self.path).exists():
            known = len(self.job.digests)
            return NvcWriter.resume(
                self.path, head, overwrite=overwrite, limits=limits, max_segments=known
            )
        return NvcWriter(self.path, head, overwrite=overwrite, limits=limits)


def _choose_samples(asked: Samples | None, preferred: Samples, info: VideoInfo) -> Samples:
    """What the representation gives: grey for grey, else as asked for, or as the preset prefers.

    A preset's preference that the source does not allow gives way to RGB.
    """
    if info.chroma is Chroma.GRAY:
        return Samples.GRAY
    allowed = Samples.allowed_for(info.chroma)
    if asked is None:
        return preferred if preferred in allowed else Samples.RGB
    if asked not in allowed:
        raise UnsupportedVideoError(
            f"--color {asked}: the source is {info.chroma.words}; allowed for it: "
            f"{', '.join(sorted(allowed))}"
        )
    return asked


def _check_video(info: VideoInfo) -> None:
    """Refuse what cannot be coded, before any work."""
    if min(info.width, info.height) < MIN_SIDE:
        raise UnsupportedVideoError(
            f"a video of {info.width}x{info.height}; allowed are {MIN_SIDE}x{MIN_SIDE} and larger"
        )
    if info.chroma not in (Chroma.GRAY, Chroma.RGB):
        luma_weights(info.color)
