"""Real-valued side information of the hierarchical scheme: shapes, data-driven values, rounding.

    Parameter.side, or else *_defaults --layer_phi, grid_phi--> integers of `lattice` and `context`

Nothing here runs in a decoder.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.config import HierarchicalConfig
from nvcodec.coding.hierarchical.context import (
    BIAS_LIMIT,
    HIDDEN_BITS,
    ContextNetwork,
    layer_shapes,
)
from nvcodec.coding.hierarchical.lattice import (
    LOG_LIMIT,
    MAX_LOG2_WIDTH,
    MEAN_LIMIT,
    MIN_LOG2_WIDTH,
    PER_BIN,
    PER_OCTAVE,
    axis_lengths,
    matrix_shape,
    to_lattice,
)
from nvcodec.coding.hierarchical.tensors import (
    AxisPair,
    GridTensor,
    LayerTensor,
    grid_width_values,
    num_blocks,
)
from nvcodec.coding.parameters import Parameter

Side = Mapping[str, NDArray[np.float32]]
Shapes = dict[str, tuple[int, ...]]

LAYER_KINDS = ("log2_width", "log2_sigma", "mean")
_MIN_LOG2_SPREAD = -3.0  # of sigma in bins, the narrowest table


def layer_side_shapes(shape: Sequence[int], config: HierarchicalConfig) -> Shapes:
    """Side arrays of a layer."""
    rows, columns = axis_lengths(shape, config.share, config.per_tensor)
    shapes: Shapes = {}
    for kind in LAYER_KINDS:
        shapes |= {f"{kind}_rows": (rows,), f"{kind}_columns": (columns,)}
    return shapes


def grid_width_shape(shape: Sequence[int], config: HierarchicalConfig) -> tuple[int, ...]:
    """Shape of a grid's log2 widths."""
    if not config.width_per_block:
        return (1, 1, 1, shape[3])
    return (*num_blocks(shape, config.block), shape[3])


def network_shapes(num_channels: int, config: HierarchicalConfig) -> list[tuple[int, ...]]:
    """Weight shapes of a grid's context model."""
    groups = 1 if config.context_shared else num_channels
    return layer_shapes(config.context_kernels, config.context_width, groups)


def grid_side_shapes(shape: Sequence[int], config: HierarchicalConfig) -> Shapes:
    """Side arrays of a grid."""
    shapes: Shapes = {"log2_width": grid_width_shape(shape, config)}
    if not config.context:
        return shapes | {"log2_sigma": (shape[3],), "mean": (shape[3],)}
    for i, weights in enumerate(network_shapes(shape[3], config)):
        shapes |= {f"context_weight_{i}": weights, f"context_bias_{i}": weights[:2]}
    return shapes


def checked_side(parameter: Parameter, shapes: Shapes) -> Side:
    """The side information of a fitted tensor.

    Raises:
        ValueError: an array is missing, unknown, not finite or of another shape.
    """
    side = parameter.side
    assert side is not None
    where = f"tensor {parameter.spec.name}, side information"
    if set(side) != set(shapes):
        seen, needed = ", ".join(sorted(side)), ", ".join(sorted(shapes))
        raise ValueError(f"{where}: {seen} given, {needed} needed")
    for name, shape in shapes.items():
        if side[name].shape != shape:
            raise ValueError(f"{where}, {name}: shape {side[name].shape} given, {shape} needed")
        if not np.isfinite(side[name]).all():
            raise ValueError(f"{where}, {name}: every value must be finite")
    return side


def _default_log2_width(values: NDArray[np.float32], bits: int) -> float:
    """Bin width for which the largest value just has a symbol of `bits` bits."""
    peak = float(np.abs(values).max(initial=0))
    if peak == 0:
        return 0.0
    log2 = np.ceil(PER_OCTAVE * np.log2(2 * peak / ((1 << bits) - 1))) / PER_OCTAVE
    return float(np.clip(log2, MIN_LOG2_WIDTH / PER_OCTAVE, MAX_LOG2_WIDTH / PER_OCTAVE))


def layer_defaults(values: NDArray[np.float32], config: HierarchicalConfig) -> Side:
    """Side information from the weights alone: one bin width, spreads as measured, no means."""
    matrix = values.reshape(matrix_shape(values.shape)).astype(np.float64)
    rows, columns = axis_lengths(values.shape, config.share, config.per_tensor)
    log2_width = _default_log2_width(values, config.bits)
    floor = 4.0 ** (log2_width + _MIN_LOG2_SPREAD)
    power = np.square(matrix) + floor
    if not matrix.size:
        power = np.full((1, 1), floor)
    by_row = power.mean(axis=1) if rows > 1 else power.mean(keepdims=True)[0]
    rest = power / by_row[:, None]
    by_column = rest.mean(axis=0) if columns > 1 else np.ones(1)
    side = {
        "log2_width_rows": np.full(rows, log2_width),
        "log2_width_columns": np.zeros(columns),
        "log2_sigma_rows": np.log2(by_row) / 2,
        "log2_sigma_columns": np.log2(by_column) / 2,
        "mean_rows": np.zeros(rows),
        "mean_columns": np.zeros(columns),
    }
    return {name: array.astype(np.float32) for name, array in side.items()}


def grid_defaults(values: NDArray[np.float32], config: HierarchicalConfig) -> Side:
    """Side information from the grid alone: one bin width, a Gaussian a channel, no contexts."""
    num_channels = values.shape[3]
    log2_width = _default_log2_width(values, config.bits)
    bins = np.rint(values.astype(np.float64).reshape(-1, num_channels) * 2.0**-log2_width)
    if config.context and config.context_shared:
        bins = bins.reshape(-1, 1)
    mean = bins.mean(axis=0)
    if config.context:
        # As far as a bias reaches; the spread is that around the mean as it will be.
        limit = BIAS_LIMIT >> HIDDEN_BITS
        mean = np.clip(np.rint(mean), -limit, limit)
    log2_sigma = np.log2(np.square(bins - mean).mean(axis=0) + 4.0**_MIN_LOG2_SPREAD) / 2
    shapes = grid_side_shapes(values.shape, config)
    side = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    side["log2_width"][:] = log2_width
    if not config.context:
        side["log2_sigma"][:], side["mean"][:] = log2_sigma, mean
        return side
    last = side[f"context_bias_{len(config.context_kernels) - 1}"]
    last[:, 0], last[:, 1] = mean, log2_sigma
    return side


def layer_phi(side: Side) -> tuple[AxisPair, AxisPair, AxisPair]:
    """Steps, sigmas and means of a layer on their lattices."""
    log2_width, sigma, mean = (
        AxisPair.of(
            to_lattice(side[f"{kind}_rows"], per_unit, limit),
            to_lattice(side[f"{kind}_columns"], per_unit, limit),
            limit,
        )
        for kind, per_unit, limit in zip(
            LAYER_KINDS,
            (PER_OCTAVE, PER_OCTAVE, PER_BIN),
            (LOG_LIMIT, LOG_LIMIT, MEAN_LIMIT),
            strict=True,
        )
    )
    return log2_width, sigma, mean


def restored_layer(tensor: LayerTensor) -> Side:
    """Side information that rounds to the integers of a layer."""
    pairs = (tensor.log2_width, tensor.sigma, tensor.mean)
    units = (PER_OCTAVE, PER_OCTAVE, PER_BIN)
    side = {}
    for kind, pair, per_unit in zip(LAYER_KINDS, pairs, units, strict=True):
        side[f"{kind}_rows"] = (pair.rows / per_unit).astype(np.float32)
        side[f"{kind}_columns"] = (pair.columns / per_unit).astype(np.float32)
    return side


def restored_grid(tensor: GridTensor) -> Side:
    """Side information that rounds to the integers of a grid."""
    side = {"log2_width": tensor.log2_width / PER_OCTAVE}
    network = tensor.network
    if network is None:
        assert tensor.sigma is not None
        assert tensor.mean is not None
        side |= {"log2_sigma": tensor.sigma / PER_OCTAVE, "mean": tensor.mean / PER_BIN}
    else:
        for i, exponent in enumerate(network.exponents):
            side[f"context_weight_{i}"] = np.ldexp(network.weights[i].astype(float), -exponent)
            side[f"context_bias_{i}"] = network.biases[i] / 2**HIDDEN_BITS
    return {name: array.astype(np.float32) for name, array in side.items()}


def grid_width(
    side: Side, shape: Sequence[int], config: HierarchicalConfig
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Steps of a grid on their lattice, and as bin widths that broadcast against the grid."""
    log2_width = np.clip(
        to_lattice(side["log2_width"], PER_OCTAVE, LOG_LIMIT), MIN_LOG2_WIDTH, MAX_LOG2_WIDTH
    )
    return log2_width, grid_width_values(log2_width, shape, config.block)


def grid_network(side: Side, config: HierarchicalConfig) -> ContextNetwork:
    """Context model of a grid in integers."""
    layers = range(len(config.context_kernels))
    return ContextNetwork.of(
        config.context_kernels,
        [side[f"context_weight_{i}"] for i in layers],
        [side[f"context_bias_{i}"] for i in layers],
        config.context_weight_bits,
    )
