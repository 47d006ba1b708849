"""From a video to a `.nvc` file, segment by segment.

    open_video --planes--> encode_segment: fit, quantize, pack --sections--> NvcWriter
                                 |                  ^
                                 +-- decoded again and measured against the planes, before they are let go

`encode_segment` keeps no state: frames, preset and seed give sections. What a user reads as quality comes from
decoding the bytes, never from a loss.
"""

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nvcodec import __version__
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.header import Head
from nvcodec.container.payloads import CodedSegment
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.decoder import SegmentDecoder, memory_bytes, num_channels, segment_shape, select_device
from nvcodec.errors import InterruptedEncodeError, OutputError, PresetError, UnsupportedVideoError, VerificationError, VideoError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.loop import Fitting, FitRecord
from nvcodec.fitting.settings import FittingConfig
from nvcodec.fitting.stages import load_stage
from nvcodec.job import Job, frames_digest
from nvcodec.metrics.quality import Quality, QualityMeter
from nvcodec.presets import Preset
from nvcodec.representations import build
from nvcodec.segments import Segment, plan_segments
from nvcodec.video import VideoReader, open_video
from nvcodec.video.color import planes_to_rgb, planes_to_yuv444
from nvcodec.video.info import Chroma, Planes, VideoInfo, VideoShape

Color = Literal["auto", "rgb", "yuv"]

MIN_SIDE = 16
DEFAULT_SEGMENT_FRAMES = 600
"""Longest segment unless asked otherwise: a UVG sequence is one segment."""
EXPECTED_CODED_SHARE = 0.72
"""Coded bits of a pruned and quantized network over `bits` a parameter; only for the prediction before fitting."""


@dataclass(frozen=True)
class EncodeSettings:
    """How to encode, besides the preset."""

    color: Color = "auto"
    segment_frames: int = DEFAULT_SEGMENT_FRAMES
    seed: int = 0
    device: str = "auto"
    frames: slice | None = None
    scale: tuple[int, int] | None = None
    workdir: Path | None = None
    restart: bool = False
    overwrite: bool = False
    verify: bool = True


class EncodedSegment(NamedTuple):
    """What one segment becomes."""

    sections: dict[str, bytes]
    digest: bytes


@dataclass(frozen=True)
class SegmentStarted:
    """A segment is about to be fitted."""

    number: int
    segment: Segment
    video: VideoInfo
    num_parameters: int
    macs_per_frame: int
    predicted_bytes: int
    memory_bytes: int
    is_resumed: bool


@dataclass(frozen=True)
class SegmentFitting:
    """Where the fitting of a segment stands."""

    number: int
    record: FitRecord


@dataclass(frozen=True)
class EncodeReport:
    """A finished encoding; quality is that of the decoded file, None when it was not measured."""

    num_frames: int
    num_segments: int
    size_bytes: int
    rate_bpp: float
    bitrate_kbps: float
    quality: Quality | None
    fit_s: float
    decode_s: float


Event = SegmentStarted | SegmentFitting


def encode_segment(
    pixels: NDArray[np.uint8],
    preset: Preset,
    seed: int,
    *,
    color: str = "rgb",
    device: torch.device | None = None,
    store: CheckpointStore | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[FitRecord], None] = lambda record: None,
) -> EncodedSegment:
    """Fit a representation to one segment and code it.

    Args:
        pixels: uint8 (T, H, W, C), samples of the kind that `color` names.
        preset: a loaded preset.
        seed: of initial values, batches and noise.
        color: `rgb`, `yuv` (4:4:4) or `gray`.
        device: where to fit; the CPU by default.
        store: where checkpoints are kept; a stored one is continued.
        should_stop: asked before every step.
        on_record: called about once a second.

    Returns:
        Sections of the bitstream and the hash of their integers.

    Raises:
        PresetError: the preset does not fit the video's size.
        DivergedError: fitting failed.
        InterruptedEncodeError: stopped on request; `store` holds the state.
    """
    device = device or torch.device("cpu")
    scheme = load_scheme(preset.scheme)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        representation = build(preset.representation_config, VideoShape(*pixels.shape))
    try:
        fitting = Fitting(
            representation.to(device),
            torch.from_numpy(pixels).to(device),
            [load_stage(table) for table in preset.stages],
            scheme,
            FittingConfig.model_validate(preset.fitting),
            color,
            seed,
            store,
        )
    except ValueError as error:
        raise PresetError(f"preset {preset.name} for {pixels.shape[2]}x{pixels.shape[1]}: {error}") from error
    for record in fitting.run(should_stop):
        on_record(record)
    coded = scheme.quantize(fitting.parameters())
    return EncodedSegment(scheme.pack(coded), coded.digest())


def encode(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    preset: Preset,
    settings: EncodeSettings | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> EncodeReport:
    """Encode a video into a `.nvc` file; the same call continues an interrupted one.

    Args:
        source: what `video.open_video` opens.
        target: a path, or a binary stream that is written forward only.
        preset: a loaded preset.
        settings: everything else.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Raises:
        NvcError: see `errors`; the message says what, where, what was seen and what is allowed.
    """
    settings = settings or EncodeSettings()
    path = Path(target) if isinstance(target, str | Path) else None
    if path is not None and path.exists() and not path.is_file() and not path.is_dir():
        path = None  # a device or a named pipe is written forward, without a job
    if path is not None and path.exists() and not settings.overwrite:
        raise OutputError(f"{path}: exists; -y overwrites it")
    if path is not None and not path.parent.is_dir():
        raise OutputError(f"{path.parent}: no such folder")
    device = select_device(settings.device)
    with open_video(source, frames=settings.frames, scale=settings.scale) as video:
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
        settings: EncodeSettings,
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
        self.color = _choose_color(settings.color, video.info)
        _check_size(video.info)
        config = preset.representation_config.resolve(video.info.height, video.info.width)
        resolved = config.model_dump(mode="json", exclude_none=True)
        self.preset = preset.model_copy(update={"representation": resolved})
        self.meter = QualityMeter(video.info)
        self.fit_s = 0.0
        self.decode_s = 0.0
        self.job = self._open_job()

    def run(self) -> EncodeReport:
        """Encode every segment, then close and check the file."""
        frames = iter(self.video)
        writer: NvcWriter | None = None
        digests = []
        num_frames = 0
        try:
            for number, planes in enumerate(self._segments(frames)):
                if self.should_stop():
                    raise InterruptedEncodeError("stopped on request; everything up to here is saved")
                if writer is None:
                    # Written only now: a video of one segment has told its number of frames.
                    is_all = len(planes) < self.settings.segment_frames
                    writer = self._open_writer(len(planes) if is_all else self.video.info.num_frames)
                digests.append(self._encode(writer, number, num_frames, planes))
                num_frames += len(planes)
            assert writer is not None  # a video without frames was refused by its reader
            size_bytes = writer.finish()
        finally:
            if writer is not None:
                writer.close()
        if self.settings.verify and self.path is not None:
            self._verify(digests, num_frames)
        if self.job is not None:
            self.job.remove()
        info = self.video.info
        return EncodeReport(
            num_frames=num_frames,
            num_segments=len(digests),
            size_bytes=size_bytes,
            rate_bpp=8 * size_bytes / (num_frames * info.width * info.height),
            bitrate_kbps=8e-3 * size_bytes * float(info.frame_rate) / num_frames,
            quality=self.meter.quality() if self.settings.verify else None,
            fit_s=self.fit_s,
            decode_s=self.decode_s,
        )

    def _segments(self, frames: Iterator[Planes]) -> Iterator[list[Planes]]:
        """Frames of each segment: of equal lengths where the number of frames is known, else as they come."""
        longest, count = self.settings.segment_frames, self.video.info.num_frames
        lengths: Sequence[int] | Iterator[int] = itertools.repeat(longest)
        if count is not None:
            lengths = [segment.num_frames for segment in plan_segments(count, longest)]
        for length in lengths:
            planes = list(itertools.islice(frames, length))
            if planes:
                yield planes
            if len(planes) < length:
                return
        if next(frames, None) is not None:
            raise VideoError(f"more frames than the {count} announced")

    def _encode(self, writer: NvcWriter, number: int, first_frame: int, planes: list[Planes]) -> bytes:
        """Encode, measure and write one segment, or take over one that the file holds already."""
        input_digest = frames_digest(planes)
        if number < len(writer.segments):
            assert self.job is not None
            stored = self.job.finished(number, input_digest)
            self.fit_s += stored["fit_s"]
            self.meter.restore(stored["quality"])
            return bytes.fromhex(stored["digest"])
        started = time.monotonic()
        head = writer.head
        segment = Segment(first_frame, first_frame + len(planes))
        store = None
        if self.job is not None:
            store = CheckpointStore(
                self.job.folder, f"segment-{number}", self.job.digest(input_digest, number)
            )
        self._announce(head, number, segment, store is not None and store.exists)
        fitted_s = 0.0

        def on_record(record: FitRecord) -> None:
            nonlocal fitted_s
            fitted_s = record.elapsed_s
            self.on_event(SegmentFitting(number, record))

        encoded = encode_segment(
            self._pixels(planes), self.preset, self.settings.seed + number, color=self.color,
            device=self.device, store=store, should_stop=self.should_stop, on_record=on_record,
        )  # fmt: skip
        fit_s = max(fitted_s, time.monotonic() - started)
        self.fit_s += fit_s
        coded = CodedSegment(number, first_frame, len(planes), encoded.sections, encoded.digest)
        meter = QualityMeter(self.video.info)
        if self.settings.verify:
            self._measure(meter, head, coded, planes)
        self.meter.restore(meter.state())
        if self.job is not None:
            measured = {"fit_s": fit_s, "quality": meter.state(), "digest": encoded.digest.hex()}
            self.job.finish(number, input_digest, measured)
        writer.write_segment(first_frame, len(planes), encoded.sections, encoded.digest)
        if store is not None:
            store.clear()
        return encoded.digest

    def _announce(self, head: Head, number: int, segment: Segment, is_resumed: bool) -> None:
        config = self.preset.representation_config
        shape = segment_shape(head, segment.num_frames)
        count = config.num_parameters(shape)
        bits = self.preset.scheme.get("bits")
        share = EXPECTED_CODED_SHARE * bits if bits else 16
        batch = self.preset.fitting.get("batch_size", 1) if not self.preset.fitting.get("patch_size") else 1
        activations = 10 * batch * config.activations_per_frame(shape) * 4
        pixels = segment.num_frames * (shape.height * shape.width * shape.channels + self.video.info.frame_bytes)
        self.on_event(
            SegmentStarted(
                number, segment, self.video.info, count, config.macs_per_frame(shape),
                round(count * share / 8), memory_bytes(config, shape) + 8 * count + activations + pixels,
                is_resumed,
            )
        )  # fmt: skip

    def _pixels(self, planes: list[Planes]) -> NDArray[np.uint8]:
        convert = planes_to_yuv444 if self.color == "yuv" else planes_to_rgb
        return np.stack([convert(frame, self.video.info) for frame in planes])

    def _measure(self, meter: QualityMeter, head: Head, coded: CodedSegment, planes: list[Planes]) -> None:
        """Decode the segment's bytes and compare every frame."""
        started = time.monotonic()
        decoder = SegmentDecoder(head, coded, self.device)
        for t, reference in enumerate(planes):
            decoded = decoder.planes(t, self.video.info)
            self.decode_s += time.monotonic() - started
            meter.add(reference, decoded)
            started = time.monotonic()

    def _verify(self, digests: list[bytes], num_frames: int) -> None:
        """Read the finished file back: every segment must hold the integers that were measured."""
        assert self.path is not None
        with NvcReader(self.path) as reader:
            seen = [(segment.digest, segment.num_frames) for segment in reader.segments()]
        if [digest for digest, _ in seen] != digests or sum(n for _, n in seen) != num_frames:
            raise VerificationError(f"{self.path}: does not hold the {num_frames} frames that were coded")

    def _open_job(self) -> Job | None:
        settings = self.settings
        folder = settings.workdir
        if folder is None:
            if self.path is None:
                return None
            folder = self.path.with_name(self.path.name + ".job")
        if settings.restart:
            shutil.rmtree(folder, ignore_errors=True)
            if self.path is not None:
                part_path(self.path).unlink(missing_ok=True)
        info = self.video.info
        return Job(
            folder,
            {
                "preset": self.preset.model_dump(mode="json", exclude={"name", "description"}),
                "color": self.color,
                "segment frames": settings.segment_frames,
                "seed": settings.seed,
                "frames": [settings.frames.start, settings.frames.stop] if settings.frames else None,
                "video": [info.width, info.height, info.chroma.value, str(info.frame_rate), info.num_frames],
            },
        )

    def _open_writer(self, num_frames: int | None) -> NvcWriter:
        head = Head.from_video_info(
            self.video.info,
            color=self.color,
            representation=self.preset.representation,
            scheme=self.preset.scheme,
            remark=f"nvcodec {__version__} {self.preset.name}",
        ).model_copy(update={"num_frames": num_frames or 0})
        overwrite = self.settings.overwrite
        if self.path is None:
            return NvcWriter(self.target, head)
        if self.job is not None and self.job.is_resumed and part_path(self.path).exists():
            return NvcWriter.resume(self.path, head, overwrite=overwrite)
        return NvcWriter(self.path, head, overwrite=overwrite)


def _choose_color(color: Color, info: VideoInfo) -> Literal["rgb", "yuv", "gray"]:
    """What the representation gives: grey for grey, else as asked for, RGB by default."""
    if info.chroma is Chroma.GRAY:
        return "gray"
    if color == "yuv" and info.chroma is Chroma.RGB:
        raise UnsupportedVideoError("--color yuv: the source is RGB; allowed for it: rgb")
    return "rgb" if color == "auto" else color


def _check_size(info: VideoInfo) -> None:
    if min(info.width, info.height) < MIN_SIDE:
        raise UnsupportedVideoError(
            f"a video of {info.width}x{info.height}; allowed are {MIN_SIDE}x{MIN_SIDE} and larger"
        )
