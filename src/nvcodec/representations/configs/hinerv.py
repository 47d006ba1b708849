"""Settings of HiNeRV, and what follows from them without building the network."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.representations.config import RepresentationConfig, cell_multiples, layer
from nvcodec.representations.strides import plan_strides
from nvcodec.samples import VideoShape


class BlockPlan(NamedTuple):
    """One upsample block: sizes that network and counts share."""

    channels_in: int
    channels_out: int
    stride: int
    depth: int
    expansion: int
    local_channels: int
    tied_layers: int

    @property
    def widths(self) -> list[int]:
        """Channels before every layer, and after the last."""
        return [self.channels_in] + [self.channels_out] * self.depth

    def owner(self, layer: int) -> int:
        """The layer whose two matrices `layer` uses: the first of its run with its widths."""
        start = layer - layer % self.tied_layers
        return max(start, 1) if layer and self.channels_in != self.channels_out else start


class HinervConfig(RepresentationConfig):
    """Settings of HiNeRV. Fields that default to None follow from the video."""

    kind: Literal["hinerv"] = "hinerv"
    channels: int = Field(ge=1, le=8192, description="width of the stem and of the first block")
    depths: tuple[int, ...] = Field((3, 3, 3, 1), description="convolutional layers of each block")
    expansions: tuple[int, ...] = Field(
        (4, 4, 4, 1), description="hidden / output width of each block's layers"
    )
    tied_layers: int | None = Field(
        None, ge=2, le=64, description="layers in a row of a block that share their two matrices"
    )
    strides: tuple[int, ...] | None = Field(None, description="upsampling factor of each block")
    base_rows: int = Field(
        18, ge=1, le=4096, description="short side of the base grid aimed at by `strides`"
    )
    kernel_size: Literal[1, 3, 5, 7] = Field(3, description="depth-wise kernel")
    stem_kernel_size: Literal[1, 3, 5, 7] = Field(3, description="stem kernel")
    min_channels: int = Field(
        1, ge=1, le=8192, description="channels are halved every block, down to this"
    )
    grid_frames: int | None = Field(
        None, ge=1, le=1 << 24, description="T_grid: knots in time of the first base grid"
    )
    grid_channels: int = Field(ge=1, le=4096, description="channels of the first base grid")
    grid_levels: int = Field(
        2, ge=1, le=8, description="base grids, each smaller and with twice the channels"
    )
    grid_halving: Literal["t", "thw"] = Field(
        "t",
        description="axes that each level halves; t: levels are joined before one stem (HiNeRV); "
        "thw: a 3-D stem a level, then interpolation, then the sum (NVRC)",
    )
    local_frames: int | None = Field(
        None, ge=1, le=1 << 24, description="T_local: knots in time of the first local grid"
    )
    local_channels: int = Field(
        ge=1, le=4096, description="channels of the first local grid of the first block"
    )
    local_levels: int = Field(3, ge=1, le=8, description="local grids a block")

    @model_validator(mode="after")
    def _same_stages(self) -> Self:
        stages = len(self.depths)
        if not 1 <= stages <= 8 or not all(0 <= d <= 64 for d in self.depths):
            raise ValueError(f"depths {self.depths[:8]}: 1 to 8 stages of 0 to 64 blocks")
        if len(self.expansions) != stages or not all(1 <= e <= 16 for e in self.expansions):
            raise ValueError(
                f"expansions {self.expansions[:8]}: one of 1 to 16 for each of {stages} stages"
            )
        if self.strides is not None and (
            len(self.strides) != stages or not all(1 <= s <= 16 for s in self.strides)
        ):
            raise ValueError(
                f"strides {self.strides[:8]}: one of 1 to 16 for each of {stages} stages"
            )
        return self

    def resolve(self, height: int, width: int) -> Self:
        """Fill in the strides."""
        strides = self.strides or plan_strides(height, width, len(self.depths), self.base_rows)
        return self.model_copy(update={"strides": strides})

    def plan_grid_frames(self, num_frames: int) -> int:
        """T_grid: as set, or 0.3 T rounded up (HiNeRV has 40 for Bunny's 132 frames)."""
        return self.grid_frames or -(-3 * num_frames // 10)

    def plan_stages(self, height: int, width: int) -> list[BlockPlan]:
        """Sizes of every stage; widths are C_n = floor(C_0 / 2^(n-1)) (HiNeRV, section 3.2)."""
        strides = self.resolve(height, width).strides
        assert strides is not None
        plans, channels = [], self.channels
        for n, (stride, depth) in enumerate(zip(strides, self.depths, strict=True)):
            # Only blocks change the width: a stage without any hands on what it gets.
            narrowed = max(self.channels >> n, min(self.min_channels, self.channels), 1)
            after = narrowed if depth else channels
            local = max(self.local_channels >> n, 1)
            expansion, tied = self.expansions[n], self.tied_layers or 1
            plans.append(BlockPlan(channels, after, stride, depth, expansion, local, tied))
            channels = after
        return plans

    def scale(self, height: int, width: int) -> int:
        """Pixels a side of a base cell: the product of strides."""
        return math.prod(plan.stride for plan in self.plan_stages(height, width))

    def base_size(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the base grids."""
        scale = self.scale(height, width)
        return -(-height // scale), -(-width // scale)

    def plan_grids(self, shape: VideoShape) -> list[tuple[int, int, int, int]]:
        """(knots, rows, columns, channels) of every base grid.

        Source: HiNeRV, section 3.1 (time alone is halved); NVRC, section 3.1 (time, rows
        and columns are). Odd sizes are rounded down.
        """
        rows, columns = self.base_size(shape.height, shape.width)
        knots = self.plan_grid_frames(shape.num_frames)
        levels = range(self.grid_levels)
        shift = 0 if self.grid_halving == "t" else 1
        return [
            (
                max(knots >> level, 1),
                max(rows >> shift * level, 1),
                max(columns >> shift * level, 1),
                self.grid_channels << level,
            )
            for level in levels
        ]

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Base grid times the product of strides."""
        rows, columns = self.base_size(height, width)
        scale = self.scale(height, width)
        return rows * scale, columns * scale

    def patch_sizes(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Multiples of the product of strides that divide the canvas."""
        return cell_multiples(self.base_size(height, width), self.scale(height, width))

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """Base grids and stems, blocks with their local grids, head.

        Stems, convolutions and head may be pruned, encodings not (HiNeRV's repository).
        """
        kernel, grids = self.stem_kernel_size, self.plan_grids(shape)
        specs = []
        if self.grid_halving == "t":  # stored as (knots rows columns, channels)
            sizes: list[tuple[int, ...]] = [(t * h * w, c) for t, h, w, c in grids]
            inputs = sum(channels for *_, channels in grids)
            stems = layer("base.stem", self.channels, inputs, kernel, kernel)
        else:
            sizes = [*grids]
            stems = [
                spec
                for level, (*_, channels) in enumerate(grids)
                for spec in layer(
                    f"base.stem.{level}", self.channels, channels, kernel, kernel, kernel
                )
            ]
        specs += [
            ParameterSpec(f"base.grid.{level}", size, Role.GRID) for level, size in enumerate(sizes)
        ]
        specs += stems
        plans = self.plan_stages(shape.height, shape.width)
        for n, plan in enumerate(plans):
            specs += self._block_tensors(f"block.{n}", plan, shape.num_frames)
        return specs + layer("head", shape.channels, plans[-1].channels_out)

    def _block_tensors(self, name: str, plan: BlockPlan, num_frames: int) -> list[ParameterSpec]:
        """Local grids, their encoding, and the ConvNeXt blocks of one upsample block."""
        specs, inputs = [], 0
        for level, knots in enumerate(
            level_knots(self.local_frames or num_frames, self.local_levels)
        ):
            size = (knots * plan.stride**2, plan.local_channels << level)
            specs.append(ParameterSpec(f"{name}.local.{level}", size, Role.GRID))
            inputs += size[1]
        specs += layer(f"{name}.encoding", plan.channels_in, inputs, is_prunable=False)
        for k, (a, b) in enumerate(itertools.pairwise(plan.widths)):
            hidden = plan.expansion * b
            shapes: dict[str, tuple[int, ...]] = {
                "depthwise": (a, 1, self.kernel_size, self.kernel_size)
            }
            if plan.owner(k) == k:
                shapes |= {"expand": (hidden, a), "project": (b, hidden)}
            specs += [
                ParameterSpec(f"{name}.conv.{k}.{part}.weight", size, Role.WEIGHT, is_prunable=True)
                for part, size in shapes.items()
            ]
        return specs

    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of convolutions and linear layers, as HiNeRV's Table 1 counts them."""
        rows, columns = self.base_size(shape.height, shape.width)
        total = 0
        # A frame lies between two knots; each of them is convolved.
        knots = 1 if self.grid_halving == "t" else 2 * self.stem_kernel_size
        for _, height, width, channels in self.plan_grids(shape):
            total += knots * height * width * channels * self.stem_kernel_size**2 * self.channels
        for stage in self.plan_stages(shape.height, shape.width):
            rows, columns = rows * stage.stride, columns * stage.stride
            total += rows * columns * self._block_weights(stage)
            total += stage.stride**2 * self._encoding_weights(stage)  # one cell serves all
        return total + rows * columns * stage.channels_out * shape.channels

    def activations_per_frame(self, shape: VideoShape) -> int:
        """Input, hidden layer and output of the largest block."""
        rows, columns = self.base_size(shape.height, shape.width)
        largest = (
            rows * columns * (self.grid_channels * ((1 << self.grid_levels) - 1) + self.channels)
        )
        for stage in self.plan_stages(shape.height, shape.width):
            rows, columns = rows * stage.stride, columns * stage.stride
            width = 2 * stage.channels_in + (stage.expansion + 2) * stage.channels_out
            largest = max(largest, rows * columns * width)
        return largest

    def activations_per_band(self, shape: VideoShape) -> int:
        """Features of the whole frame at base size: what is read from grids, or stems' sums."""
        rows, columns = self.base_size(shape.height, shape.width)
        read = self.grid_channels * ((1 << self.grid_levels) - 1)
        return rows * columns * (read if self.grid_halving == "t" else 4 * self.channels)

    def _encoding_weights(self, stage: BlockPlan) -> int:
        return stage.local_channels * ((1 << self.local_levels) - 1) * stage.channels_in

    def _block_weights(self, stage: BlockPlan) -> int:
        return sum(
            a * self.kernel_size**2 + stage.expansion * b * (a + b)
            for a, b in itertools.pairwise(stage.widths)
        )


def level_knots(knots: int, levels: int) -> list[int]:
    """Knots in time of each level of a temporal grid: floor(T / 2^l), at least one."""
    return [max(knots >> level, 1) for level in range(levels)]


def plan_paddings(
    strides: Sequence[int], depths: Sequence[int], kernel_size: int, stem_kernel_size: int
) -> tuple[int, list[tuple[int, int]]]:
    """Padding that makes a patch equal to the same pixels of the whole frame.

    Returns:
        The padding of the stem's input, and for each stage (padding after upsampling, padding left
        at its end), all in pixels of the stage's own resolution.

    Source: HiNeRV, section 3.5; backward recursion of its repository.
    """
    stages: list[tuple[int, int]] = []
    padding = 0
    for stride, depth in zip(reversed(strides), reversed(depths), strict=True):
        inner = padding
        outer = inner + depth * (kernel_size - 1) // 2
        stages.append((outer, inner))
        padding = round(outer / stride) + 1 if stride > 1 else outer
    return padding + (stem_kernel_size - 1) // 2, stages[::-1]
