"""hinerv: tensors, and one frame."""

from typing import Any

import numpy as np

from independent.layers import (
    convolution,
    depthwise,
    enlarge,
    gelu,
    knots,
    layer_norm,
    linear,
    pointwise,
    sigmoid,
)
from independent.tensors import Spec, layer

DEFAULTS = {
    "depths": [3, 3, 3, 1],
    "expansions": [4, 4, 4, 1],
    "kernel_size": 3,
    "stem_kernel_size": 3,
    "min_channels": 1,
    "tied_layers": None,
    "grid_frames": None,
    "grid_levels": 2,
    "grid_halving": "t",
    "local_frames": None,
    "local_levels": 3,
}


class Plan:
    """Sizes that follow from the settings (n: blocks, L: levels) and the video's shape."""

    def __init__(self, settings: dict[str, Any], shape: tuple[int, int, int, int]) -> None:
        self.settings = s = DEFAULTS | settings
        self.frames, height, width, self.outputs = shape
        total = int(np.prod(s["strides"]))
        self.h, self.w = -(-height // total), -(-width // total)
        grid_frames = s["grid_frames"] or -(-3 * self.frames // 10)
        local_frames = s["local_frames"] or self.frames
        self.grids = []  # (K, h, w, C) of each level
        for n in range(s["grid_levels"]):
            halved = (max(self.h >> n, 1), max(self.w >> n, 1))
            space = halved if s["grid_halving"] == "thw" else (self.h, self.w)
            self.grids.append((max(grid_frames >> n, 1), *space, s["grid_channels"] << n))
        self.blocks = []  # channels in and out, stride, depth, expansion, locals (K, s, s, C)
        into = s["channels"]
        for n, stride in enumerate(s["strides"]):
            out = max(s["channels"] >> n, min(s["min_channels"], s["channels"]), 1)
            depth = s["depths"][n]
            out = out if depth else into
            channels = max(s["local_channels"] >> n, 1)
            local = [
                (max(local_frames >> i, 1), stride, stride, channels << i)
                for i in range(s["local_levels"])
            ]
            self.blocks.append((into, out, stride, depth, s["expansions"][n], local))
            into = out


def tensors(settings: dict[str, Any], shape: tuple[int, int, int, int]) -> list[Spec]:
    plan = Plan(settings, shape)
    s = plan.settings
    halves_all = s["grid_halving"] == "thw"
    found = []
    for n, grid in enumerate(plan.grids):
        stored = grid if halves_all else (grid[0] * grid[1] * grid[2], grid[3])
        found.append(Spec(f"base.grid.{n}", stored, "grid"))
    k = s["stem_kernel_size"]
    if halves_all:
        for n, grid in enumerate(plan.grids):
            found += layer(f"base.stem.{n}", s["channels"], grid[3], k, k, k)
    else:
        found += layer("base.stem", s["channels"], sum(grid[3] for grid in plan.grids), k, k)
    k = s["kernel_size"]
    for n, (into, out, _, depth, expansion, local) in enumerate(plan.blocks):
        for i, grid in enumerate(local):
            stored = (grid[0] * grid[1] * grid[2], grid[3])
            found.append(Spec(f"block.{n}.local.{i}", stored, "grid"))
        found += layer(f"block.{n}.encoding", into, sum(grid[3] for grid in local))
        for j in range(depth):
            a, name = out if j else into, f"block.{n}.conv.{j}"
            found.append(Spec(f"{name}.depthwise.weight", (a, 1, k, k), "weight"))
            if owner(s["tied_layers"] or 1, j, into == out) == j:
                found.append(Spec(f"{name}.expand.weight", (expansion * out, a), "weight"))
                found.append(Spec(f"{name}.project.weight", (out, expansion * out), "weight"))
    return found + layer("head", plan.outputs, plan.blocks[-1][1])


def owner(tied: int, layer: int, first_fits: bool) -> int:
    """The layer of the block whose expand and project this one uses."""
    if layer == 0:
        return 0
    first = layer // tied * tied
    return first if first or first_fits else 1


def base(plan: Plan, v: dict[str, np.ndarray], t: int) -> np.ndarray:
    grids = [v[f"base.grid.{n}"].reshape(shape) for n, shape in enumerate(plan.grids)]
    if plan.settings["grid_halving"] == "t":
        joined = np.concatenate([knots(grid, t, plan.frames) for grid in grids], axis=2)
        return convolution(joined.transpose(2, 0, 1), v, "base.stem")
    total = np.zeros((plan.settings["channels"], plan.h, plan.w), np.float32)
    for n, grid in enumerate(grids):
        features = convolution(grid.transpose(3, 0, 1, 2), v, f"base.stem.{n}")
        total += enlarge(knots(features.swapaxes(0, 1), t, plan.frames), plan.h, plan.w)
    return total


def render(
    settings: dict[str, Any], shape: tuple[int, int, int, int], v: dict[str, np.ndarray], t: int
) -> np.ndarray:
    plan = Plan(settings, shape)
    x = base(plan, v, t)
    tied = plan.settings["tied_layers"] or 1
    for n, (into, out, stride, depth, _, local) in enumerate(plan.blocks):
        _, height, width = x.shape
        x = enlarge(layer_norm(x), height * stride, width * stride)
        grids = [v[f"block.{n}.local.{i}"].reshape(grid) for i, grid in enumerate(local)]
        joined = np.concatenate([knots(grid, t, plan.frames) for grid in grids], axis=2)
        cell = linear(joined, v, f"block.{n}.encoding").transpose(2, 0, 1)
        x = x + np.tile(cell, (1, height, width))
        for j in range(depth):
            name = f"block.{n}.conv.{j}"
            y = layer_norm(depthwise(x, v[f"{name}.depthwise.weight"]))
            shared = f"block.{n}.conv.{owner(tied, j, into == out)}"
            y = gelu(pointwise(y, v[f"{shared}.expand.weight"]))
            y = pointwise(y, v[f"{shared}.project.weight"])
            x = x + y if x.shape == y.shape else y
    return sigmoid(linear(x.transpose(1, 2, 0), v, "head"))
