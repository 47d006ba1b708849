"""Phi and psi of the hierarchical scheme to sections QSCL and ENTP, and back.

The order is the one that `hierarchical` states; writer and reader mirror each other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.bits import BitReader, BitWriter
from nvcodec.coding.hierarchical.config import HierarchicalConfig
from nvcodec.coding.hierarchical.context import (
    BIAS_LIMIT,
    MAX_EXPONENT,
    MIN_EXPONENT,
    VALUE_LIMIT,
    ContextNetwork,
)
from nvcodec.coding.hierarchical.lattice import (
    LOG_LIMIT,
    MAX_LOG2_WIDTH,
    MEAN_LIMIT,
    MIN_LOG2_WIDTH,
    axis_lengths,
)
from nvcodec.coding.hierarchical.side import grid_width_shape, network_shapes
from nvcodec.coding.hierarchical.side_arrays import PhiDecoder, PhiEncoder
from nvcodec.coding.hierarchical.tensors import AxisPair, GridTensor, LayerTensor
from nvcodec.coding.parameters import ParameterSpec
from nvcodec.cursors import Cursor, pack_varint
from nvcodec.errors import MalformedError

EXPONENT_BITS = 5
_NO_SYMBOLS = np.empty(0, np.int32)


class PhiWriter:
    """Writes the side information of a whole parameter set."""

    def __init__(
        self,
        config: HierarchicalConfig,
        grids: Sequence[GridTensor],
        layers: Sequence[LayerTensor],
    ) -> None:
        self._psi = BitWriter()
        self._widths = PhiEncoder(self._psi, config.phi_coded)
        self._others = PhiEncoder(self._psi, config.phi_coded)
        for grid in grids:
            self._add_grid(grid)
        self._add_layers(layers)

    def _add_grid(self, grid: GridTensor) -> None:
        self._widths.add(grid.log2_width)
        if grid.network is not None:
            self._add_network(grid.network)
            return
        assert grid.sigma is not None
        assert grid.mean is not None
        self._others.add(grid.sigma)
        self._others.add(grid.mean)

    def _add_network(self, network: ContextNetwork) -> None:
        for exponent in network.exponents:
            self._psi.write(exponent - MIN_EXPONENT, EXPONENT_BITS)
        for weights, biases in zip(network.weights, network.biases, strict=True):
            self._others.add(weights)
            self._others.add(biases)

    def _add_layers(self, layers: Sequence[LayerTensor]) -> None:
        scalars = []
        for layer in layers:
            width, sigma, mean = layer.log2_width, layer.sigma, layer.mean
            if width.is_scalar:
                scalars.append((width.rows[0], sigma.rows[0] - width.rows[0], mean.rows[0]))
                continue
            for stream, pair in (
                (self._widths, width),
                (self._others, sigma),
                (self._others, mean),
            ):
                for vector in (pair.rows, pair.columns):
                    if len(vector) > 1:
                        stream.add(vector)
        columns = np.array(scalars, np.int32).reshape(-1, 3)
        self._widths.add(columns[:, 0])
        self._others.add(columns[:, 1])
        self._others.add(columns[:, 2])

    @property
    def bits(self) -> float:
        """Ideal code length of everything, psi included."""
        return self._psi.num_bits + self._widths.bits + self._others.bits

    def finish(self) -> tuple[bytes, bytes]:
        """Sections QSCL and ENTP."""
        psi, others = self._psi.getvalue(), self._others.finish()
        entp = pack_varint(len(psi)) + psi + others if psi or others else b""
        return self._widths.finish(), entp


class PhiReader:
    """Reads the side information back; tensors come without symbols."""

    def __init__(self, config: HierarchicalConfig, qscl: bytes, entp: bytes) -> None:
        self._config = config
        reader = Cursor(entp, "section ENTP")
        psi = reader.take(reader.varint()) if entp else b""
        self._psi = BitReader(psi, "section ENTP, psi")
        self._widths = PhiDecoder(self._psi, qscl, "section QSCL", config.phi_coded)
        self._others = PhiDecoder(self._psi, reader.rest(), "section ENTP", config.phi_coded)

    def grid(self, spec: ParameterSpec) -> GridTensor:
        """The next grid."""
        shape = grid_width_shape(spec.shape, self._config)
        block, num_channels = self._config.block, spec.shape[3]
        width = self._widths.take(int(np.prod(shape)), MIN_LOG2_WIDTH, MAX_LOG2_WIDTH).reshape(
            shape
        )
        if self._config.context:
            network = self._network(num_channels)
            return GridTensor(spec, _NO_SYMBOLS, block, width, network)
        sigma = self._others.take(num_channels, -LOG_LIMIT, LOG_LIMIT)
        mean = self._others.take(num_channels, -MEAN_LIMIT, MEAN_LIMIT)
        return GridTensor(spec, _NO_SYMBOLS, block, width, None, sigma, mean)

    def _network(self, num_channels: int) -> ContextNetwork:
        shapes = network_shapes(num_channels, self._config)
        exponents = [self._psi.read(EXPONENT_BITS) + MIN_EXPONENT for _ in shapes]
        if max(exponents) > MAX_EXPONENT:
            raise MalformedError(
                f"section ENTP: weight exponent {max(exponents)}, at most {MAX_EXPONENT} allowed"
            )
        weights, biases = [], []
        for shape in shapes:
            weights.append(self._take(shape, VALUE_LIMIT))
            biases.append(self._take(shape[:2], BIAS_LIMIT))
        return ContextNetwork(
            self._config.context_kernels, tuple(exponents), tuple(weights), tuple(biases)
        )

    def _take(self, shape: tuple[int, ...], limit: int) -> NDArray[np.int32]:
        return self._others.take(int(np.prod(shape)), -limit, limit).reshape(shape)

    def layers(self, specs: Sequence[ParameterSpec]) -> list[LayerTensor]:
        """All layers."""
        pairs = {}
        scalars = []
        for i, spec in enumerate(specs):
            lengths = axis_lengths(spec.shape, self._config.share, self._config.per_tensor)
            if max(lengths) == 1:
                scalars.append(i)
                continue
            pairs[i] = [
                self._vectors(stream, lengths, limit)
                for stream, limit in (
                    (self._widths, LOG_LIMIT),
                    (self._others, LOG_LIMIT),
                    (self._others, MEAN_LIMIT),
                )
            ]
        count = len(scalars)
        width = self._widths.take(count, -LOG_LIMIT, LOG_LIMIT)
        sigma = width + self._others.take(count, -2 * LOG_LIMIT, 2 * LOG_LIMIT)
        mean = self._others.take(count, -MEAN_LIMIT, MEAN_LIMIT)
        if count and np.abs(sigma).max() > LOG_LIMIT:
            raise MalformedError(
                f"section ENTP: log2 of sigma {np.abs(sigma).max()}, at most {LOG_LIMIT} allowed"
            )
        none = np.zeros(1, np.int32)
        for i, *values in zip(scalars, width, sigma, mean, strict=True):
            pairs[i] = [AxisPair(np.array([value], np.int32), none) for value in values]
        return [LayerTensor(spec, _NO_SYMBOLS, *pairs[i]) for i, spec in enumerate(specs)]

    @staticmethod
    def _vectors(stream: PhiDecoder, lengths: tuple[int, int], limit: int) -> AxisPair:
        rows, columns = (
            stream.take(length, -limit, limit) if length > 1 else np.zeros(1, np.int32)
            for length in lengths
        )
        return AxisPair(rows, columns)

    def finish(self) -> None:
        """Check that nothing is left over."""
        self._psi.finish()
        self._widths.finish()
        self._others.finish()
