"""The differentiable twin of the hierarchical scheme: what its bits will be, as a tensor.

    values, side information --observe--> bins y = x / width --relaxed elsewhere--> --bits--> rate

Side information is seen as it will be coded: on its lattices, the context network in its integers,
all with straight-through gradients. On rounded bins the estimate equals the coder's to the
precision of its tables (a test binds the two).
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.coding.hierarchical.config import HierarchicalConfig
from nvcodec.coding.hierarchical.context import (
    BIAS_LIMIT,
    HIDDEN_BITS,
    MAX_EXPONENT,
    MIN_EXPONENT,
    NUM_OUTPUTS,
    VALUE_LIMIT,
    Blocks,
)
from nvcodec.coding.hierarchical.gaussian import MAX_SIGMA, MIN_SIGMA
from nvcodec.coding.hierarchical.lattice import (
    LOG_LIMIT,
    MAX_LOG2_WIDTH,
    MEAN_LIMIT,
    MIN_LOG2_WIDTH,
    PER_BIN,
    PER_OCTAVE,
    axis_lengths,
    matrix_shape,
    width_table,
)
from nvcodec.coding.hierarchical.side import LAYER_KINDS
from nvcodec.coding.parameters import ParameterSpec, Role
from nvcodec.fitting.relaxations import bounded, round_half_up, straight_through

SideTensors = Mapping[str, Tensor]
ESCAPE_CLASS_BITS = 5
AXES = ("rows", "columns")
MIN_LIKELIHOOD = 2.0**-24
"""The smallest probability that an integer table holds."""


def on_lattice(values: Tensor, per_unit: Tensor | float, limit: int) -> Tensor:
    """`values` rounded to 1 / per_unit and bounded, straight through; `lattice.to_lattice`."""
    scaled = bounded(values * per_unit, -limit, limit)
    return straight_through(scaled, scaled.round()) / per_unit


@torch.no_grad()
def weight_per_unit(weights: Tensor, bits: int) -> Tensor:
    """2^e of `context.weight_exponent`, a scalar that stays on the device of the weights."""
    peak, limit = weights.abs().amax(), (1 << (bits - 1)) - 1
    (part, exponent), (limit_part, limit_exponent) = torch.frexp(peak), math.frexp(limit)
    largest = (limit_exponent - exponent - (part > limit_part).int()).clamp(
        MIN_EXPONENT, MAX_EXPONENT
    )
    return torch.exp2(torch.where(peak > 0, largest, MAX_EXPONENT).float())


def gaussian_bits(residuals: Tensor, log2_sigma: Tensor) -> Tensor:
    """Bits of unit bins around `residuals` under zero-mean Gaussians; all in bins.

    Where gradients are asked for, a value beyond its table counts as the least likely one in it.
    """
    bits: Tensor = _GaussianBits.apply(residuals, log2_sigma)  # type: ignore[no-untyped-call]
    if torch.is_grad_enabled():
        return bits
    # Beyond its support a table holds one escape, and the excess follows in plain bits.
    excess = residuals.abs() - (4 + (6 * torch.exp2(log2_sigma)).floor()) - 0.5
    coded = (
        -math.log2(MIN_LIKELIHOOD) + ESCAPE_CLASS_BITS + (2 * excess).clamp(min=1).log2().floor()
    )
    return torch.where(excess > 0, coded, bits)


class _GaussianBits(torch.autograd.Function):
    """-log2 of P = Phi(b) - Phi(a), b and a being the bin's ends over sigma.

    Its slopes by hand: automatic ones keep and pass over four times as much. Where P is below the
    bound the slope is that at the bound, which leads back.
    """

    @staticmethod
    def forward(ctx, residuals, log2_sigma):  # type: ignore[no-untyped-def]
        inverse = torch.exp2(-log2_sigma)
        distance = residuals.abs()
        above, below = (0.5 - distance) * inverse, (-0.5 - distance) * inverse
        likelihood = (torch.special.ndtr(above) - torch.special.ndtr(below)).clamp(
            MIN_LIKELIHOOD, 1
        )
        ctx.save_for_backward(residuals, inverse, above, below, likelihood)
        return -torch.log2(likelihood)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        residuals, inverse, above, below, likelihood = ctx.saved_tensors
        scale = gradient / (likelihood * (math.log(2) * math.sqrt(2 * math.pi)))
        at_above, at_below = (torch.exp(-0.5 * ends.square()) for ends in (above, below))
        by_distance = scale * inverse * (at_above - at_below)
        by_sigma = scale * math.log(2) * (above * at_above - below * at_below)
        return by_distance * residuals.sign(), by_sigma


def bin_widths(log2_width: Tensor) -> Tensor:
    """Bin widths as they are stored, half floats, with the gradient of 2^x."""
    index = (log2_width.detach() * PER_OCTAVE).nan_to_num(0.0).round().long() - MIN_LOG2_WIDTH
    return straight_through(torch.exp2(log2_width), _width_table(log2_width.device)[index])


@functools.cache
def _width_table(device: torch.device) -> Tensor:
    return torch.from_numpy(width_table().astype("float32")).to(device)


class LayersTwin:
    """All tensors under dual-axis Gaussians, as one long vector (NVRC, section 3.2, Eqs. 5 to 7).

    One vector instead of a tensor at a time: forty small tensors would spend the step's time on
    calls. Side information of one kind and axis is one vector too, over all tensors.
    """

    def __init__(
        self, specs: Sequence[ParameterSpec], config: HierarchicalConfig, device: torch.device
    ) -> None:
        self.specs = specs
        self.sizes = [spec.num_values for spec in specs]
        self.lengths: dict[str, list[int]] = {axis: [] for axis in AXES}
        index: dict[str, list[Tensor]] = {axis: [] for axis in AXES}
        for spec in specs:
            matrix = matrix_shape(spec.shape)
            lengths = axis_lengths(spec.shape, config.share, config.per_tensor)
            places = torch.meshgrid(*(torch.arange(n) for n in matrix), indexing="ij")
            for axis, place, length in zip(AXES, places, lengths, strict=True):
                first = sum(self.lengths[axis])
                index[axis].append(first + place.flatten().clamp(max=length - 1))
                self.lengths[axis].append(length)
        self.index = {axis: torch.cat(parts).to(device) for axis, parts in index.items()}

    def log2_width(self, side: SideTensors) -> Tensor:
        """log2 of every entry's bin width."""
        total = self._sum(side, "log2_width", PER_OCTAVE, LOG_LIMIT)
        return bounded(total, MIN_LOG2_WIDTH / PER_OCTAVE, MAX_LOG2_WIDTH / PER_OCTAVE)

    def flat(self, values: Mapping[str, Tensor]) -> Tensor:
        """All values as one vector."""
        return torch.cat([values[spec.name].flatten() for spec in self.specs])

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Inverse of `flat`."""
        parts = torch.split(vector, self.sizes)
        return {s.name: part.view(s.shape) for s, part in zip(self.specs, parts, strict=True)}

    def bits(self, bins: Tensor, log2_width: Tensor, side: SideTensors) -> Tensor:
        """Bits of every entry of all layers, (N,).

        Args:
            bins: values over bin widths, rounded or not, (N,).
            log2_width: log2 of each entry's width, (N,).
            side: joined side information; see `side_shapes` of the scheme.
        """
        log2_sigma = self._sum(side, "log2_sigma", PER_OCTAVE, LOG_LIMIT) - log2_width
        log2_sigma = bounded(log2_sigma, MIN_SIGMA / PER_OCTAVE, MAX_SIGMA / PER_OCTAVE)
        mean = round_half_up(self._sum(side, "mean", PER_BIN, MEAN_LIMIT))
        return gaussian_bits(bins - mean, log2_sigma)

    def _sum(self, side: SideTensors, kind: str, per_unit: int, limit: int) -> Tensor:
        rows, columns = (
            on_lattice(side[f"{kind}_{axis}"], per_unit, limit).index_select(0, self.index[axis])
            for axis in AXES
        )
        return rows + columns


class GridTwin:
    """One feature grid (T, h, w, C) under its context model (NVRC, section 3.1)."""

    def __init__(self, spec: ParameterSpec, config: HierarchicalConfig) -> None:
        self.shape = spec.shape
        self.config = config
        blocks = Blocks(spec.shape, config.block)
        self.block, self.counts = blocks.block, blocks.counts

    def bin_widths(self, side: SideTensors) -> Tensor:
        """Bin widths, broadcastable to the grid."""
        log2_width = on_lattice(side["log2_width"], PER_OCTAVE, LOG_LIMIT)
        log2_width = bounded(log2_width, MIN_LOG2_WIDTH / PER_OCTAVE, MAX_LOG2_WIDTH / PER_OCTAVE)
        widths = bin_widths(log2_width)
        if log2_width.shape[:3] == (1, 1, 1):
            return widths
        for axis, (size, block) in enumerate(zip(self.shape[:3], self.block, strict=True)):
            widths = widths.repeat_interleave(block, dim=axis).narrow(axis, 0, size)
        return widths

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
        """Grid as blocks, zero-padded, (blocks, C, t, h, w)."""
        t, h, w = (n * b for n, b in zip(self.counts, self.block, strict=True))
        padding = (0, 0, 0, w - grid.shape[2], 0, h - grid.shape[1], 0, t - grid.shape[0])
        (nt, nh, nw), (bt, bh, bw) = self.counts, self.block
        x = F.pad(grid, padding).reshape(nt, bt, nh, bh, nw, bw, -1)
        return x.permute(0, 2, 4, 6, 1, 3, 5).reshape(nt * nh * nw, -1, bt, bh, bw)

    def _network(self, x: Tensor, inside: Tensor, side: SideTensors) -> tuple[Tensor, Tensor]:
        """Means in bins and log2 of spreads, each (blocks, C, t, h, w); see `context`."""
        kernels, channels = self.config.context_kernels, x.shape[1]
        hidden = x  # (blocks, C * in, t, h, w)
        for i, kernel in enumerate(kernels):
            weight, bias = side[f"context_weight_{i}"], side[f"context_bias_{i}"]
            per_unit = weight_per_unit(weight, self.config.context_weight_bits)
            weight = on_lattice(weight, per_unit, VALUE_LIMIT)
            bias = on_lattice(bias, 2**HIDDEN_BITS, BIAS_LIMIT)
            unit = per_unit * 2.0 ** (HIDDEN_BITS if i else 0)
            bias = round_half_up(bias * unit) / unit
            if weight.shape[0] != channels:  # one network for all
                weight, bias = weight.expand(channels, -1, -1, -1), bias.expand(channels, -1)
            # Taps come in raster order and end at the middle, or before it: the rest is zero.
            dense = F.pad(weight, (0, kernel**3 - weight.shape[-1])).flatten(0, 1)
            dense = dense.view(*dense.shape[:2], kernel, kernel, kernel)
            padding = kernel // 2
            sums = F.conv3d(hidden, dense, bias.flatten(), padding=padding, groups=channels)
            if i + 1 < len(kernels):
                rounded = round_half_up(sums * 2**HIDDEN_BITS) / 2**HIDDEN_BITS
                hidden = bounded(rounded, 0.0, VALUE_LIMIT / 2**HIDDEN_BITS) * inside
        mean, log2_sigma = sums[:, 0::NUM_OUTPUTS], sums[:, 1::NUM_OUTPUTS]
        mean = bounded(round_half_up(mean), -VALUE_LIMIT, VALUE_LIMIT)
        log2_sigma = round_half_up(log2_sigma * PER_OCTAVE) / PER_OCTAVE
        return mean, bounded(log2_sigma, MIN_SIGMA / PER_OCTAVE, MAX_SIGMA / PER_OCTAVE)


class Observation(NamedTuple):
    """Values in bins and the bins' widths: of all layers as one vector, then of each grid."""

    bins: list[Tensor]
    widths: list[Tensor]
    log2_width: Tensor
    """Of the layers."""


class Twin:
    """The twin of a whole parameter set under the hierarchical scheme.

    Side information is a flat table of tensors: `KIND_AXIS` for all layers, `GRID/NAME` for grids.
    """

    def __init__(
        self, specs: Sequence[ParameterSpec], config: HierarchicalConfig, device: torch.device
    ) -> None:
        grids = [s for s in specs if s.role is Role.GRID and len(s.shape) == 4]
        self.grids = {spec.name: GridTwin(spec, config) for spec in grids}
        self.layers = LayersTwin([s for s in specs if s.name not in self.grids], config, device)
        self._context_weight_bits = config.context_weight_bits

    def join_side(self, tables: Mapping[str, SideTensors]) -> dict[str, Tensor]:
        """The flat table from one table a tensor, as the scheme has them."""
        side = {
            f"{kind}_{axis}": torch.cat(
                [tables[spec.name][f"{kind}_{axis}"] for spec in self.layers.specs]
            )
            for kind in LAYER_KINDS
            for axis in AXES
        }
        for grid in self.grids:
            side |= {f"{grid}/{name}": tensor for name, tensor in tables[grid].items()}
        return side

    def split_side(self, side: SideTensors) -> dict[str, dict[str, Tensor]]:
        """Inverse of `join_side`."""
        tables: dict[str, dict[str, Tensor]] = {spec.name: {} for spec in self.layers.specs}
        for kind in LAYER_KINDS:
            for axis in AXES:
                parts = torch.split(side[f"{kind}_{axis}"], self.layers.lengths[axis])
                for spec, part in zip(self.layers.specs, parts, strict=True):
                    tables[spec.name][f"{kind}_{axis}"] = part
        return tables | {grid: self._grid_side(side, grid) for grid in self.grids}

    def observe(self, values: Mapping[str, Tensor], side: SideTensors) -> Observation:
        """Values in bins."""
        log2_width = self.layers.log2_width(side)
        widths = [bin_widths(log2_width)]
        widths += [t.bin_widths(self._grid_side(side, n)) for n, t in self.grids.items()]
        observed = [self.layers.flat(values), *(values[name] for name in self.grids)]
        bins = [values / width for values, width in zip(observed, widths, strict=True)]
        return Observation(bins, widths, log2_width)

    def values(self, bins: Sequence[Tensor], seen: Observation) -> dict[str, Tensor]:
        """Values of these bins: the inverse of `observe`."""
        layers, *grids = (values * width for values, width in zip(bins, seen.widths, strict=True))
        return self.layers.split(layers) | dict(zip(self.grids, grids, strict=True))

    def bits(
        self,
        bins: Sequence[Tensor],
        seen: Observation,
        side: SideTensors,
        context: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Bits of `layers` and `grids`, scalars.

        Args:
            bins: values over bin widths: all layers' as one vector, then each grid's (T, h, w, C).
            seen: what `observe` gave for these values.
            side: joined side information.
            context: what context models see of each of `bins`, if not `bins`.
        """
        grids = torch.zeros((), device=bins[0].device)
        for i, (name, twin) in enumerate(self.grids.items(), start=1):
            shown = bins[i] if context is None else context[i]
            grids = grids + twin.bits(bins[i], self._grid_side(side, name), shown)
        return {"layers": self.layers.bits(bins[0], seen.log2_width, side).sum(), "grids": grids}

    def phi_bits(self, side: SideTensors) -> Tensor:
        """Surrogate for the bits of side information: Laplace around each array's mean.

        Its gradient draws the entries of an array together; what they cost is measured by the
        coder.
        """
        total = torch.zeros((), device=self.layers.index["rows"].device)
        for name, array in side.items():
            if "/" in name:
                lengths = [array.numel()]
            else:
                lengths = self.layers.lengths[name.rsplit("_", 1)[1]]
            per_unit = self._per_unit(name.rsplit("/", 1)[-1], array)
            total = total + _laplace_bits(array.flatten() * per_unit, lengths)
        return total

    def _per_unit(self, kind: str, array: Tensor) -> Tensor | float:
        """Points of the lattice of this kind of side information, a unit."""
        if kind.startswith("log2"):
            return PER_OCTAVE
        if kind.startswith("mean"):
            return PER_BIN
        if kind.startswith("context_weight"):
            return weight_per_unit(array, self._context_weight_bits)
        return 2.0**HIDDEN_BITS

    def _grid_side(self, side: SideTensors, grid: str) -> dict[str, Tensor]:
        prefix = f"{grid}/"
        return {n.removeprefix(prefix): t for n, t in side.items() if n.startswith(prefix)}


def _laplace_bits(values: Tensor, lengths: Sequence[int]) -> Tensor:
    """Bits of integers near `values`, in arrays of these lengths; single numbers count nothing."""
    counts = torch.tensor(lengths, device=values.device)
    arrays = torch.arange(len(lengths), device=values.device)
    owner = torch.repeat_interleave(arrays, counts, output_size=len(values))
    with torch.no_grad():
        zeros = values.new_zeros(len(lengths))
        mean = zeros.index_add(0, owner, values) / counts
        spread = zeros.index_add(0, owner, (values - mean[owner]).abs()) / counts + 0.1
        weight = (counts > 1).float()[owner]
    cost = (values - mean[owner]).abs() / (spread[owner] * math.log(2))
    return ((cost + torch.log2(2 * spread[owner]).clamp(min=0)) * weight).sum()
