"""Frames or patches of one segment as training batches, a pure function of seed and step."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nvcodec.pixel_values import to_unit
from nvcodec.representations.representation import Patches


def mixed_seed(*parts: int) -> int:
    """One 63-bit seed from several integers: every step has its own random numbers, no state."""
    value = 0x9E3779B97F4A7C15
    for part in parts:
        value = (value ^ (part + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 31
    return value >> 1


class Batches:
    """All patches of a segment in a new order each epoch; the last partial batch is dropped."""

    def __init__(
        self,
        frames: Tensor,
        canvas: Sequence[int],
        patch_size: tuple[int, int] | None,
        batch_size: int,
        seed: int,
        depth: int = 8,
    ) -> None:
        """`frames` are samples (T, H, W, C); the canvas is filled by repeating their edges."""
        self.frames = frames
        self.patch_size = patch_size
        self.seed = seed
        self.depth = depth
        height, width = patch_size or canvas
        self.rows = torch.arange(0, canvas[0], height)
        self.columns = torch.arange(0, canvas[1], width)
        self.frame_patches = len(self.rows) * len(self.columns)
        self.num_patches = len(frames) * self.frame_patches
        self.batch_size = min(batch_size, self.num_patches)
        self.steps_per_epoch = self.num_patches // self.batch_size
        self._epoch: tuple[int, Tensor] | None = None

    def num_steps(self, turns: int | None) -> int:
        """Steps of one pass over `turns` frames one by one, or over all frames in random order."""
        if turns is None:
            return self.steps_per_epoch
        return turns * (self.frame_patches // min(self.batch_size, self.frame_patches))

    def parts(
        self, stage: int, step: int, frame: int | None, part_size: int
    ) -> Iterator[tuple[float, Patches, Tensor]]:
        """A step's batch, so many patches at a time.

        Args:
            stage: number of the stage.
            step: number of the step in it.
            frame: the only frame of the batch; None: any.
            part_size: patches at a time, at most.

        Yields:
            Their share of the batch, coordinates, and pixels in [0, 1], float32 (N, h, w, C).
        """
        num_patches = self.num_patches if frame is None else self.frame_patches
        size = min(self.batch_size, num_patches)
        epoch, position = divmod(step, num_patches // size)
        key = mixed_seed(self.seed, stage, epoch)
        if self._epoch is None or self._epoch[0] != key:
            generator = torch.Generator().manual_seed(key)
            self._epoch = key, torch.randperm(num_patches, generator=generator)
        chosen = self._epoch[1][position * size :][:size]
        device = self.frames.device
        for first in range(0, size, part_size):
            part = chosen[first : first + part_size]
            t, place = part // self.frame_patches, part % self.frame_patches
            if frame is not None:
                t = t + frame
            y = self.rows[place // len(self.columns)]
            x = self.columns[place % len(self.columns)]
            numbers = tuple(t.tolist())
            patches = Patches(t.to(device), y.to(device), x.to(device), self.patch_size, numbers)
            yield len(part) / size, patches, self.pixels(patches)

    def pixels(self, patches: Patches) -> Tensor:
        """Target of `patches`, float32 in [0, 1]."""
        if self.patch_size is None:
            return to_unit(self.frames[patches.t], self.depth)
        rows, columns = self._positions(patches)
        t = patches.t[:, None, None]
        rows = rows.clamp(max=self.frames.shape[1] - 1)
        columns = columns.clamp(max=self.frames.shape[2] - 1)
        return to_unit(self.frames[t, rows, columns], self.depth)

    def ignore_padding(self, output: Tensor, target: Tensor, patches: Patches) -> Tensor:
        """`output` with all outside the video replaced by the target: no cost, no gradient."""
        height, width = self.frames.shape[1:3]
        if self.patch_size is None:
            return output[:, :height, :width]
        rows, columns = self._positions(patches)
        inside = (rows < height) & (columns < width)
        return torch.where(inside[..., None], output, target)

    def _positions(self, patches: Patches) -> tuple[Tensor, Tensor]:
        assert self.patch_size is not None
        device = self.frames.device
        rows = patches.y[:, None] + torch.arange(self.patch_size[0], device=device)
        columns = patches.x[:, None] + torch.arange(self.patch_size[1], device=device)
        return rows[:, :, None], columns[:, None, :]
