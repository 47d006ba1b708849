"""One coded segment fitted further: from its own integers, at any lambda, and never for the worse.

    CodedSegment --measured--> SegmentResult, before
    its integers --> `segment_work.do` by the preset's recipe, shortened --> SegmentResult, after
    both --gain--> the better one

Knows no files: `refiner` has them, and whoever encodes may call it between two segments.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.fitting.record import FitRecord
from nvcodec.metrics.quality import QualityMeter
from nvcodec.presets import Preset
from nvcodec.segment_decoder import SegmentDecoder, select_device
from nvcodec.segment_values import SegmentValues, unpack_segment
from nvcodec.segment_work import SegmentResult, SegmentTask, do, measure
from nvcodec.video.info import Planes, VideoInfo

SLOPE_DB = 5.0
"""PSNR that twice the bytes must bring where no lambda says what they are worth; more than the
curves of the presets without one give."""


@dataclass(frozen=True)
class Refinement:
    """A segment before and after, each as it was decoded and measured."""

    before: SegmentResult
    after: SegmentResult
    gain: float
    """In the cost that was judged by; see `gain`."""

    @property
    def is_better(self) -> bool:
        """Whether there is one."""
        return self.gain > 0

    @property
    def best(self) -> SegmentResult:
        """What to keep; the time is that of both."""
        if self.is_better:
            return self.after
        names = ("fit_s", "decode_s", "before_s", "spent_s")
        return replace(self.before, **{name: getattr(self.after, name) for name in names})


def refine_segment(
    task: SegmentTask,
    planes: Sequence[Planes],
    before: SegmentResult,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[FitRecord], None] = lambda record: None,
) -> Refinement:
    """Go on fitting a coded segment; the same task gives the same bytes.

    Args:
        task: as for encoding, its preset from `recipe.shortened` and at the lambda wanted.
        planes: the frames of the segment.
        before: the segment as `segment_work.do` made it, or as `measured` found it in a file, with
            the representation and scheme of `task.head`; it was decoded and compared.
        should_stop: asked before every step and frame.
        tell: told of progress about once a second.

    Raises:
        NvcError: as `segment_work.do`; BitstreamError: the segment is damaged.
    """
    start = unpack_segment(task.head, before.coded, task.limits)
    own = replace(task, start=start, begins_with=None, verify=True)
    after = do(own, planes, None, should_stop, tell)
    return Refinement(before, after, gain(task.preset, task.info, before, after))


def measured(
    task: SegmentTask,
    planes: Sequence[Planes],
    coded: CodedSegment,
    should_stop: Callable[[], bool] = lambda: False,
) -> SegmentResult:
    """A coded segment as if it had just been made: decoded, and compared with its source."""
    started, meter = time.monotonic(), QualityMeter(task.info)
    values, device = SegmentValues(task.head, task.limits), select_device(task.device)
    decoder = SegmentDecoder(task.head, coded, device, limits=task.limits, values=values)
    opened_s = time.monotonic() - started
    decode_s = opened_s + measure(decoder, planes, meter, should_stop)
    spent_s = time.monotonic() - started
    return SegmentResult(coded, values.of(coded), meter.state(), 0.0, decode_s, 0.0, spent_s)


def gain(preset: Preset, info: VideoInfo, before: SegmentResult, after: SegmentResult) -> float:
    """How much less a segment costs afterwards.

    J = R + lambda D, R in bits a pixel, D the mean squared error of RGB in [0, 1]; of presets
    without a lambda in dB, bytes counted by `SLOPE_DB`.
    """
    lmbda = preset.last_lmbda
    if lmbda is None:
        octaves = math.log2(size_bytes(after) / size_bytes(before))
        return psnr_db(after) - psnr_db(before) - SLOPE_DB * octaves
    return cost(before, info, lmbda) - cost(after, info, lmbda)


def cost(result: SegmentResult, info: VideoInfo, lmbda: float) -> float:
    """J of a segment; see `gain`."""
    psnrs = result.quality[0]
    error = sum(10 ** (-one / 10) for one in psnrs) / len(psnrs)
    return 8 * size_bytes(result) / (len(psnrs) * info.width * info.height) + lmbda * error


def size_bytes(result: SegmentResult) -> int:
    """Of its sections."""
    return sum(map(len, result.coded.sections.values()))


def psnr_db(result: SegmentResult) -> float:
    """Mean PSNR-RGB."""
    return sum(result.quality[0]) / len(result.quality[0])
