"""Grids by a context model, layers by dual-axis Gaussians, side information coded too: NVRC.

    grids, 4 axes  --quantize--> symbols + phi --pack--> GRID  symbols under the context model
    other tensors  --quantize--> symbols + phi --pack--> LAYR  symbols under dual-axis Gaussians
                                                         QSCL  phi: log2 of all bin widths
                                                         ENTP  psi, then phi: all the rest

GRID, LAYR and QSCL are range coder streams; ENTP is a varint, so many bytes of psi (a bit stream:
what describes the tables of phi, those of QSCL too), and a range coder stream. All run over the
tensors in the order of the specs; a section without content is left out. Phi, array by array, all
grids first:

    for each grid      QSCL its widths; with a context model: ENTP psi exponent + 8 of each layer,
                       5 bits each, then for each layer an array of weights and one of biases;
                       else ENTP sigmas, means
    for each layer     for widths (QSCL), then sigmas, then means (ENTP): the rows' vector, the
                       columns', as far as they have more than one entry
    of all layers      that have no such vectors, together, an array each of their widths (QSCL),
                       their sigma - width, their means (ENTP)

A grid is a tensor of role "grid" with four axes, none empty; every other tensor is a layer. Coding
of one array: `side_arrays`. Order of the symbols: `gaussian_runs`. Names, shapes and units of the
real side information that a stage may learn: `Hierarchical.side_shapes`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from nvcodec.coding.hierarchical.config import HierarchicalConfig
from nvcodec.coding.hierarchical.context import Blocks, Predictor
from nvcodec.coding.hierarchical.gaussian import (
    GaussianCounter,
    GaussianDecoder,
    GaussianEncoder,
)
from nvcodec.coding.hierarchical.lattice import (
    LOG_LIMIT,
    MEAN_LIMIT,
    PER_BIN,
    PER_OCTAVE,
    matrix_shape,
    quantized,
    to_lattice,
    width_values,
)
from nvcodec.coding.hierarchical.side import (
    Shapes,
    Side,
    checked_side,
    grid_defaults,
    grid_network,
    grid_side_shapes,
    grid_width,
    layer_defaults,
    layer_phi,
    layer_side_shapes,
    network_shapes,
    restored_grid,
    restored_layer,
)
from nvcodec.coding.hierarchical.side_coding import PhiReader, PhiWriter
from nvcodec.coding.hierarchical.symbol_coding import (
    code_grid_symbols,
    code_layer_symbols,
    split,
    with_symbols,
)
from nvcodec.coding.hierarchical.tensors import GridTensor, LayerTensor
from nvcodec.coding.parameters import (
    CodedTensor,
    Parameter,
    ParameterSet,
    ParameterSpec,
    Role,
)
from nvcodec.coding.scheme import Scheme, kept_values
from nvcodec.errors import LimitError

MAX_CONTEXT_WEIGHTS = 1 << 24


class Hierarchical(Scheme[HierarchicalConfig]):
    """Learned quantization and entropy parameters, themselves coded.

    Source: NVRC, sections 3.1 to 3.3. Differs: biases are coded like weights (NVRC: raw float32);
    everything that steers probabilities is an integer; see also `context`, `lattice` and
    `side_arrays`. A pruning mask lives on as zero symbols.
    """

    Config = HierarchicalConfig
    tags: ClassVar[Mapping[str, str]] = {
        "GRID": "coded symbols of feature grids",
        "LAYR": "coded symbols of layers",
        "QSCL": "quant scales",
        "ENTP": "entropy parameters",
    }

    def side_shapes(self, spec: ParameterSpec) -> Shapes:
        """Names and shapes of the side information of a tensor, as in `Parameter.side`.

        Layers, viewed as (rows, columns) = (first axis, the others): `log2_width_*` and
        `log2_sigma_*` are log2 in units of the weights, `mean_*` in bins, each a sum of `_rows` and
        `_columns`; a rows' vector has (rows,) entries where columns >= share, otherwise (1,), and
        the other way round.

        Grids (T, h, w, C): `log2_width` (blocks along t, h, w, C) or (1, 1, 1, C), in units of the
        grid; `context_weight_i` (G, out, in, taps) and `context_bias_i` (G, out) for layers
        i = 0, 1..., G = C or 1; without a context model `log2_sigma` and `mean` (C,), in bins.
        """
        if _is_grid(spec):
            return grid_side_shapes(spec.shape, self.config)
        return layer_side_shapes(spec.shape, self.config)

    def default_side(self, parameter: Parameter) -> Side:
        """Side information from the values alone; also a start for training."""
        values = kept_values(parameter)
        if _is_grid(parameter.spec):
            return grid_defaults(values, self.config)
        return layer_defaults(values, self.config)

    @property
    def bits_per_value(self) -> float:
        """nvrc-mini and larger, at the lambdas that presets name."""
        return 3.0

    def quantize(self, parameters: Sequence[Parameter]) -> ParameterSet:
        """Phi and symbols on their lattices; from the values alone where nothing was learned.

        Raises:
            ValueError: values or side information that are not finite or of another shape.
            LimitError: context models beyond the limits.
        """
        self._check_size([parameter.spec for parameter in parameters])
        return ParameterSet([self._quantize(parameter) for parameter in parameters])

    def _quantize(self, parameter: Parameter) -> GridTensor | LayerTensor:
        spec, values = parameter.spec, kept_values(parameter)
        if parameter.side is None:
            side = self.default_side(parameter)
        else:
            side = checked_side(parameter, self.side_shapes(spec))
        if not _is_grid(spec):
            log2_width, sigma, mean = layer_phi(side)
            matrix = values.reshape(matrix_shape(spec.shape))
            symbols = quantized(matrix, width_values(log2_width.matrix())).reshape(spec.shape)
            return LayerTensor(spec, symbols, log2_width, sigma, mean)
        grid_widths, widths = grid_width(side, spec.shape, self.config)
        symbols = quantized(values, widths)
        if self.config.context:
            network = grid_network(side, self.config)
            return GridTensor(spec, symbols, self.config.block, grid_widths, network)
        return GridTensor(
            spec, symbols, self.config.block, grid_widths, None,
            to_lattice(side["log2_sigma"], PER_OCTAVE, LOG_LIMIT),
            to_lattice(side["mean"], PER_BIN, MEAN_LIMIT),
        )  # fmt: skip

    def restored_side(self, tensor: CodedTensor) -> Side:
        """Widths, spreads and means; of a grid with a context model the numbers of that."""
        assert isinstance(tensor, GridTensor | LayerTensor), "not quantized by this scheme"
        return restored_grid(tensor) if isinstance(tensor, GridTensor) else restored_layer(tensor)

    def pack(self, parameters: ParameterSet) -> dict[str, bytes]:
        """Sections that are not empty."""
        grids, layers = split(parameters.tensors)
        phi = PhiWriter(self.config, grids, layers)
        grid_coder, layer_coder = GaussianEncoder(), GaussianEncoder()
        code_grid_symbols(grid_coder, grids)
        code_layer_symbols(layer_coder, layers)
        data = (grid_coder.finish(), layer_coder.finish(), *phi.finish())
        return {tag: section for tag, section in zip(self.tags, data, strict=True) if section}

    def group_bits(self, parameters: ParameterSet) -> dict[str, float]:
        """Ideal code length of "grids", "layers" and "phi" (psi included), in bits."""
        grids, layers = split(parameters.tensors)
        grid_coder, layer_coder = GaussianCounter(), GaussianCounter()
        code_grid_symbols(grid_coder, grids)
        code_layer_symbols(layer_coder, layers)
        phi = PhiWriter(self.config, grids, layers)
        return {"grids": grid_coder.bits, "layers": layer_coder.bits, "phi": phi.bits}

    def unpack(self, sections: Mapping[str, bytes], specs: Sequence[ParameterSpec]) -> ParameterSet:
        """Inverse of `pack`."""
        self._check_size(specs)
        grid_data, layer_data, qscl, entp = self.take_sections(sections)
        phi = PhiReader(self.config, qscl, entp)
        grids = [phi.grid(spec) for spec in specs if _is_grid(spec)]
        layers = phi.layers([spec for spec in specs if not _is_grid(spec)])
        phi.finish()
        grid_coder = GaussianDecoder(grid_data, "section GRID")
        grids = with_symbols(grids, code_grid_symbols(grid_coder, grids, is_known=False))
        grid_coder.finish()
        layer_coder = GaussianDecoder(layer_data, "section LAYR")
        layers = with_symbols(layers, code_layer_symbols(layer_coder, layers, is_known=False))
        layer_coder.finish()
        next_grid, next_layer = iter(grids), iter(layers)
        return ParameterSet(
            [next(next_grid) if _is_grid(spec) else next(next_layer) for spec in specs]
        )

    def memory_bytes(self, specs: Sequence[ParameterSpec]) -> int:
        """Values, and what context models gather."""
        num_bytes = super().memory_bytes(specs)
        if self.config.context:
            kernels, width = self.config.context_kernels, self.config.context_width
            for spec in filter(_is_grid, specs):
                blocks = Blocks(spec.shape, self.config.block)
                num_bytes += Predictor.num_bytes(kernels, width, blocks)
        return num_bytes

    def macs(self, specs: Sequence[ParameterSpec]) -> int:
        """Of context models: all their weights at every position of a grid."""
        if not self.config.context:
            return 0
        return sum(
            math.prod(spec.shape[:3]) * math.prod(shape)
            for spec in filter(_is_grid, specs)
            for shape in network_shapes(spec.shape[3], self.config)
        )

    def _check_size(self, specs: Sequence[ParameterSpec]) -> None:
        """Refuse context models of absurd size, before anything is allocated."""
        if not self.config.context:
            return
        shapes = [network_shapes(s.shape[3], self.config) for s in specs if _is_grid(s)]
        seen = sum(math.prod(shape) for network in shapes for shape in network)
        if seen > MAX_CONTEXT_WEIGHTS:
            raise LimitError(
                f"context models: {seen:,} weights, at most {MAX_CONTEXT_WEIGHTS:,} allowed"
            )


def _is_grid(spec: ParameterSpec) -> bool:
    return spec.role is Role.GRID and len(spec.shape) == 4 and spec.num_values > 0
