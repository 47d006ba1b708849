"""One segment from bytes to frames: what it may take is checked, then its network is rendered.

HEAD --build_checked--> representation without values
sections --unpack_segment--> integers --> values --SegmentDecoder--> pixels, planes
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from nvcodec.allocator import keep_freed_memory
from nvcodec.coding.parameters import ParameterSet
from nvcodec.coding.scheme import Scheme
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.errors import (
    ChecksumError,
    MalformedError,
    UnsupportedVersionError,
    VideoError,
)
from nvcodec.representations import build, load_config
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.representation import Representation
from nvcodec.video.color import (
    packed_to_planes,
    planes_to_rgb,
    rgb_to_planes,
    yuv444_to_planes,
)
from nvcodec.video.info import Planes, VideoInfo, VideoShape

T = TypeVar("T")
Precision = Literal["fp16", "bf16", "fp32"]

BAND_BYTES = 1 << 30
"""Memory for the activations of what is rendered at a time."""
MARGINS = 1.5
"""Rows that a band computes, margins included, over those it gives; about."""


def select_device(name: str) -> torch.device:
    """A device by name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        VideoError: the device asked for is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:  # RuntimeError, AssertionError and others for a missing device
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VideoError(f"device {name!r} cannot be used: {reason}") from error
    return device


def segment_shape(head: Head, num_frames: int) -> VideoShape:
    """Shape of what a segment's representation stands for."""
    return VideoShape.of_samples(head.color, num_frames, head.height, head.width)


def representation_config(head: Head) -> RepresentationConfig:
    """The settings of the file's representation.

    Raises:
        UnsupportedVersionError: its kind is unknown here.
        MalformedError: a field of it is not as the format says.
    """
    return _loaded("representation", load_config, head.representation)


def memory_bytes(representation: Representation[Any], scheme: Scheme[Any]) -> int:
    """Estimate for decoding: parameters and their integers, and activations of a frame or band.

    Values of the representation are not looked at; it may be on the `meta` device.
    """
    config, shape = representation.config, representation.shape
    activations: int = 8 * config.activations_per_frame(shape)
    band = band_height(representation)
    if band is not None:
        share = min(1.0, MARGINS * band / representation.canvas[0])
        activations = round(share * activations) + 4 * config.activations_per_band(shape)
    return scheme.memory_bytes(representation.parameter_specs()) + activations


def band_height(representation: Representation[Any]) -> int | None:
    """Rows to render at a time; None for whole frames, which are faster where they fit.

    A band also computes its margins. Where no band is low enough the lowest is taken.
    """
    config, shape = representation.config, representation.shape
    needed = 8 * config.activations_per_frame(shape)
    if needed <= BAND_BYTES:
        return None
    heights, _ = representation.patch_sizes()
    fitting = [h for h in heights if MARGINS * needed * h / heights[-1] <= BAND_BYTES]
    return max(fitting, default=heights[0])


def build_checked(head: Head, num_frames: int, limits: Limits) -> Representation[Any]:
    """The representation of a segment, without values; its size is checked before anything else.

    Raises:
        BitstreamError: unknown kind, fields that do not fit together, or above the limits.
    """
    config, shape = representation_config(head), segment_shape(head, num_frames)
    where = "HEAD, representation"
    limits.check(where, "parameters", config.num_parameters(shape), limits.parameters)
    limits.check(
        where, "multiply-adds a frame", config.macs_per_frame(shape), limits.macs_per_frame
    )
    try:
        with torch.device("meta"):
            representation = build(config, shape)
    except ValueError as error:
        raise MalformedError(f"{where}: {error}") from error
    needed = memory_bytes(representation, _scheme(head))
    limits.check(where, "bytes of memory", needed, limits.memory_bytes)
    return representation


def _scheme(head: Head) -> Scheme[Any]:
    return _loaded("scheme", load_scheme, head.scheme)


def _loaded(part: str, load: Callable[[Mapping[str, Any]], T], table: Mapping[str, Any]) -> T:
    """What a table of HEAD describes."""
    try:
        return load(table)
    except KeyError as error:
        raise UnsupportedVersionError(
            f"HEAD: {error.args[0]}; the file needs a newer nvc"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedError(f"HEAD, {part} {first['loc']}: {first['msg']}") from error
    except ValueError as error:
        raise MalformedError(f"HEAD, {part}: {error}") from error


def unpack_segment(
    head: Head, segment: CodedSegment, representation: Representation[Any]
) -> ParameterSet:
    """The integers of a segment, checked against its hash.

    Raises:
        BitstreamError: the sections do not hold what the header announces.
    """
    parameters = _scheme(head).unpack(segment.sections, representation.parameter_specs())
    if parameters.digest() != segment.digest:
        raise ChecksumError(
            f"segment {segment.number}: the decoded integers do not match their hash"
        )
    return parameters


class SegmentDecoder:
    """One decoded segment: renders any of its frames, in any order."""

    def __init__(
        self,
        head: Head,
        segment: CodedSegment,
        device: torch.device,
        precision: Precision = "fp16",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        keep_freed_memory()
        self.head = head
        representation = build_checked(head, segment.num_frames, limits)
        parameters = unpack_segment(head, segment, representation)
        representation = representation.to_empty(device=device).requires_grad_(False).eval()
        representation.load_values(parameters.dequantize())
        self.representation = representation
        self.device = device
        self.dtype = _arithmetic(precision, device)
        self.band_height = band_height(representation)

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """The arithmetic in which the representation is to be called."""
        # TF32 is off in float32: it would keep 10 bits of the 24 promised.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True),
            torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None),
        ):
            yield

    def pixels(self, t: int) -> NDArray[np.uint8]:
        """Frame `t` of the segment as the representation gives it, rounded to 8 bits.

        uint8 (H, W, C) in what `head.color` names: RGB, YUV 4:4:4, packed 4:2:0, or grey.
        """
        indices = torch.tensor([t], device=self.device)
        with self.inference():
            output = self.representation.render(indices, self.band_height)[0].float()
            rounded = (output.nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)
        return rounded.cpu().numpy()

    def planes(self, t: int, info: VideoInfo) -> Planes:
        """Frame `t` of the segment in the samples of the source."""
        pixels = self.pixels(t)
        if self.head.color == "yuv":
            return yuv444_to_planes(pixels, info)
        if self.head.color == "yuv420":
            return packed_to_planes(pixels, info)
        return rgb_to_planes(pixels, info)

    def rgb(self, t: int, info: VideoInfo) -> NDArray[np.uint8]:
        """Frame `t` of the segment for looking at: RGB (H, W, 3), or grey (H, W, 1)."""
        if self.head.color in ("yuv", "yuv420"):
            return planes_to_rgb(self.planes(t, info), info)
        return self.pixels(t)


def _arithmetic(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Type of the arithmetic below float32, if any."""
    if precision == "bf16":
        return torch.bfloat16
    return torch.float16 if precision == "fp16" and device.type == "cuda" else None
