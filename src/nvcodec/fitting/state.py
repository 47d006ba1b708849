"""What stages hand on to each other, and the one place that knows what a checkpoint holds of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.coding.parameters import Parameter
from nvcodec.coding.scheme import Scheme
from nvcodec.representations.representation import Representation
from nvcodec.samples import Samples

if TYPE_CHECKING:
    from nvcodec.fitting.steering import Steering


@dataclass
class FitState:
    """The representation, which entries of it are kept, and what a stage has beside it."""

    representation: Representation[Any]
    scheme: Scheme[Any]
    frames: Tensor
    """What is fitted: (T, H, W, C), on the device of the representation."""
    samples: Samples
    depth: int = 8
    """Bits a sample."""
    masks: dict[str, Tensor] = field(default_factory=dict)
    """Float tensors of ones and zeros, by parameter name; absent when nothing was pruned."""
    learned: dict[str, Tensor] = field(default_factory=dict)
    """Leaves that are optimised beside the parameters, such as side information of the scheme."""
    kept: dict[str, Tensor | float] = field(default_factory=dict)
    """What a stage has to remember, and no optimizer touches: tensors for the device, and numbers,
    which no step has to wait for."""
    steering: "Steering | None" = None
    """A goal to end at."""
    given: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """Side information to begin with, by parameter name: of a segment that is coded already."""
    reference: Mapping[str, Tensor] = field(default_factory=dict)
    """Values of another segment, as decoded, by parameter name: what is coded is the change."""

    def begin_with(self, fitted: Sequence[Parameter]) -> None:
        """Begin where another fitting ended: with its values, masks and side information."""
        device = self.frames.device

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array.astype(np.float32)).to(device)

        self.masks = {p.spec.name: tensor(p.mask) for p in fitted if p.mask is not None}
        self.given = {
            p.spec.name: {name: tensor(array) for name, array in p.side.items()}
            for p in fitted
            if p.side is not None
        }
        with torch.no_grad():
            for p in fitted:
                self.representation.get_parameter(p.spec.name).copy_(tensor(p.values))

    def refer_to(self, values: Mapping[str, NDArray[np.float16]]) -> None:
        """Code changes from these values, of tensors of symbols that have the same shape there."""
        self.reference = {
            spec.name: torch.from_numpy(values[spec.name].astype(np.float32)).to(self.frames.device)
            for spec in self.representation.specs
            if self.scheme.codes_change(spec, values.get(spec.name))
        }

    @property
    def num_pixels(self) -> int:
        """Of the video, all frames together; rates are counted per pixel."""
        return math.prod(self.frames.shape[:3]) * self.samples.pixels_per_position

    def masked(self) -> dict[str, Tensor]:
        """Parameters with pruned entries at zero."""
        return {
            name: p * self.masks[name] if name in self.masks else p
            for name, p in self.representation.named_parameters()
        }

    def tensors(self) -> list[Tensor]:
        """Everything that is optimised."""
        return [*self.representation.parameters(), *self.learned.values()]

    def is_finite(self) -> bool:
        """Whether every entry of everything optimised is a number."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors())

    def parameters(
        self, values: Mapping[str, Tensor], side: Mapping[str, Mapping[str, Tensor]]
    ) -> list[Parameter]:
        """Tensors as the scheme takes them, in coding order.

        Args:
            values: of every parameter, in its shape.
            side: what the scheme wants to know of a tensor beside its values, by parameter name.
        """
        fitted = []
        for spec in self.representation.specs:
            mask = self.masks[spec.name].cpu().numpy() > 0 if spec.name in self.masks else None
            own = {name: _array(tensor) for name, tensor in side.get(spec.name, {}).items()}
            unknown = own.keys() - self.scheme.side_shapes(spec).keys()
            assert not unknown, f"{spec.name}: the scheme takes no {', '.join(sorted(unknown))}"
            before = self.reference.get(spec.name)
            reference = None if before is None else _array(before).astype(np.float16)
            fitted.append(Parameter(spec, _array(values[spec.name]), mask, own or None, reference))
        return fitted

    def snapshot(self) -> dict[str, Any]:
        """All of it by reference, for a checkpoint; `restore` takes it back."""
        return {
            "masks": self.masks,
            "learned": self.learned,
            "kept": self.kept,
            "parameters": self.representation.state_dict(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Stand as when `snapshot` was made; leaves that are there keep their identity."""
        device = next(self.representation.parameters()).device
        self.masks = {name: mask.to(device) for name, mask in snapshot["masks"].items()}
        self.kept = {
            name: value.to(device).clone() if isinstance(value, Tensor) else value
            for name, value in snapshot["kept"].items()
        }
        self.representation.load_state_dict(snapshot["parameters"])
        with torch.no_grad():
            for name, tensor in snapshot["learned"].items():
                if name in self.learned:
                    self.learned[name].copy_(tensor)
                else:
                    self.learned[name] = tensor.detach().to(device).clone().requires_grad_()


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy().astype(np.float32)
    return array
