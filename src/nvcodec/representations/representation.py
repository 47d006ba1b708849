"""What a representation is: a function with parameters from frame coordinates to pixels.

It knows its tensors and nothing of optimisers, bits, files, or devices other than the one its
tensors are on.
"""

import abc
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import VideoShape


@dataclass(frozen=True)
class Patches:
    """A batch of equally sized spatial blocks of frames, in canvas pixels.

    Attributes:
        t: frame indices, int64 (N,).
        y: top rows, int64 (N,); multiples of the patch grid.
        x: left columns, int64 (N,).
        size: (height, width) of every patch; None means whole frames, then `y` and `x` are zero.
        numbers: `t` where Python can read it without waiting for the device; None: not known.
    """

    t: Tensor
    y: Tensor
    x: Tensor
    size: tuple[int, int] | None = None
    numbers: tuple[int, ...] | None = None

    @classmethod
    def frames(cls, t: Tensor, device: torch.device | None = None) -> "Patches":
        """Whole frames with indices `t`, on a device, if one is named."""
        numbers = tuple(t.tolist()) if t.device.type == "cpu" else None
        t = t.to(device)
        zeros = torch.zeros_like(t)
        return cls(t, zeros, zeros, numbers=numbers)

    @property
    def on_host(self) -> tuple[int, ...]:
        """Frame indices, read from the device where they are not known."""
        return tuple(self.t.tolist()) if self.numbers is None else self.numbers

    def distinct_frames(self) -> tuple[Tensor, Tensor]:
        """Indices of frames, each once and rising, and which of them is each patch's."""
        if self.numbers is None or torch.compiler.is_compiling():  # not anew for other numbers
            found, which = torch.unique(self.t, return_inverse=True)
            return found, which
        frames = sorted(set(self.numbers))
        places = {number: place for place, number in enumerate(frames)}
        owners = [places[number] for number in self.numbers]
        device = self.t.device
        return torch.tensor(frames, device=device), torch.tensor(owners, device=device)


ConfigT = TypeVar("ConfigT", bound=RepresentationConfig)


class Representation(nn.Module, abc.ABC, Generic[ConfigT]):
    """Coordinates -> pixels in [0, 1], with parameters theta.

    `shape` is the video's own; the canvas is that shape rounded up to what the network can produce,
    and `render` crops.
    """

    Config: ClassVar[type[RepresentationConfig]]
    serves_threads: ClassVar[bool] = True
    """Whether several threads may render at once, a frame each."""

    def __init__(self, config: ConfigT, shape: VideoShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        self.specs = config.tensors(shape)
        """Name, shape, role and prunability of every parameter, in coding order."""

    def check_tensors(self) -> None:
        """Hold the network against what its settings say is stored: one name, one shape each."""
        built = [(name, tuple(p.shape)) for name, p in self.named_parameters()]
        stated = [(spec.name, spec.shape) for spec in self.specs]
        assert built == stated, sorted(set(built) ^ set(stated)) or "another order"

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) that the network produces, at least those of the video."""
        return self.config.canvas(self.shape.height, self.shape.width)

    @abc.abstractmethod
    def forward(self, patches: Patches) -> Tensor:
        """Pixels of patches, float (N, h, w, C) in [0, 1]; canvas size for whole frames."""

    def patch_sizes(self) -> tuple[list[int], list[int]]:
        """Heights and widths that patches may have, rising; the canvas itself is the last."""
        return self.config.patch_sizes(self.shape.height, self.shape.width)

    def check_patch_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError, naming the legal sizes, when such patches cannot be produced."""
        for name, seen, legal in zip(("height", "width"), size, self.patch_sizes(), strict=True):
            if seen not in legal:
                raise ValueError(f"patch {name} {seen} is not one of {', '.join(map(str, legal))}")

    def render(self, frame_indices: Tensor, band_height: int | None = None) -> Tensor:
        """Frames at the video's size, float (N, H, W, C) in [0, 1], whatever the batch.

        Indices may be on the CPU wherever the network is; it is the quickest for those networks
        that are another one for every frame.

        With `band_height`, one of `patch_sizes`, bands of so many rows are computed one after the
        other: the same pixels in less memory.
        """
        bands = list(self.render_bands(frame_indices, band_height))
        return bands[0] if len(bands) == 1 else torch.cat(bands, dim=1)

    def render_bands(
        self, frame_indices: Tensor, band_height: int | None = None
    ) -> Iterator[Tensor]:
        """The same from top to bottom, band by band as they are made."""
        height, width = self.canvas
        whole = Patches.frames(frame_indices, next(self.parameters()).device)
        if band_height is None or band_height == height:
            frames: Tensor = self(whole)
            yield frames[:, : self.shape.height, : self.shape.width]
            return
        for top in range(0, self.shape.height, band_height):
            band = self(replace(whole, y=whole.y + top, size=(band_height, width)))
            yield band[:, : self.shape.height - top, : self.shape.width]

    def check_rendering(self) -> None:
        """Render a frame without its numbers, on the device "meta".

        Raises:
            ValueError: tensors of these shapes do not fit together.
        """
        try:
            self.render(torch.zeros(1, dtype=torch.int64))
        except RuntimeError as error:
            raise ValueError(str(error).splitlines()[0]) from error

    def load_values(
        self, values: Mapping[str, NDArray[np.float16]], device: torch.device | None = None
    ) -> None:
        """Set every parameter from decoded half floats; put them on a device, if one is named.

        Where they are on "meta" that is the way to have them at all, and loads no compiler.
        """
        if device is not None:
            names = [name for name, _ in self.named_parameters()]
            own = {name: torch.from_numpy(values[name]).float().to(device) for name in names}
            self.load_state_dict(own, assign=True)
            return
        with torch.no_grad():
            for name, tensor in self.named_parameters():
                tensor.copy_(torch.from_numpy(values[name]))


@contextlib.contextmanager
def float32() -> Iterator[None]:
    """Networks are made of float32, whatever a program that uses us has as its default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
