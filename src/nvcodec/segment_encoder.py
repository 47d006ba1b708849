"""One segment from pixels to sections: fit, quantize, pack; and what to expect of it beforehand.

    pixels --Fitting--> parameters --scheme.quantize--> integers --scheme.pack--> sections

Keeps no state: frames, preset and seed give the bytes. Files and jobs are `encoder`'s.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nvcodec.allocator import keep_freed_memory
from nvcodec.coding.parameters import ParameterSet
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import PresetError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.evaluation import EvaluationPolicy
from nvcodec.fitting.loop import Fitting, MakeOptimizers
from nvcodec.fitting.optimizers import make_optimizers
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.stages import load_stage
from nvcodec.fitting.steering import Steering
from nvcodec.goals import Measured
from nvcodec.presets import Preset
from nvcodec.representations import build
from nvcodec.representations.representation import float32
from nvcodec.samples import Samples, VideoShape
from nvcodec.video.info import Pixels


class EncodedSegment(NamedTuple):
    """What one segment becomes."""

    sections: dict[str, bytes]
    digest: bytes
    values: Mapping[str, NDArray[np.float16]]
    """Parameters as a decoder will have them."""
    fit_s: float
    """Time that fitting took, in all runs."""
    reached: Measured | None = None
    """Where there was a goal."""


def start_fitting(
    pixels: Pixels,
    preset: Preset,
    seed: int,
    *,
    samples: Samples = Samples.RGB,
    depth: int = 8,
    device: torch.device | None = None,
    initial_values: Mapping[str, NDArray[Any]] | None = None,
    reference: Mapping[str, NDArray[np.float16]] | None = None,
    start: ParameterSet | None = None,
    store: CheckpointStore | None = None,
    time_limit_s: float | None = None,
    evaluation: EvaluationPolicy | None = None,
    make_optimizers: MakeOptimizers = make_optimizers,
    steering: Steering | None = None,
) -> Fitting:
    """A fitting of the preset's network to one segment, ready to run.

    Args:
        pixels: (T, H, W, C), samples of the kind and depth named.
        preset: a loaded preset.
        seed: of initial values, batches and noise.
        samples: what the representation shall give.
        depth: bits a sample.
        device: where to fit; the CPU by default.
        initial_values: parameters to begin with where their shapes agree, instead of random ones.
        reference: values of another segment, as decoded, to begin with too: what is coded is the
            change from them.
        start: the integers of this very segment, coded before, to go on from.
        store: where checkpoints are kept; a stored one is continued.
        time_limit_s: seconds that fitting shall take, all runs together, instead of the preset's
            epochs; the bytes then depend on the machine's speed.
        evaluation: when, and on how many frames, it is measured.
        make_optimizers: what updates which parameters.
        steering: a goal to end at, for stages that can.

    Raises:
        PresetError: the preset does not fit the video's size.
    """
    device, shape = device or torch.device("cpu"), VideoShape(*pixels.shape)
    with _naming(preset, shape), float32(), torch.device("meta"):
        build(preset.representation, shape).check_rendering()
    with float32(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        representation = build(preset.representation, shape)
    with torch.no_grad():
        for name, parameter in representation.named_parameters():
            values = (reference or initial_values or {}).get(name)
            if values is not None and values.shape == parameter.shape:
                parameter.copy_(torch.from_numpy(values))
    scheme = load_scheme(preset.scheme)
    with _naming(preset, shape):
        return Fitting(
            representation.to(device),
            torch.from_numpy(pixels).to(device),
            [load_stage(config) for config in preset.stages],
            scheme,
            preset.fitting,
            samples,
            seed,
            depth=depth,
            start=() if start is None else scheme.restore(start),
            reference=reference,
            store=store,
            time_limit_s=time_limit_s,
            evaluation=evaluation,
            make_optimizers=make_optimizers,
            steering=steering,
        )


@contextlib.contextmanager
def _naming(preset: Preset, shape: VideoShape) -> Iterator[None]:
    """Says which preset does not suit which size."""
    try:
        yield
    except ValueError as error:
        raise PresetError(
            f"preset {preset.name} for {shape.width}x{shape.height}: {error}"
        ) from error


def encode_segment(
    pixels: Pixels,
    preset: Preset,
    seed: int,
    *,
    samples: Samples = Samples.RGB,
    depth: int = 8,
    device: torch.device | None = None,
    initial_values: Mapping[str, NDArray[Any]] | None = None,
    reference: Mapping[str, NDArray[np.float16]] | None = None,
    start: ParameterSet | None = None,
    store: CheckpointStore | None = None,
    time_limit_s: float | None = None,
    steering: Steering | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[FitRecord], None] = lambda record: None,
    on_frame: Callable[[int, Pixels], None] | None = None,
) -> EncodedSegment:
    """Fit a representation to one segment and code it; a function of frames, preset and seed.

    Args are those of `start_fitting`, and:
        should_stop: asked before every step.
        on_record: called about once a second.
        on_frame: see `EvaluationPolicy.show`.

    Returns:
        Sections of the bitstream and the hash of their integers.

    Raises:
        PresetError: the preset does not fit the video's size.
        DivergedError: fitting failed.
        InterruptedEncodeError: stopped on request; `store` holds the state.
    """
    keep_freed_memory()
    fitting = start_fitting(
        pixels, preset, seed, samples=samples, depth=depth, device=device,
        initial_values=initial_values, reference=reference, start=start, store=store,
        time_limit_s=time_limit_s, steering=steering,
        evaluation=EvaluationPolicy(show=on_frame),
    )  # fmt: skip
    for record in fitting.run(should_stop):
        on_record(record)
    scheme, parameters = fitting.state.scheme, fitting.parameters()
    coded = scheme.quantize(parameters)
    reached = None if steering is None else steering.measure(fitting.state, parameters)
    return EncodedSegment(
        scheme.pack(coded), coded.digest(), coded.dequantize(), fitting.elapsed_s, reached
    )
