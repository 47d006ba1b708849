"""A convolutional network on fixed noise, after Deep Image Prior: frame t is the answer to noise t.

    noise --halve--> . --halve--> . ... --halve--> .
      |skip          |skip                         |
    head <--double-- . <--double-- . ... <---------+

Nothing but the weights describes the picture; the noise follows from a seed and the frame's index.
"""

import functools
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvcodec.representations import noise
from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.image_cnn import ImageCnnConfig, ScalePlan
from nvcodec.representations.heads import sigmoid
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import VideoShape


class Scale(nn.Module):
    """One halving of the resolution, and the doubling across from it."""

    def __init__(self, plan: ScalePlan, config: ImageCnnConfig) -> None:
        super().__init__()
        kernel, padding = config.kernel_size, config.kernel_size // 2
        self.encoder = nn.Conv2d(plan.encoder_in, config.channels, kernel, 2, padding)
        self.skip = (
            nn.Conv2d(plan.encoder_in, config.skip_channels, 1) if config.skip_channels else None
        )
        self.decoder = nn.Conv2d(plan.decoder_in, config.channels, kernel, padding=padding)

    def down(self, x: Tensor) -> Tensor:
        """Features at half the resolution, (N, C, h / 2, w / 2)."""
        return F.gelu(self.encoder(x))

    def up(self, x: Tensor, across: Tensor) -> Tensor:
        """Features at the resolution of `across`, what `down` was given: (N, C, h, w)."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        if self.skip is not None:
            x = torch.cat([x, F.gelu(self.skip(across))], dim=1)
        return F.gelu(self.decoder(x))


class ImageCnn(Representation[ImageCnnConfig]):
    """An hourglass of convolutions on noise, with or without long skip connections.

    Sources: Ulyanov et al. 2018, Deep Image Prior, for the shape; weight-step paper, section 3.1,
    for the picture as the answer to fixed noise, and section 4.1 for one noise tensor a frame.
    Differs: GELU and no normalization layers, whose statistics would have to travel.
    """

    Config: ClassVar[type[RepresentationConfig]] = ImageCnnConfig

    def __init__(self, config: ImageCnnConfig, shape: VideoShape) -> None:
        super().__init__(config, shape)
        self.scale = nn.ModuleList(Scale(plan, config) for plan in config.plan_scales())
        self.head = nn.Conv2d(config.channels, shape.channels, 1)
        for tensor in self.scale.parameters():
            if tensor.ndim == 1:
                nn.init.zeros_(tensor)
            elif not tensor.is_meta:  # there it would load torch's compiler
                nn.init.kaiming_normal_(tensor)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, patches: Patches) -> Tensor:
        """Pixels of whole frames; see the base class."""
        if patches.size is not None:
            self.check_patch_size(patches.size)
        x = self._noise(patches)
        across = []
        scales = [scale for scale in self.scale if isinstance(scale, Scale)]
        for scale in scales:
            across.append(x)
            x = scale.down(x)
        for scale in reversed(scales):
            x = scale.up(x, across.pop())
        pixels = sigmoid(self.head(x).float())
        return pixels.permute(0, 2, 3, 1)

    def _noise(self, patches: Patches) -> Tensor:
        """What the first layer sees, (N, noise channels, H, W)."""
        shape = self.config.noise_channels, *self.canvas
        if patches.t.is_meta:
            return torch.empty(len(patches.t), *shape, device="meta")
        inputs = [fixed_noise(self.config.seed + index, *shape) for index in patches.on_host]
        return torch.stack(inputs).to(patches.t.device)


@functools.lru_cache(maxsize=1)
def fixed_noise(seed: int, channels: int, height: int, width: int) -> Tensor:
    """Uniform noise of variance 1, float32 (channels, height, width)."""
    return torch.from_numpy(noise.uniform((channels, height, width), seed)) * 12**0.5
