"""Weight steps: a network for the first frame of a segment, and one change of its weights a frame.

    theta_0 --+ step 1--> theta_1 --+ step 2--> theta_2 ...
       |                     |                     |
    frame 0               frame 1               frame 2

Stored values are half floats, so their sums are exact in float64 in any order: the weights of every
frame are the same on every machine. A new segment begins with a new anchor; its length is that
of the paper's slices (section 4.3).
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from nvcodec.representations import build
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.weightstep import WeightstepConfig
from nvcodec.representations.cosine_transform import inverse_cosine_transform
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import VideoShape


class Weightstep(Representation[WeightstepConfig]):
    """theta_t = theta_0 + the sum of steps 1 to t, around any network for one frame.

    Source: weight-step paper, section 3.3; Eq. 6 for steps in the domain of the cosine transform.
    """

    Config: ClassVar[type[RepresentationConfig]] = WeightstepConfig
    serves_threads = False  # the anchor has another frame's weights for as long as it renders it

    def __init__(self, config: WeightstepConfig, shape: VideoShape) -> None:
        super().__init__(config, shape)
        self.anchor = build(config.base, config.anchor_shape(shape))
        self.step = nn.ParameterList(
            nn.Parameter(torch.zeros(shape.num_frames - 1, *p.shape))
            for p in self.anchor.parameters()
        )
        self._known: tuple[int, list[Tensor]] = 0, []
        """How many steps are summed up, and their sums."""

    def check_rendering(self) -> None:
        """Its anchor's, as which frame it is does not matter."""
        self.anchor.check_rendering()

    def _sums(self, t: int) -> list[Tensor]:
        """Sum of the first `t` steps of every tensor, float64.

        Where nothing changes any more, frames in order add their own step only.
        """
        is_fixed = not any(steps.requires_grad for steps in self.step)
        known, before = self._known if is_fixed and self._known[0] <= t else (0, [])
        sums = [steps[known:t].double().sum(dim=0) for steps in self.step]
        if before:
            sums = [total + added for total, added in zip(before, sums, strict=True)]
        if is_fixed:
            self._known = t, sums
        return sums

    def load_values(
        self, values: Mapping[str, NDArray[np.float16]], device: torch.device | None = None
    ) -> None:
        """Set every parameter; sums of others are forgotten."""
        self._known = 0, []
        super().load_values(values, device)

    def weights(self, t: int) -> dict[str, Tensor]:
        """theta_t, float32, by the base's names."""
        if t == 0:
            return dict(self.anchor.named_parameters())
        states = {}
        for (name, theta_0), total in zip(
            self.anchor.named_parameters(), self._sums(t), strict=True
        ):
            if self.config.domain == "dct":
                # A layer's block: both channel axes, apart for every element of the kernels.
                total = inverse_cosine_transform(total, range(min(total.ndim, 2)))
            states[name] = (theta_0.double() + total).float()
        return states

    def forward(self, patches: Patches) -> Tensor:
        """Pixels of patches; frames of a batch one after the other, each with its weights."""
        pixels: Tensor | None = None
        for t in sorted(set(patches.on_host)):
            places = [place for place, number in enumerate(patches.on_host) if number == t]
            chosen = torch.tensor(places, device=patches.t.device)
            part = Patches(
                0 * chosen, patches.y[chosen], patches.x[chosen], patches.size, (0,) * len(places)
            )  # fmt: skip
            rendered = functional_call(self.anchor, self.weights(t), (part,))
            if pixels is None:
                pixels = rendered.new_empty(len(patches.t), *rendered.shape[1:])
            pixels = pixels.index_copy(0, chosen, rendered)
        assert pixels is not None
        return pixels
