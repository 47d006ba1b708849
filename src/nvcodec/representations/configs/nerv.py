"""Settings of NeRV, and what follows from them without building the network."""

import math
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.representations.config import RepresentationConfig, cell_multiples, layer
from nvcodec.representations.strides import plan_strides
from nvcodec.samples import VideoShape


class BlockPlan(NamedTuple):
    """One NeRV block: sizes that network and counts share."""

    channels_in: int
    channels_out: int
    stride: int


class NervConfig(RepresentationConfig):
    """Settings of NeRV; the defaults are the paper's. `strides` follow from the video if absent."""

    kind: Literal["nerv"] = "nerv"
    embedding: Literal["positional", "none"] = Field(
        "positional", description="none: the frame index itself is the input (Table 6)"
    )
    embedding_base: float = Field(1.25, gt=0, le=4, description="b of Eq. 1")
    embedding_length: int = Field(80, ge=1, le=256, description="l of Eq. 1; 2 l values")
    stem_width: int = Field(512, ge=1, le=65536, description="hidden layer of the stem")
    channels: int = Field(ge=1, le=8192, description="C_0: channels of the stem's output")
    expansion: int = Field(1, ge=1, le=64, description="output / input of the first block")
    min_channels: int = Field(
        96, ge=1, le=8192, description="channels are halved after the first block, down to this"
    )
    strides: tuple[int, ...] | None = Field(None, description="upsampling factor of each block")
    num_blocks: int = Field(5, ge=1, le=8, description="blocks, where `strides` are not given")
    base_rows: int = Field(
        9, ge=1, le=4096, description="short side of the stem's output aimed at by `strides`"
    )
    upsampling: Literal["pixel_shuffle", "transposed", "bilinear"] = Field(
        "pixel_shuffle", description="how a block enlarges (Table 7)"
    )
    norm: Literal["none", "batch", "instance"] = Field(
        "none", description="after upsampling (Table 8)"
    )
    activation: Literal["gelu", "relu", "leaky_relu", "swish"] = Field(
        "gelu", description="after every layer but the head (Table 9)"
    )
    output: Literal["tanh", "sigmoid"] = Field(
        "tanh", description="tanh: (tanh(x) + 1) / 2, as the paper's repository"
    )

    @model_validator(mode="after")
    def _legal_strides(self) -> Self:
        if self.strides is not None and (
            not 1 <= len(self.strides) <= 8 or not all(1 <= s <= 16 for s in self.strides)
        ):
            raise ValueError(f"strides {self.strides[:8]}: 1 to 8 factors of 1 to 16")
        return self

    def resolve(self, height: int, width: int) -> Self:
        """Fill in the strides."""
        strides = self.strides or plan_strides(height, width, self.num_blocks, self.base_rows)
        return self.model_copy(update={"strides": strides, "num_blocks": len(strides)})

    @property
    def embedding_size(self) -> int:
        """Inputs of the stem."""
        return 1 if self.embedding == "none" else 2 * self.embedding_length

    @property
    def has_patches(self) -> bool:
        """Whether parts of a frame can be rendered alone.

        Instance norm needs a whole frame, and bilinear resampling copies its edges.
        """
        return self.norm != "instance" and self.upsampling != "bilinear"

    def plan_blocks(self, height: int, width: int) -> list[BlockPlan]:
        """Sizes of every block: C_0 times `expansion`, then halves (the paper's repository)."""
        strides = self.resolve(height, width).strides
        assert strides is not None
        plans, channels = [], self.channels
        for number, stride in enumerate(strides):
            after = self.expansion * channels
            if number > 0:
                after = max(channels // 2, self.min_channels)
            plans.append(BlockPlan(channels, after, stride))
            channels = after
        return plans

    def scale(self, height: int, width: int) -> int:
        """Pixels a side of a cell of the stem's output: the product of strides."""
        return math.prod(plan.stride for plan in self.plan_blocks(height, width))

    def base_size(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the stem's output."""
        scale = self.scale(height, width)
        return -(-height // scale), -(-width // scale)

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Stem's output times the product of strides."""
        rows, columns = self.base_size(height, width)
        scale = self.scale(height, width)
        return rows * scale, columns * scale

    def patch_sizes(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Multiples of the product of strides that divide the canvas, where patches are possible.

        Others than whole frames need `has_patches`.
        """
        if not self.has_patches:
            return super().patch_sizes(height, width)
        return cell_multiples(self.base_size(height, width), self.scale(height, width))

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """Stem, blocks, head; all weights but the head's may be pruned (NeRV's repository)."""
        outputs = self.channels * math.prod(self.base_size(shape.height, shape.width))
        specs = layer("stem.0", self.stem_width, self.embedding_size)
        specs += layer("stem.1", outputs, self.stem_width)
        blocks = self.plan_blocks(shape.height, shape.width)
        for k, block in enumerate(blocks):
            name, outputs = f"block.{k}", block.channels_out
            if self.upsampling == "transposed":  # inputs first
                kernel, _ = transposed_kernel(block.stride)
                size = (block.channels_in, outputs, kernel, kernel)
                weight = ParameterSpec(f"{name}.conv.weight", size, Role.WEIGHT, is_prunable=True)
                specs += [weight, ParameterSpec(f"{name}.conv.bias", (outputs,), Role.BIAS)]
            else:
                factor = block.stride**2 if self.upsampling == "pixel_shuffle" else 1
                specs += layer(f"{name}.conv", outputs * factor, block.channels_in, 3, 3)
            if self.norm == "batch":
                specs += [
                    ParameterSpec(f"{name}.norm.{part}", (outputs,), Role.NORM)
                    for part in ("scale", "shift", "mean", "variance")
                ]
        return specs + layer("head", shape.channels, outputs, 1, 1, is_prunable=False)

    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of linear layers and convolutions."""
        rows, columns = self.base_size(shape.height, shape.width)
        blocks = self.plan_blocks(shape.height, shape.width)
        total = self.stem_width * (self.embedding_size + rows * columns * self.channels)
        for block in blocks:
            if self.upsampling == "bilinear":  # the convolution comes after the enlargement
                rows, columns = rows * block.stride, columns * block.stride
                total += rows * columns * self._block_weights(block)
            else:
                total += rows * columns * self._block_weights(block)
                rows, columns = rows * block.stride, columns * block.stride
        return total + rows * columns * blocks[-1].channels_out * shape.channels

    def activations_per_frame(self, shape: VideoShape) -> int:
        """Input of the largest block, and its output twice: before and after the activation."""
        rows, columns = self.base_size(shape.height, shape.width)
        largest = 0
        for block in self.plan_blocks(shape.height, shape.width):
            before = rows * columns * block.channels_in
            rows, columns = rows * block.stride, columns * block.stride
            if self.upsampling == "bilinear":
                before *= block.stride**2
            largest = max(largest, before + 2 * rows * columns * block.channels_out)
        return largest

    def _block_weights(self, block: BlockPlan) -> int:
        pairs = block.channels_in * block.channels_out
        if self.upsampling == "transposed":
            return pairs * transposed_kernel(block.stride)[0] ** 2
        return pairs * 9 * (block.stride**2 if self.upsampling == "pixel_shuffle" else 1)


def transposed_kernel(stride: int) -> tuple[int, int]:
    """(kernel, padding) of a transposed convolution that enlarges by exactly `stride`.

    The kernel is about twice the stride, so that neighbours overlap.
    """
    padding = max(stride // 2, 1)
    return stride + 2 * padding, padding


def plan_paddings(strides: tuple[int, ...]) -> list[int]:
    """Margin of a patch before each block, then after the last: that is 0.

    A block looks at one neighbour on each side; its output's margin m needs m / s of its input.
    """
    paddings = [0]
    for stride in reversed(strides):
        paddings.append(-(-paddings[-1] // stride) + 1)
    return paddings[::-1]
