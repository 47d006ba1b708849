"""NeRV: frame index to frame, by an MLP and upsampling convolutions (Chen et al. 2021, section 3).

    t --embedding--> stem MLP --reshape--> (C_0, h, w) --> [enlarge, norm, activation] x blocks
      --> head, 1x1 --> (tanh(x) + 1) / 2

A whole frame is computed with zero-padded convolutions. A patch, such as a band of rows, is
computed with a margin; what of it lies outside the frame is set to zero before every block, so that
the patch equals the same pixels of the frame.
"""

import itertools
import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.nerv import (
    BlockPlan,
    NervConfig,
    plan_paddings,
    transposed_kernel,
)
from nvcodec.representations.coordinates import is_inside, padded_range
from nvcodec.representations.heads import half_tanh, sigmoid
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import VideoShape

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "swish": nn.SiLU,
}


def positional_embedding(position: Tensor, base: float, length: int) -> Tensor:
    """sin(b^i pi t), cos(b^i pi t) for i = 0 ... l - 1, sine and cosine in turn.

    Args:
        position: t in (0, 1], float64 (N,): b^79 is 4e7, too much for the phase in float32.
        base: b.
        length: l.

    Returns:
        float32 (N, 2 l).

    Source: NeRV, Eq. 1.
    """
    powers = [base**i * math.pi for i in range(length)]
    phase = position[:, None] * torch.tensor(powers, dtype=torch.float64, device=position.device)
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(1).float()


class BatchNorm(nn.Module):
    """Batch normalisation whose running statistics are parameters, so that they reach the file.

    Fitting normalises by the batch and follows its statistics; rendering uses these alone, so a
    frame does not depend on what is rendered with it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.mean = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.variance = nn.Parameter(torch.ones(channels), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, h, w) over all axes but C."""
        return F.batch_norm(x, self.mean, self.variance, self.scale, self.shift, self.training)


class NervBlock(nn.Module):
    """Enlarge by convolution, norm, activation (NeRV, Figure 2 (c); Tables 7 to 9)."""

    def __init__(self, plan: BlockPlan, config: NervConfig) -> None:
        super().__init__()
        channels_in, channels_out, stride = plan
        self.stride = stride
        self.upsampling = config.upsampling
        if config.upsampling == "transposed":
            kernel, padding = transposed_kernel(stride)
            self.conv: nn.Module = nn.ConvTranspose2d(
                channels_in, channels_out, kernel, stride, padding
            )
        else:
            factor = stride**2 if config.upsampling == "pixel_shuffle" else 1
            self.conv = nn.Conv2d(channels_in, channels_out * factor, 3, padding=1)
        self.norm: nn.Module = nn.Identity()
        if config.norm == "batch":
            self.norm = BatchNorm(channels_out)
        elif config.norm == "instance":
            self.norm = nn.InstanceNorm2d(channels_out)
        self.activation = ACTIVATIONS[config.activation]()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, h, w) to (N, C_out, h s, w s)."""
        if self.upsampling == "bilinear":
            x = F.interpolate(x, scale_factor=self.stride, mode="bilinear", align_corners=False)
        x = self.conv(x)
        if self.upsampling == "pixel_shuffle":
            x = F.pixel_shuffle(x, self.stride)
        result: Tensor = self.activation(self.norm(x))
        return result


class Nerv(Representation[NervConfig]):
    """NeRV over one segment. Source: NeRV, section 3.1; sizes and output as in its repository.

    Differs: any picture size, by the stem's rows and columns and by cropping.
    """

    Config: ClassVar[type[RepresentationConfig]] = NervConfig

    def __init__(self, config: NervConfig, shape: VideoShape) -> None:
        config = config.resolve(shape.height, shape.width)
        super().__init__(config, shape)
        plans = config.plan_blocks(shape.height, shape.width)
        self.base_size = config.base_size(shape.height, shape.width)
        self.scale = config.scale(shape.height, shape.width)
        self.paddings = plan_paddings(tuple(plan.stride for plan in plans))
        self.activation = ACTIVATIONS[config.activation]()
        widths = [config.embedding_size, config.stem_width]
        widths.append(config.channels * math.prod(self.base_size))
        self.stem = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.block = nn.ModuleList(NervBlock(plan, config) for plan in plans)
        self.head = nn.Conv2d(plans[-1].channels_out, shape.channels, 1)

    def forward(self, patches: Patches) -> Tensor:
        """Pixels of patches or of whole frames; see the base class."""
        x = self._embedding(patches.t)
        for layer in self.stem:
            x = self.activation(layer(x))
        x = x.view(len(x), -1, *self.base_size)
        if patches.size is None:
            for block in self.block:
                x = block(x)
        else:
            x = self._patches(x, patches, patches.size)
        x = self.head(x).float().permute(0, 2, 3, 1)
        return sigmoid(x) if self.config.output == "sigmoid" else half_tanh(x)

    def _embedding(self, t: Tensor) -> Tensor:
        """Input of the stem for frames `t`; positions are (t + 1) / T, in (0, 1] (section 3.1)."""
        position = (t.double() + 1) / self.shape.num_frames
        if self.config.embedding == "none":
            return position[:, None].float()
        return positional_embedding(
            position, self.config.embedding_base, self.config.embedding_length
        )

    def _patches(self, x: Tensor, patches: Patches, size: tuple[int, int]) -> Tensor:
        """Features of the last block at patches, from those of the stem for whole frames."""
        self.check_patch_size(size)
        limits = self.base_size
        starts = [patches.y // self.scale, patches.x // self.scale]
        lengths = [size[0] // self.scale, size[1] // self.scale]
        margin = self.paddings[0]
        rows, columns = (
            padded_range(start, length, margin)
            for start, length in zip(starts, lengths, strict=True)
        )
        batch = torch.arange(len(x), device=x.device)[:, None, None]
        y, z = rows.clamp(0, limits[0] - 1), columns.clamp(0, limits[1] - 1)
        x = x.permute(0, 2, 3, 1)[batch, y[:, :, None], z[:, None, :]].permute(0, 3, 1, 2)
        for block, following in zip(self.block, self.paddings[1:], strict=True):
            inside = is_inside(rows, limits[0])[:, :, None] * is_inside(columns, limits[1])[:, None]
            x = block(x * inside[:, None].to(x.dtype))
            s = int(block.stride)  # type: ignore[arg-type]
            limits = (limits[0] * s, limits[1] * s)
            starts, lengths = [start * s for start in starts], [length * s for length in lengths]
            # The outermost positions lack a neighbour; they are not needed either.
            extra = margin * s - following
            x = x[:, :, extra : x.shape[2] - extra, extra : x.shape[3] - extra]
            margin = following
            rows, columns = (
                padded_range(start, length, margin)
                for start, length in zip(starts, lengths, strict=True)
            )
        return x
