"""Symbols of all grids and of all layers, coded: one walk for encoder, decoder and counter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.context import Blocks
from nvcodec.coding.hierarchical.gaussian import GaussianCoder
from nvcodec.coding.hierarchical.gaussian_runs import code_grids, code_runs
from nvcodec.coding.hierarchical.tensors import GridTensor, LayerTensor
from nvcodec.coding.parameters import CodedTensor

TensorT = TypeVar("TensorT", GridTensor, LayerTensor)


def split(tensors: Sequence[CodedTensor]) -> tuple[list[GridTensor], list[LayerTensor]]:
    """Grids and layers, each in the order of all."""
    grids = [tensor for tensor in tensors if isinstance(tensor, GridTensor)]
    layers = [tensor for tensor in tensors if isinstance(tensor, LayerTensor)]
    assert len(grids) + len(layers) == len(tensors), "tensors of another scheme"
    return grids, layers


def with_symbols(tensors: list[TensorT], symbols: Sequence[NDArray[np.int32]]) -> list[TensorT]:
    """The tensors with other symbols."""
    return [replace(t, symbols=s) for t, s in zip(tensors, symbols, strict=True)]


def code_grid_symbols(
    coder: GaussianCoder, grids: Sequence[GridTensor], is_known: bool = True
) -> list[NDArray[np.int32]]:
    """Code the symbols of all grids; decode them unless they are known."""
    networks = [grid.network for grid in grids if grid.network is not None]
    if not networks:
        return _code_static(coder, grids, is_known)
    blocks = [Blocks(grid.spec.shape, grid.block) for grid in grids]
    return code_grids(coder, blocks, networks, [g.symbols for g in grids] if is_known else None)


def code_layer_symbols(
    coder: GaussianCoder, layers: Sequence[LayerTensor], is_known: bool = True
) -> list[NDArray[np.int32]]:
    """Code the symbols of all layers; decode them unless they are known."""
    return _code_static(coder, layers, is_known)


def _code_static(
    coder: GaussianCoder, tensors: Sequence[GridTensor | LayerTensor], is_known: bool
) -> list[NDArray[np.int32]]:
    """Code tensors whose tables depend on phi alone, one after the other."""
    if not tensors:
        return []
    index = np.concatenate([tensor.sigma_index().ravel() for tensor in tensors])
    mean = np.concatenate([tensor.mean_symbols().ravel() for tensor in tensors])
    known = np.concatenate([tensor.symbols.ravel() for tensor in tensors]) if is_known else None
    symbols = code_runs(coder, index, mean, known)
    ends = np.cumsum([tensor.spec.num_values for tensor in tensors])
    parts = np.split(symbols, ends[:-1])
    return [part.reshape(t.spec.shape) for part, t in zip(parts, tensors, strict=True)]
