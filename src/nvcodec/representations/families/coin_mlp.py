"""Coordinate MLPs: SIREN, and random Fourier features with ReLU. (t, y, x) -> pixel.

    coordinates --[cos, sin of 2 pi B v]--> hidden layers --> sigmoid --> pixel

A patch may be any block of pixels, down to a single one: `patch_size = [1, 1]` fits sampled pixels.
"""

import itertools
import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from nvcodec.representations import noise
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.coin_mlp import CoinMlpConfig
from nvcodec.representations.heads import sigmoid
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import VideoShape


class CoinMlp(Representation[CoinMlpConfig]):
    """An MLP from coordinates to colours.

    Sources: SIREN (Sitzmann et al. 2020), section 3.2, for sine layers and their initial values;
    Tancik et al. 2020, section 5, for Fourier features; COIN (Dupont et al. 2021) for the codec.
    Differs: a sigmoid at the end keeps pixels in [0, 1]; frequencies come from integers, so that
    only their seed travels.
    """

    Config: ClassVar[type[RepresentationConfig]] = CoinMlpConfig

    def __init__(self, config: CoinMlpConfig, shape: VideoShape) -> None:
        super().__init__(config, shape)
        widths = itertools.pairwise(config.layer_widths(shape.channels))
        self.layer = nn.ModuleList(nn.Linear(a, b) for a, b in widths)
        if config.activation == "sine":
            self._start_sines()
        self.frequencies = noise.normal((len(config.axes), config.features), config.seed)
        for row, sigma in zip(self.frequencies, config.sigmas or (), strict=False):
            row *= sigma

    def _start_sines(self) -> None:
        """SIREN, section 3.2 and its code: phases as wide as a period in the first layer."""
        for i, layer in enumerate(self.layer):
            assert isinstance(layer, nn.Linear)
            inputs = layer.in_features
            bound = 1 / inputs if i == 0 else math.sqrt(6 / inputs) / self.config.omega
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, patches: Patches) -> Tensor:
        """Pixels of patches; see the base class.

        Always in float32: half precision would leave a sine's phase two digits.
        """
        kind = patches.t.device.type
        with torch.autocast("cpu" if kind == "meta" else kind, enabled=False):
            x = self._inputs(patches)
            *hidden, last = self.layer
            for layer in hidden:
                x = layer(x)
                is_sine = self.config.activation == "sine"
                x = torch.sin(self.config.omega * x) if is_sine else torch.relu(x)
            return sigmoid(last(x))

    def _inputs(self, patches: Patches) -> Tensor:
        """What the first layer sees, (N, h, w, num_inputs)."""
        height, width = patches.size or self.canvas
        device = patches.t.device
        t = patches.t[:, None, None]
        y = (patches.y[:, None] + torch.arange(height, device=device))[:, :, None]
        x = (patches.x[:, None] + torch.arange(width, device=device))[:, None, :]
        sides = ((t, self.shape.num_frames), (y, self.shape.height), (x, self.shape.width))
        # Centres of pixels, from -1 to 1.
        centres = [(2 * index + 1) / side - 1 for index, side in sides[-len(self.config.axes) :]]
        v = torch.stack([c.expand(len(t), height, width) for c in centres], dim=-1)
        if not self.config.features:
            return v
        cycles = (v + 1) / 2 @ torch.from_numpy(self.frequencies).to(device)
        phase = 2 * math.pi * (cycles - cycles.floor())
        return torch.cat([phase.cos(), phase.sin()], dim=-1)
