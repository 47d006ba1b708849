"""One decoded segment: its network, and any of its frames.

sections --segment_values--> half floats --load_values--> network --render--> pixels, planes
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch

from nvcodec.allocator import keep_freed_memory
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.errors import MalformedError, VideoError
from nvcodec.frame_threads import useful_threads
from nvcodec.pixel_values import to_samples
from nvcodec.representations import build
from nvcodec.representations.representation import float32
from nvcodec.segment_values import (
    SegmentValues,
    band_height,
    memory_bytes,
    representation_config,
    scheme_of,
    segment_shape,
)
from nvcodec.video.conversion import to_planes, to_rgb
from nvcodec.video.info import Pixels, Planes, VideoInfo, sample_type

DEVICES = ("cpu", "cuda", "mps")
Precision = Literal["fp16", "bf16", "fp32"]


def select_device(name: str) -> torch.device:
    """A device by name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        VideoError: the device asked for is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"[a-z]+(:[0-9]+)?", name) is None or name.partition(":")[0] not in DEVICES:
        raise VideoError(f"device {name!r}: allowed are auto, cpu, cuda, cuda:N and mps")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:  # RuntimeError, AssertionError and others for a missing device
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VideoError(f"device {name!r} cannot be used: {reason}") from error
    return device


class SegmentDecoder:
    """One decoded segment: renders any of its frames, in any order."""

    def __init__(
        self,
        head: Head,
        segment: CodedSegment,
        device: torch.device,
        precision: Precision = "fp16",
        limits: Limits = DEFAULT_LIMITS,
        values: SegmentValues | None = None,
    ) -> None:
        """Unpack a segment; `values` gives those of segments that it refers to."""
        keep_freed_memory()
        self.head, self.first_frame = head, segment.first_frame
        own = (values or SegmentValues(head, limits)).of(segment)
        config, shape = representation_config(head), segment_shape(head, segment.num_frames)
        with float32(), torch.device("meta"):
            representation = build(config, shape)
            representation.requires_grad_(False)
        representation.load_values(own, device)
        self.representation = representation.eval()
        self.device = device
        self.dtype = _arithmetic(precision, device)
        self.band_height = band_height(config, shape)

    def num_threads(self, allowed_bytes: int) -> int:
        """Threads that may render frames at once, each another one, in so much memory."""
        config, shape = self.representation.config, self.representation.shape
        if not self.representation.serves_threads or self.device.type != "cpu":
            return 1
        needed = memory_bytes(config, shape, scheme_of(self.head), self.head.bit_depth)
        return useful_threads(config.macs_per_frame(shape), needed, allowed_bytes)

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """The arithmetic in which the representation is to be called."""
        # TF32 is off in float32: it would keep 10 bits of the 24 promised.
        cudnn: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.device.type == "cuda":
            cudnn = torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True)
        with (
            float32(),
            torch.inference_mode(),
            cudnn,
            torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None),
        ):
            yield

    def pixels(self, t: int) -> Pixels:
        """Frame `t` of the segment as the representation gives it, (H, W, C) in `head.samples`."""
        indices = torch.tensor([t])
        shape, top = self.representation.shape, 0
        frame = np.empty(shape[1:], sample_type(self.head.bit_depth))
        try:
            with self.inference():
                for band in self.representation.render_bands(indices, self.band_height):
                    samples = to_samples(band[0], self.head.bit_depth)  # fewer bytes leave
                    frame[top : top + len(samples)] = samples.cpu().numpy()
                    top += len(samples)
        except (RuntimeError, ValueError, IndexError):
            self._check_settings()
            raise
        return frame

    def _check_settings(self) -> None:
        """Refuse settings of HEAD that nothing can be rendered with.

        Asked when rendering has failed, as loading what it takes is half of a command's start.
        """
        with float32(), torch.device("meta"):
            twin = build(self.representation.config, self.representation.shape)
        try:
            with float32(), torch.inference_mode():
                twin.check_rendering()
        except ValueError as error:
            raise MalformedError(f"HEAD, representation: cannot be rendered: {error}") from error

    def planes(self, t: int, info: VideoInfo) -> Planes:
        """Frame `t` of the segment in the samples of the source."""
        return to_planes(self.head.samples, self.pixels(t), info)

    def rgb(self, t: int, info: VideoInfo) -> Pixels:
        """Frame `t` of the segment for looking at: RGB (H, W, 3), or grey (H, W, 1)."""
        return to_rgb(self.head.samples, self.pixels(t), info)


def _arithmetic(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Type of the arithmetic below float32, if any."""
    if precision == "bf16":
        return torch.bfloat16
    return torch.float16 if precision == "fp16" and device.type == "cuda" else None
