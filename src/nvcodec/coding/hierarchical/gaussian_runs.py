"""Symbols under their Gaussians: grids along wavefronts of the context model, the rest in runs.

One loop serves the encoder, the decoder and the counter of bits; they differ in the `GaussianCoder`
that they hand in, and in whether they know the symbols. So both sides walk in the same order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.coding.hierarchical.context import Blocks, ContextNetwork, Predictor, wavefronts
from nvcodec.coding.hierarchical.gaussian import GaussianCoder
from nvcodec.errors import MalformedError

SYMBOL_LIMIT = (1 << 15) - 1
"""Largest magnitude of a symbol."""
RUN = 1 << 20
"""Symbols coded as one batch where nothing depends on them."""


def _code(
    coder: GaussianCoder,
    index: NDArray[np.uint8],
    mean: NDArray[np.int32],
    symbols: NDArray[np.int32] | None,
) -> NDArray[np.int32]:
    """One batch of symbols, (N,)."""
    if symbols is not None:
        coder.code(index, symbols - mean)
        return symbols
    result: NDArray[np.int32] = coder.code(index) + mean
    if result.size and max(int(result.max()), -int(result.min())) > SYMBOL_LIMIT:
        raise MalformedError(
            f"symbols from {result.min()} to {result.max()}, at most +-{SYMBOL_LIMIT} allowed"
        )
    return result


def code_runs(
    coder: GaussianCoder,
    index: NDArray[np.uint8],
    mean: NDArray[np.int32],
    symbols: NDArray[np.int32] | None = None,
) -> NDArray[np.int32]:
    """Code symbols that do not depend on each other, in batches of 2^20.

    Args:
        coder: what to do with the batches.
        index: sigma indices, (N,).
        mean: means in bins, (N,).
        symbols: (N,), or None to decode them.

    Returns:
        The symbols, (N,).

    Raises:
        MalformedError: damaged bytes, or a symbol out of range.
    """
    result = np.empty(len(index), np.int32) if symbols is None else symbols
    for start in range(0, len(index), RUN):
        run = slice(start, start + RUN)
        known = None if symbols is None else symbols[run]
        batch = _code(coder, index[run], mean[run], known)
        if symbols is None:
            result[run] = batch
    return result


class _Lane:
    """One grid on its way through the wavefronts."""

    def __init__(
        self, blocks: Blocks, network: ContextNetwork, grid: NDArray[np.int32] | None
    ) -> None:
        self.blocks = blocks
        self.steps = wavefronts(blocks.block, network.radius) if blocks.num_blocks else ()
        if grid is None:
            size = (blocks.num_channels, blocks.num_positions, blocks.num_blocks)
            self._symbols = np.zeros(size, np.int32)
        else:
            self._symbols = blocks.split(grid)
        self._predictor = Predictor(network, blocks)
        inside = blocks.inside()
        self._inside = None if inside.all() else inside

    def _select(self, step: int, values: NDArray[Any]) -> NDArray[Any]:
        """(C, positions of the step, blocks) to what lies in the grid, (N,)."""
        if self._inside is None:
            return values.ravel()
        return values[:, self._inside[self.steps[step]]].ravel()

    def predict(self, step: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        mean, index = self._predictor.predict(self.steps[step])
        return self._select(step, mean), self._select(step, index)

    def known(self, step: int) -> NDArray[np.int32]:
        return self._select(step, self._symbols[:, self.steps[step]])

    def put(self, step: int, symbols: NDArray[np.int32]) -> None:
        """Store decoded symbols."""
        positions = self.steps[step]
        if self._inside is None:
            values = symbols.reshape(-1, len(positions), self.blocks.num_blocks)
        else:
            inside = self._inside[positions]
            values = np.zeros((self.blocks.num_channels, *inside.shape), np.int32)
            values[:, inside] = symbols.reshape(len(values), -1)
        self._symbols[:, positions] = values

    def advance(self, step: int) -> None:
        """Show the symbols of a step to the context model."""
        positions = self.steps[step]
        self._predictor.fill(positions, self._symbols[:, positions])

    def grid(self) -> NDArray[np.int32]:
        return self.blocks.join(self._symbols)


def code_grids(
    coder: GaussianCoder,
    blocks: Sequence[Blocks],
    networks: Sequence[ContextNetwork],
    grids: Sequence[NDArray[np.int32]] | None = None,
) -> list[NDArray[np.int32]]:
    """Code grids under their context models, all blocks, channels and grids side by side.

    Batch n holds wavefront n of every grid that has so many: grid by grid, in it by channel, then
    position, then block, each in raster order.

    Args:
        coder: what to do with the batches.
        blocks: how each grid is cut.
        networks: context model of each grid.
        grids: symbols (T, h, w, C), or None to decode them.

    Returns:
        The symbols of each grid, (T, h, w, C).

    Raises:
        MalformedError: damaged bytes, or a symbol out of range.
    """
    lanes = [
        _Lane(cut, network, None if grids is None else grids[i])
        for i, (cut, network) in enumerate(zip(blocks, networks, strict=True))
    ]
    for step in range(max((len(lane.steps) for lane in lanes), default=0)):
        active = [lane for lane in lanes if step < len(lane.steps)]
        predictions = [lane.predict(step) for lane in active]
        mean = np.concatenate([p[0] for p in predictions])
        index = np.concatenate([p[1] for p in predictions])
        if grids is None:
            symbols = _code(coder, index, mean, None)
            ends = np.cumsum([len(p[0]) for p in predictions])
            for lane, part in zip(active, np.split(symbols, ends[:-1]), strict=True):
                lane.put(step, part)
        else:
            _code(coder, index, mean, np.concatenate([lane.known(step) for lane in active]))
        for lane in active:
            lane.advance(step)
    return [lane.grid() for lane in lanes]
