"""The differentiable twin of the hierarchical scheme: what its bits will be, as a tensor.

    values, side information --Twin.bins--> bins y = x / step --relaxed elsewhere--> --bits--> rate

Side information is seen as it will be coded: on its lattices, the context network in its integers,
all with straight-through gradients. On rounded bins the estimate equals the coder's to the
precision of its tables (a test binds the two).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nvcodec.coding.context import (
    BIAS_LIMIT,
    HIDDEN_BITS,
    VALUE_LIMIT,
    taps,
    weight_exponent,
)
from nvcodec.coding.gaussian import MAX_SIGMA, MIN_SIGMA
from nvcodec.coding.lattice import (
    LOG_LIMIT,
    MAX_STEP,
    MEAN_LIMIT,
    MIN_STEP,
    PER_BIN,
    PER_OCTAVE,
    matrix_shape,
    step_table,
)
from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.coding.schemes.hierarchical import HierarchicalConfig
from nvcodec.fitting.relaxations import bounded, round_half_up, straight_through

SideTensors = Mapping[str, Tensor]
ESCAPE_CLASS_BITS = 5
MIN_LIKELIHOOD = 2.0**-24
"""The smallest probability that an integer table holds."""


def on_lattice(values: Tensor, per_unit: float, limit: int) -> Tensor:
    """`values` rounded to 1 / per_unit and bounded, straight through; `lattice.to_lattice`."""
    scaled = bounded(values * per_unit, -limit, limit)
    return straight_through(scaled, scaled.round()) / per_unit


def gaussian_bits(residuals: Tensor, log2_sigma: Tensor) -> Tensor:
    """Bits of unit bins around `residuals` under zero-mean Gaussians; all in bins."""
    sigma = torch.exp2(log2_sigma)
    distance = residuals.abs()
    upper = torch.special.ndtr((0.5 - distance) / sigma)
    lower = torch.special.ndtr((-0.5 - distance) / sigma)
    bits = -torch.log2(bounded(upper - lower, MIN_LIKELIHOOD, 1.0))
    with torch.no_grad():
        # Beyond its support a table holds one escape, and the excess follows in plain bits.
        excess = distance - (4 + (6 * sigma).floor()) - 0.5
        coded = (
            -math.log2(MIN_LIKELIHOOD)
            + ESCAPE_CLASS_BITS
            + (2 * excess).clamp(min=1).log2().floor()
        )
        correction = torch.where(excess > 0, coded - bits, 0.0)
    return bits + correction


def bin_widths(log2_step: Tensor) -> Tensor:
    """Bin widths as they are stored, half floats, with the gradient of 2^x."""
    table = torch.from_numpy(step_table().astype("float32")).to(log2_step.device)
    index = (log2_step.detach() * PER_OCTAVE).round().long() - MIN_STEP
    return straight_through(torch.exp2(log2_step), table[index])


class LayerTwin:
    """One tensor under dual-axis Gaussians (NVRC, section 3.2, Eqs. 5 to 7)."""

    def __init__(self, spec: ParameterSpec) -> None:
        self.shape = spec.shape
        self.matrix = matrix_shape(spec.shape)

    def log2_step(self, side: SideTensors) -> Tensor:
        """log2 of bin widths, (rows or 1, columns or 1)."""
        total = _both(side, "log2_step", PER_OCTAVE, LOG_LIMIT)
        return bounded(total, MIN_STEP / PER_OCTAVE, MAX_STEP / PER_OCTAVE)

    def bins(self, values: Tensor, side: SideTensors) -> Tensor:
        """Values in bins, (rows, columns)."""
        return values.reshape(self.matrix) / bin_widths(self.log2_step(side))

    def values(self, bins: Tensor, side: SideTensors) -> Tensor:
        """Inverse of `bins`."""
        return (bins * bin_widths(self.log2_step(side))).reshape(self.shape)

    def bits(self, bins: Tensor, side: SideTensors, context: Tensor | None = None) -> Tensor:
        """Bits of all entries, a scalar."""
        log2_sigma = _both(side, "log2_sigma", PER_OCTAVE, LOG_LIMIT) - self.log2_step(side)
        log2_sigma = bounded(log2_sigma, MIN_SIGMA / PER_OCTAVE, MAX_SIGMA / PER_OCTAVE)
        mean = round_half_up(_both(side, "mean", PER_BIN, MEAN_LIMIT))
        return gaussian_bits(bins - mean, log2_sigma).sum()


class GridTwin:
    """One feature grid (T, h, w, C) under its context model (NVRC, section 3.1)."""

    def __init__(self, spec: ParameterSpec, config: HierarchicalConfig) -> None:
        self.shape = spec.shape
        self.config = config
        self.block = config.block
        self.counts = [-(-n // b) for n, b in zip(spec.shape[:3], config.block, strict=True)]

    def log2_step(self, side: SideTensors) -> Tensor:
        """log2 of bin widths, broadcastable to the grid."""
        step = on_lattice(side["log2_step"], PER_OCTAVE, LOG_LIMIT)
        step = bounded(step, MIN_STEP / PER_OCTAVE, MAX_STEP / PER_OCTAVE)
        if step.shape[:3] == (1, 1, 1):
            return step
        for axis, (size, block) in enumerate(zip(self.shape[:3], self.block, strict=True)):
            step = step.repeat_interleave(block, dim=axis).narrow(axis, 0, size)
        return step

    def bins(self, values: Tensor, side: SideTensors) -> Tensor:
        """Values in bins, (T, h, w, C)."""
        return values / bin_widths(self.log2_step(side))

    def values(self, bins: Tensor, side: SideTensors) -> Tensor:
        """Inverse of `bins`."""
        return bins * bin_widths(self.log2_step(side))

    def bits(self, bins: Tensor, side: SideTensors, context: Tensor | None = None) -> Tensor:
        """Bits of all entries, a scalar; `context` is what the network sees, if not `bins`."""
        if not self.config.context:
            log2_sigma = on_lattice(side["log2_sigma"], PER_OCTAVE, LOG_LIMIT)
            mean = round_half_up(on_lattice(side["mean"], PER_BIN, MEAN_LIMIT))
            log2_sigma = bounded(log2_sigma, MIN_SIGMA / PER_OCTAVE, MAX_SIGMA / PER_OCTAVE)
            return gaussian_bits(bins - mean, log2_sigma).sum()
        inside = self._blocks(torch.ones_like(bins[..., :1]))
        seen = self._blocks(
            bounded(bins if context is None else context, -VALUE_LIMIT, VALUE_LIMIT)
        )
        mean, log2_sigma = self._network(seen, inside, side)
        return (gaussian_bits(self._blocks(bins) - mean, log2_sigma) * inside).sum()

    def _blocks(self, grid: Tensor) -> Tensor:
        """Grid as blocks, zero-padded, (C, blocks, t, h, w)."""
        t, h, w = (n * b for n, b in zip(self.counts, self.block, strict=True))
        padding = (0, 0, 0, w - grid.shape[2], 0, h - grid.shape[1], 0, t - grid.shape[0])
        (nt, nh, nw), (bt, bh, bw) = self.counts, self.block
        x = torch.nn.functional.pad(grid, padding).reshape(nt, bt, nh, bh, nw, bw, -1)
        return x.permute(6, 0, 2, 4, 1, 3, 5).reshape(-1, nt * nh * nw, bt, bh, bw)

    def _network(self, x: Tensor, inside: Tensor, side: SideTensors) -> tuple[Tensor, Tensor]:
        """Means in bins and log2 of spreads, each (C, blocks, t, h, w); see `coding.context`."""
        kernels = self.config.context_kernels
        hidden = x[..., None]  # (C, blocks, t, h, w, in)
        for i, kernel in enumerate(kernels):
            weight, bias = side[f"context_weight_{i}"], side[f"context_bias_{i}"]
            bits = self.config.context_weight_bits
            exponent = weight_exponent(weight.detach().cpu().numpy(), bits)
            weight = on_lattice(weight, 2.0**exponent, VALUE_LIMIT)
            bias = on_lattice(bias, 2**HIDDEN_BITS, BIAS_LIMIT)
            unit = 2.0 ** (exponent + (HIDDEN_BITS if i else 0))
            bias = round_half_up(bias * unit) / unit
            seen = _neighbours(hidden, taps(kernel, i == 0))  # (..., in, taps)
            groups = weight.expand(x.shape[0], -1, -1, -1) if weight.shape[0] == 1 else weight
            sums = torch.einsum("cbthwik,coik->cbthwo", seen, groups)
            sums = sums + bias[:, None, None, None, None, :]
            if i + 1 < len(kernels):
                rounded = round_half_up(sums * 2**HIDDEN_BITS) / 2**HIDDEN_BITS
                hidden = bounded(rounded, 0.0, VALUE_LIMIT / 2**HIDDEN_BITS)
                hidden = hidden * inside[..., None]
        mean = bounded(round_half_up(sums[..., 0]), -VALUE_LIMIT, VALUE_LIMIT)
        log2_sigma = round_half_up(sums[..., 1] * PER_OCTAVE) / PER_OCTAVE
        return mean, bounded(log2_sigma, MIN_SIGMA / PER_OCTAVE, MAX_SIGMA / PER_OCTAVE)


Twin = LayerTwin | GridTwin


def make_twin(spec: ParameterSpec, config: HierarchicalConfig) -> Twin:
    """The twin of a tensor under the hierarchical scheme."""
    if spec.role is Role.GRID and len(spec.shape) == 4:
        return GridTwin(spec, config)
    return LayerTwin(spec)


def phi_bits(side: SideTensors) -> Tensor:
    """Surrogate for the bits of side information: Laplace around each array's median.

    Its gradient draws the entries of an array together; what they really cost is measured by the
    coder.
    """
    total: Tensor | float = 0.0
    for name, array in side.items():
        if array.numel() < 2:
            continue
        per_unit = _lattice_of(name, array)
        distance = (array - array.detach().median()).abs() * per_unit
        spread = distance.detach().mean() + 0.1
        total = total + (distance / spread).sum() / math.log(2)
        total = total + array.numel() * torch.log2(2 * spread).clamp(min=0)
    return torch.as_tensor(total)


def _lattice_of(name: str, array: Tensor) -> float:
    if name.startswith("log2"):
        return PER_OCTAVE
    if name.startswith("mean"):
        return PER_BIN
    if name.startswith("context_weight"):
        return 2.0 ** weight_exponent(array.detach().cpu().numpy())
    return 2.0**HIDDEN_BITS


def _both(side: SideTensors, kind: str, per_unit: int, limit: int) -> Tensor:
    """Sum of a layer's vectors along rows and columns, (rows or 1, columns or 1)."""
    rows = on_lattice(side[f"{kind}_rows"], per_unit, limit)
    columns = on_lattice(side[f"{kind}_columns"], per_unit, limit)
    return rows[:, None] + columns[None, :]


def _neighbours(x: Tensor, offsets: Sequence[tuple[int, int, int]]) -> Tensor:
    """Values at `offsets` of every position, zero outside the block, (C, b, t, h, w, in, taps)."""
    if list(offsets) == [(0, 0, 0)]:
        return x[..., None]
    reach = max(max(abs(o) for o in offset) for offset in offsets)
    padded = torch.nn.functional.pad(x, (0, 0, *[reach] * 6))
    t, h, w = x.shape[2:5]
    return torch.stack(
        [
            padded[
                :, :, reach + dt : reach + dt + t, reach + dh : reach + dh + h,
                reach + dw : reach + dw + w,
            ]
            for dt, dh, dw in offsets
        ],
        dim=-1,
    )  # fmt: skip
