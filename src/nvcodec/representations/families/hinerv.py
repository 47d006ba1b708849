"""HiNeRV: learned grids, upsampling with hierarchical encoding, ConvNeXt blocks (section 3).

    base grids --time--> stem --> [norm, upsample, + local grids, blocks] x stages --> head

A whole frame is computed with zero-padded convolutions. A patch is computed with extra margins,
where positions outside the frame are set to zero after every layer, so that it equals the same
pixels of the frame (section 3.5).
"""

import itertools
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvcodec.representations.config import RepresentationConfig
from nvcodec.representations.configs.hinerv import (
    BlockPlan,
    HinervConfig,
    level_knots,
    plan_paddings,
)
from nvcodec.representations.coordinates import (
    blend_times,
    is_inside,
    padded_range,
)
from nvcodec.representations.heads import sigmoid
from nvcodec.representations.representation import Patches, Representation
from nvcodec.samples import VideoShape

NORM_EPS = 1e-6
GRID_INIT = 1e-3
POSITIONS_AT_ONCE = 2048


class TemporalGrids(nn.ParameterList):
    """Multi-resolution grids, read at one time by linear interpolation: (N,) -> (N, h, w, C).

    Level l holds `floor(T / 2^l)` knots of `C 2^l` channels (sections 3.1 and 3.4). Stored as
    (knots h w, channels). Differs: the authors' code has (knots, h w channels) for local grids, so
    that the quantizer has a bin width a knot there and one a channel here; measured as no better.
    """

    def __init__(self, knots: int, size: tuple[int, int], channels: int, levels: int) -> None:
        """`knots` and `channels` are those of level 0; `size` is (h, w)."""
        all_knots = level_knots(knots, levels)
        super().__init__(
            nn.Parameter(
                torch.empty(k * size[0] * size[1], channels << level).uniform_(
                    -GRID_INIT, GRID_INIT
                )
            )
            for level, k in enumerate(all_knots)
        )
        self.size = size
        self.knots = all_knots
        self.out_channels = sum(channels << level for level in range(levels))

    def read(self, t: Tensor, num_frames: int) -> Tensor:
        """Encoding at frames `t`, (N, h, w, C)."""
        read = []
        for knots, level in zip(self.knots, self, strict=True):
            grid = level.view(knots, *self.size, -1)
            before, after, weight = blend_times(t, num_frames, knots)
            read.append(
                torch.lerp(grid[before], grid[after], weight[:, None, None, None].to(grid.dtype))
            )
        return torch.cat(read, dim=-1)


class JoinedBase(nn.Module):
    """HiNeRV's base encoding and stem: levels joined, then one convolution (section 3.1)."""

    def __init__(self, grids: TemporalGrids, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.grid = grids
        self.stem = nn.Conv2d(grids.out_channels, channels, kernel_size, padding=kernel_size // 2)
        nn.init.zeros_(self.stem.bias)  # type: ignore[arg-type]

    def forward(self, t: Tensor, num_frames: int) -> Tensor:
        """Features of whole frames at base resolution, (N, h, w, C)."""
        encoding = self.grid.read(t, num_frames).permute(0, 3, 1, 2)
        features: Tensor = self.stem(encoding).permute(0, 2, 3, 1)
        return features


class SummedBase(nn.Module):
    """NVRC's base: a 3-D convolution over each grid, interpolation to the base size, the sum.

    Only the knots around the frames asked for are convolved, which gives the same values.
    Source: NVRC, section 3.1.
    """

    def __init__(
        self, grids: list[tuple[int, int, int, int]], channels: int, kernel_size: int
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.size = grids[0][1:3]
        self.grid = nn.ParameterList(
            nn.Parameter(torch.empty(grid).uniform_(-GRID_INIT, GRID_INIT)) for grid in grids
        )
        padding = (0, kernel_size // 2, kernel_size // 2)
        self.stem = nn.ModuleList(
            nn.Conv3d(grid[3], channels, kernel_size, padding=padding) for grid in grids
        )
        for stem in self.stem:
            nn.init.zeros_(stem.bias)  # type: ignore[arg-type]

    def forward(self, t: Tensor, num_frames: int) -> Tensor:
        """Features of whole frames at base resolution, (N, h, w, C)."""
        total: Tensor | int = 0
        for level, stem in zip(self.grid, self.stem, strict=True):
            knots = level.shape[0]
            before, after, weight = blend_times(t, num_frames, knots)
            reach = self.kernel_size // 2
            offsets = torch.arange(-reach, reach + 2, device=t.device)
            index = before[:, None] + offsets  # (N, k + 1)
            inside = ((index >= 0) & (index < knots)).to(level.dtype)[:, :, None, None, None]
            window = level[index.clamp(0, knots - 1)] * inside  # (N, k + 1, h, w, C)
            at_knots = stem(window.permute(0, 4, 1, 2, 3))  # (N, C, 2, h, w)
            # Behind the last knot its own value goes on.
            blend = (weight * (after > before))[:, None, None, None].to(at_knots.dtype)
            features = torch.lerp(at_knots[:, :, 0], at_knots[:, :, 1], blend)
            total = total + resize(features.permute(0, 2, 3, 1), self.size)
        assert isinstance(total, Tensor)
        return total


class ConvNextBlock(nn.Module):
    """Depth-wise convolution, norm, two linear layers; a shortcut when the widths agree.

    One that is tied has no linear layers of its own.
    """

    def __init__(
        self, channels_in: int, channels_out: int, expansion: int, kernel_size: int, is_tied: bool
    ) -> None:
        super().__init__()
        self.shortcut = channels_in == channels_out
        self.depthwise = nn.Conv2d(
            channels_in,
            channels_in,
            kernel_size,
            padding=kernel_size // 2,
            groups=channels_in,
            bias=False,
        )
        if not is_tied:
            self.expand = nn.Linear(channels_in, expansion * channels_out, bias=False)
            self.project = nn.Linear(expansion * channels_out, channels_out, bias=False)

    def forward(self, x: Tensor, inside: Tensor | None, owner: "ConvNextBlock") -> Tensor:
        """One block with the linear layers of `owner`, which is itself unless it is tied.

        `inside` (N, h, w, 1) zeroes what lies outside the frame.
        """
        y = self.depthwise(x.permute(0, 3, 1, 2)).permute(
            0, 2, 3, 1
        )  # channels last in memory throughout
        y = in_parts(lambda part: owner.project(F.gelu(owner.expand(normalize(part)))), y)
        if inside is not None:
            y = y * inside
        result: Tensor = x + y if self.shortcut else y
        return result


class UpsampleBlock(nn.Module):
    """Norm, bilinear upsampling, hierarchical encoding, blocks (HiNeRV, section 3.2 and Eq. 2)."""

    def __init__(self, plan: BlockPlan, kernel_size: int, local: TemporalGrids) -> None:
        super().__init__()
        self.stride = plan.stride
        self.local = local
        self.encoding = nn.Linear(local.out_channels, plan.channels_in)
        nn.init.zeros_(self.encoding.bias)
        self.owners = [plan.owner(k) for k in range(plan.depth)]
        self.conv = nn.ModuleList(
            ConvNextBlock(a, b, plan.expansion, kernel_size, is_tied=self.owners[k] != k)
            for k, (a, b) in enumerate(itertools.pairwise(plan.widths))
        )

    def convolve(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """All blocks, one after the other."""
        for conv, owner in zip(self.conv, self.owners, strict=True):
            x = conv(x, inside, self.conv[owner])
        return x

    def local_encoding(self, t: Tensor, num_frames: int) -> Tensor:
        """Hierarchical encoding of one cell of the coarse grid, (N, s, s, C_in)."""
        encoding: Tensor = self.encoding(self.local.read(t, num_frames))
        return encoding


def normalize(x: Tensor) -> Tensor:
    """Layer norm over the last axis without learned scale or shift."""
    return F.layer_norm(x, x.shape[-1:], eps=NORM_EPS)


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of each position (..., C); without gradients on a CPU, of some after the others.

    What lies between its ends, several times as wide, then stays in the cache.
    """
    if torch.is_grad_enabled() or x.device.type != "cpu":
        return function(x)
    parts = torch.split(x.reshape(-1, x.shape[-1]), POSITIONS_AT_ONCE)
    return torch.cat([function(part) for part in parts]).view(*x.shape[:-1], -1)


class Hinerv(Representation[HinervConfig]):
    """HiNeRV over one segment. Source: HiNeRV, section 3, and its repository's configurations."""

    Config: ClassVar[type[RepresentationConfig]] = HinervConfig

    def __init__(self, config: HinervConfig, shape: VideoShape) -> None:
        config = config.resolve(shape.height, shape.width)
        super().__init__(config, shape)
        plans = config.plan_stages(shape.height, shape.width)
        self.scale = config.scale(shape.height, shape.width)
        self.base_size = config.base_size(shape.height, shape.width)
        self.stem_padding, self.block_paddings = plan_paddings(
            [plan.stride for plan in plans],
            config.depths,
            config.kernel_size,
            config.stem_kernel_size,
        )
        grids = config.plan_grids(shape)
        self.base: JoinedBase | SummedBase
        if config.grid_halving == "t":
            levels = TemporalGrids(grids[0][0], self.base_size, config.grid_channels, len(grids))
            self.base = JoinedBase(levels, config.channels, config.stem_kernel_size)
        else:
            self.base = SummedBase(grids, config.channels, config.stem_kernel_size)
        self.block = nn.ModuleList()
        for plan in plans:
            cell, knots = (plan.stride, plan.stride), config.local_frames or shape.num_frames
            local = TemporalGrids(knots, cell, plan.local_channels, config.local_levels)
            self.block.append(UpsampleBlock(plan, config.kernel_size, local))
        self.head = nn.Linear(plans[-1].channels_out, shape.channels)
        nn.init.zeros_(self.head.bias)

    def forward(self, patches: Patches) -> Tensor:
        """Pixels of patches or of whole frames; see the base class."""
        x = (
            self._frames(patches.t)
            if patches.size is None
            else self._patches(patches, patches.size)
        )
        return sigmoid(self.head(x).float())

    def _frames(self, t: Tensor) -> Tensor:
        num_frames = self.shape.num_frames
        x = self.base(t, num_frames)
        for block in self._blocks():
            n, h, w, c = x.shape
            s = block.stride
            x = normalize(x)
            if s > 1:
                x = upsample(x, s)
            encoding = block.local_encoding(t, num_frames)
            x = x.reshape(n, h, s, w, s, c) + encoding[:, None, :, None, :, :]
            x = x.reshape(n, h * s, w * s, c)
            x = block.convolve(x, None)
        assert isinstance(x, Tensor)
        return x

    def _patches(self, patches: Patches, size: tuple[int, int]) -> Tensor:
        self.check_patch_size(size)
        num_frames = self.shape.num_frames
        limits = self.base_size
        starts = [patches.y // self.scale, patches.x // self.scale]
        lengths = [size[0] // self.scale, size[1] // self.scale]
        x, rows, columns = self._patch_base(patches, starts, lengths)
        batch = torch.arange(len(patches.t), device=x.device)[:, None, None]
        for block, (outer, inner) in zip(self._blocks(), self.block_paddings, strict=True):
            s = block.stride
            x = normalize(x)
            if s > 1:
                # Just outside the frame stands a copy of its edge, as upsampling a frame has it.
                x = repeat_edge(x, rows[:, :, None, None], limits[0], axis=1)
                x = repeat_edge(x, columns[:, None, :, None], limits[1], axis=2)
                x = upsample(x, s)
            starts = [start * s for start in starts]
            lengths = [length * s for length in lengths]
            margin = (x.shape[1] - lengths[0]) // 2 - outer
            x = x[:, margin : x.shape[1] - margin, margin : x.shape[2] - margin]
            rows, columns = (
                padded_range(start, length, outer)
                for start, length in zip(starts, lengths, strict=True)
            )
            limits = (limits[0] * s, limits[1] * s)
            encoding = block.local_encoding(patches.t, num_frames)
            x = x + encoding[batch, (rows % s)[:, :, None], (columns % s)[:, None, :]]
            inside = inside_mask(rows, columns, limits)
            x = block.convolve(x * inside, inside)
            x, rows, columns = crop(x, rows, columns, outer - inner)
        return x

    def _patch_base(
        self, patches: Patches, starts: list[Tensor], lengths: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features of padded patches at base resolution, zero outside the frame, and indices."""
        base, limits, margin = self.base, self.base_size, self.config.stem_kernel_size // 2
        padding = self.stem_padding if isinstance(base, JoinedBase) else self.stem_padding - margin
        rows, columns = (
            padded_range(start, length, padding)
            for start, length in zip(starts, lengths, strict=True)
        )
        frames, which = patches.distinct_frames()
        read = base.grid.read if isinstance(base, JoinedBase) else base
        features = read(frames, self.shape.num_frames)
        y = rows.clamp(0, limits[0] - 1)[:, :, None]
        x = columns.clamp(0, limits[1] - 1)[:, None, :]
        features = features[which[:, None, None], y, x] * inside_mask(rows, columns, limits)
        if isinstance(base, JoinedBase):
            features = base.stem(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            features, rows, columns = crop(features, rows, columns, margin)
            features = features * inside_mask(rows, columns, limits)
        return features, rows, columns

    def _blocks(self) -> Iterator[UpsampleBlock]:
        for block in self.block:
            assert isinstance(block, UpsampleBlock)
            yield block


def upsample(x: Tensor, stride: int) -> Tensor:
    """Bilinear upsampling of (N, h, w, C) by `stride`, align_corners false.

    Written as one blend a phase with exact weights: `F.interpolate` takes its weights from float
    positions, which costs 1e-5 at a thousand columns, and patches would no longer equal frames.
    """
    for axis in (1, 2):
        before, after = shifted(x, axis, -1), shifted(x, axis, 1)
        offsets = [(2 * phase + 1 - stride) / (2 * stride) for phase in range(stride)]
        phases = [torch.lerp(x, before if d < 0 else after, abs(d)) if d else x for d in offsets]
        x = torch.stack(phases, dim=axis + 1).flatten(axis, axis + 1)
    return x


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling of (N, h, w, C) to any size, align_corners false."""
    for axis, length in ((1, size[0]), (2, size[1])):
        held = x.shape[axis]
        if held == length:
            continue
        before, after, weight = blend_times(torch.arange(length, device=x.device), length, held)
        matrix = torch.zeros(length, held, device=x.device)
        rows = torch.arange(length, device=x.device)
        matrix[rows, before] += 1 - weight
        matrix[rows, after] += weight
        x = torch.tensordot(x, matrix.to(x.dtype), dims=([axis], [1])).movedim(-1, axis)
    return x


def shifted(x: Tensor, axis: int, by: int) -> Tensor:
    """The neighbour of every position along `axis`, edges repeated."""
    size = x.shape[axis]
    parts = [x.narrow(axis, 0, 1), x.narrow(axis, 0, size - 1)]
    if by > 0:
        parts = [x.narrow(axis, 1, size - 1), x.narrow(axis, size - 1, 1)]
    return torch.cat(parts, dim=axis)


def repeat_edge(x: Tensor, index: Tensor, limit: int, axis: int) -> Tensor:
    """`x`, zero outside the frame, with the frame's edge copied one position outwards.

    Args:
        x: features of padded patches, (N, h, w, C).
        index: positions along `axis` in the frame, broadcasts against `x`.
        limit: rows or columns of the frame.
        axis: 1 or 2.
    """
    before = (index == -1).to(x.dtype) * shifted(x, axis, 1)
    after = (index == limit).to(x.dtype) * shifted(x, axis, -1)
    return x + before + after


def inside_mask(rows: Tensor, columns: Tensor, limits: tuple[int, int]) -> Tensor:
    """1.0 for positions of the frame, 0.0 for padding, (N, h, w, 1)."""
    return (is_inside(rows, limits[0])[:, :, None] * is_inside(columns, limits[1])[:, None, :])[
        ..., None
    ]


def crop(x: Tensor, rows: Tensor, columns: Tensor, margin: int) -> tuple[Tensor, Tensor, Tensor]:
    """Take `margin` positions off every side of (N, h, w, C), and of its indices."""
    if margin == 0:
        return x, rows, columns
    inner = slice(margin, -margin)
    return x[:, inner, inner], rows[:, inner], columns[:, inner]
