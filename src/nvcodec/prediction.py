"""What an encoding will come to, from a few seconds of it: bytes, quality and time.

    first frames, cropped --a pass--> bytes of the first frame and of those after it, PSNR, seconds
    a few steps of a network        --> seconds; its bytes follow from its tensors

Predicted pictures are coded in a sample as in the whole; a network has to be fitted before anybody
knows its quality. `benchmarks/goals.py` measures how far off this is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nvcodec.expectation import expect
from nvcodec.fitting.configs.analysis import AnalysisConfig
from nvcodec.fitting.evaluation import EvaluationPolicy
from nvcodec.fitting.stages import load_stage
from nvcodec.goals import Measured
from nvcodec.presets import Preset, share_epochs
from nvcodec.samples import Samples, VideoShape
from nvcodec.segment_decoder import select_device
from nvcodec.segment_encoder import start_fitting
from nvcodec.segments import Segment
from nvcodec.video.info import Pixels, VideoInfo

SAMPLE_POSITIONS = 4096
"""Of a frame, as they are fitted: packed 4:2:0 has four pixels each."""
PASSES_SIZE, PASSES_DB = 0.82, 0.3
"""What further passes, and contexts learned to the end, make of the bytes and add to the PSNR."""
PASS_TIME = 1.3
"""Of a later pass over that of the first."""
LEARNING_STEPS = 12
"""Instead of those of a whole encoding, which takes as long for few frames as for many."""
FIXED_TIME, AREA_TIME = 0.72, 0.34
"""Of a frame's time over that in the sample: whatever its size, and for each time as large."""
STEPS_S = 3.0
"""Seconds of a network's steps that are timed."""
MULTIPLE = 16
"""Positions that a sample's sides are multiples of."""


@dataclass(frozen=True)
class Prediction:
    """What one encoding will come to."""

    size_bytes: int
    psnr_db: float | None
    """None where it cannot be told."""
    seconds: float

    @property
    def measured(self) -> Measured:
        """As if it had been measured."""
        return Measured(self.size_bytes, self.psnr_db)


@dataclass(frozen=True)
class Work:
    """What is to be encoded, and how."""

    preset: Preset
    """Resolved for the picture."""
    samples: Samples
    info: VideoInfo
    segments: Sequence[Segment]
    seed: int = 0
    device: str = "auto"

    @property
    def num_frames(self) -> int:
        """Of all segments."""
        return self.segments[-1].stop

    @property
    def num_sampled(self) -> int:
        """Frames at the start that a prediction looks at."""
        return min(1 + getattr(self.preset.representation, "anchor_every", 0), self.num_frames)

    @property
    def is_of_pictures(self) -> bool:
        """Whether every stage codes one frame after the other."""
        return all(load_stage(stage).is_direct for stage in self.preset.stages)

    def shape(self, num_frames: int) -> VideoShape:
        """Of the samples of so many frames."""
        return self.samples.shape(num_frames, self.info.height, self.info.width)


def predict(work: Work, pixels: Pixels) -> Prediction:
    """Encode a little, and reckon.

    Args:
        work: all of it.
        pixels: samples (T, H, W, C) of the first frames, `work.num_sampled` or more.
    """
    pixels = pixels[: work.num_sampled]
    return (_of_pictures if work.is_of_pictures else _of_network)(work, pixels)


def _of_network(work: Work, pixels: Pixels) -> Prediction:
    """Bytes from the tensors, time from some steps; quality nobody knows."""
    preset, size = work.preset, 0
    segments, num_frames = work.segments, work.num_frames
    for segment in segments:
        size += expect(preset, work.shape(segment.num_frames), work.info).size_bytes
    longest = max(preset.stages, key=lambda stage: stage.epochs)
    epochs = sum(stage.epochs for stage in preset.stages)
    fitting = start_fitting(
        # The same frame again and again, in the memory of one.
        np.broadcast_to(pixels[:1], work.shape(segments[0].num_frames)),
        preset.model_copy(update={"stages": (longest,)}),
        work.seed,
        samples=work.samples,
        depth=work.info.depth,
        device=select_device(work.device),
        time_limit_s=STEPS_S,
    )
    for _ in fitting.run():
        pass
    steps_a_frame = epochs * fitting.batches.steps_per_epoch / segments[0].num_frames
    step_s = fitting.elapsed_s / max(fitting.steps_done, 1)
    return Prediction(size, None, step_s * steps_a_frame * num_frames)


def _of_pictures(work: Work, pixels: Pixels) -> Prediction:
    """A pass over a cropped sample; the first frame alone, and what each after it takes."""
    sample, whole = _cropped(pixels), pixels[0, :, :, 0].size
    area = whole / sample[0, :, :, 0].size
    first, _, _ = _one_pass(work, sample[:1])
    size, psnr, took_s = _one_pass(work, sample)
    each = (size - first) / max(len(sample) - 1, 1)
    segments, num_frames = work.segments, work.num_frames
    bytes_ = area * (first * len(segments) + each * (num_frames - len(segments)))
    passes = sum(stage.epochs for stage in work.preset.stages)
    frame_s = (
        (FIXED_TIME + AREA_TIME * area) * took_s / len(sample) * (1 + PASS_TIME * (passes - 1))
    )
    is_once = passes == 1
    return Prediction(
        round(bytes_ if is_once else PASSES_SIZE * bytes_),
        psnr if is_once else psnr + PASSES_DB,
        frame_s * num_frames,
    )


def _one_pass(work: Work, pixels: Pixels) -> tuple[int, float, float]:
    """Bytes, PSNR in dB, and seconds of coding some frames once."""
    stages = [
        stage.model_copy(update={"learning_steps": LEARNING_STEPS})
        if isinstance(stage, AnalysisConfig) else stage
        for stage in share_epochs(work.preset.stages, 1)
    ]  # fmt: skip
    preset = work.preset.model_copy(update={"stages": tuple(stages)})
    fitting = start_fitting(
        pixels, preset, work.seed, samples=work.samples, depth=work.info.depth,
        device=select_device(work.device),
        evaluation=EvaluationPolicy(interval_s=math.inf, num_frames=len(pixels)),
    )  # fmt: skip
    for _ in fitting.run():
        pass
    seen = fitting.evaluation
    assert seen.size_bytes is not None
    assert seen.psnr_db is not None
    return seen.size_bytes, seen.psnr_db, fitting.elapsed_s


def _cropped(pixels: Pixels) -> Pixels:
    """The middle of the frames, of their shape."""
    height, width = pixels.shape[1:3]
    share = min(1.0, math.sqrt(SAMPLE_POSITIONS / (height * width)))
    rows, columns = (max(MULTIPLE, round(n * share / MULTIPLE) * MULTIPLE) for n in (height, width))
    rows, columns = min(rows, height), min(columns, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    return np.ascontiguousarray(pixels[:, top : top + rows, left : left + columns])
