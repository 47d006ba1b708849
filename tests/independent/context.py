"""The context model of feature grids in integers, and its wavefronts ("hierarchical")."""

from itertools import product
from typing import Any

import numpy as np

from independent.gaussian import decode_residuals
from independent.streams import RangeDecoder


def rshift(x: Any, n: int) -> Any:
    """floor(x / 2^n + 1/2)."""
    return x << -n if n <= 0 else x + (1 << n - 1) >> n


def causal_taps(kernel: int, with_itself: bool) -> list[np.ndarray]:
    """Offsets (t, h, w) inside a cubic kernel that are earlier in raster order."""
    r = kernel // 2
    offsets = [np.array(o) for o in product(range(-r, r + 1), repeat=3)]
    return offsets[: len(offsets) // 2 + with_itself]


class Network:
    """The networks of a grid's channels: integers, and what they predict."""

    def __init__(self, channels: int, settings: dict[str, Any], side: Any) -> None:
        kernels = settings["context_kernels"]
        groups = 1 if settings["context_shared"] else channels
        self.radius = max(kernels) // 2
        self.taps = [causal_taps(kernel, i > 0) for i, kernel in enumerate(kernels)]
        self.inputs = [1] + [settings["context_width"]] * (len(kernels) - 1)
        outputs = [*self.inputs[1:], 2]
        self.exponents = [side.psi.take(5) - 8 for _ in kernels]
        self.weights, self.biases = [], []
        for i in range(len(kernels)):
            shape = (groups, outputs[i], self.inputs[i], len(self.taps[i]))
            self.weights.append(side.array(side.entp, *shape))
            self.biases.append(side.array(side.entp, groups, outputs[i]))

    def sums(self, i: int, known: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Layer i at one position of all blocks: (C, blocks, out) from (C, blocks, in, t, h, w)."""
        shift = 4 - self.exponents[i] - (4 if i else 0)
        acc = rshift(self.biases[i].astype(np.int64), shift)[:, None]
        for tap, offset in enumerate(self.taps[i]):
            x = known[(..., *(position + offset))]
            acc = acc + (self.weights[i][:, None, :, :, tap] * x[:, :, None, :]).sum(-1)
        return acc

    def arrays(self) -> list[np.ndarray]:
        return [np.array(self.exponents, np.int32), *self.weights, *self.biases]


class ContextGrid:
    """A grid (T, h, w, C) that is being decoded, block by block side by side."""

    def __init__(self, shape: tuple[int, ...], block: list[int], network: Network) -> None:
        self.shape, self.block, self.network = shape, block, network
        self.symbols = np.zeros(shape, np.int32)
        counts = [-(-n // b) for n, b in zip(shape, block, strict=False)]
        self.origins = [np.array(b) * block for b in product(*map(range, counts))]

        self.rim = network.radius
        sides = [b + 2 * self.rim for b in block]  # a rim of zeros: what lies outside
        self.known = [
            np.zeros((shape[3], len(self.origins), i, *sides), np.int64) for i in network.inputs
        ]
        waves: dict[int, list[np.ndarray]] = {}
        for t, h, w in product(*map(range, block)):
            number = w + (self.rim + 1) * h + (self.rim + 1) ** 2 * t
            waves.setdefault(number, []).append(np.array([t, h, w]))
        self.waves = [waves[number] for number in sorted(waves)]

    def inside(self, position: np.ndarray) -> np.ndarray:
        """In which blocks a position lies inside the grid."""
        return np.array([np.all(origin + position < self.shape[:3]) for origin in self.origins])

    def predict(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sigma index of one position, each (C, blocks)."""
        place = position + self.rim
        last = len(self.known) - 1
        for i, known in enumerate(self.known):
            acc = self.network.sums(i, known, place)
            shift = self.network.exponents[i] + (4 if i else 0)
            if i < last:
                x = np.clip(rshift(acc, shift - 4), 0, 127)
                self.known[i + 1][(..., *place)] = x * self.inside(position)[:, None]
        mean = np.clip(rshift(acc[..., 0], shift), -127, 127)
        return mean, np.clip(rshift(acc[..., 1], shift - 3), -24, 64) + 24

    def learn(self, position: np.ndarray, symbols: np.ndarray) -> None:
        """Symbols of one position, (C, blocks), 0 outside the grid."""
        self.known[0][(..., 0, *(position + self.rim))] = np.clip(symbols, -127, 127)
        for b in np.flatnonzero(self.inside(position)):
            self.symbols[tuple(self.origins[b] + position)] = symbols[:, b]


def decode_grids(stream: RangeDecoder, grids: list[ContextGrid]) -> None:
    """All grids advance together; batch n is the n-th wavefront of each."""
    for n in range(max((len(grid.waves) for grid in grids), default=0)):
        active = [grid for grid in grids if n < len(grid.waves)]
        masks, means, indices = [], [], []
        for grid in active:
            both = [grid.predict(position) for position in grid.waves[n]]
            mean, index = (np.stack(parts, axis=1) for parts in zip(*both, strict=True))
            mask = np.stack([grid.inside(position) for position in grid.waves[n]])
            masks.append(np.broadcast_to(mask, mean.shape))  # (C, positions, blocks)
            means.append(mean[masks[-1]])
            indices.append(index[masks[-1]])
        symbols = np.concatenate(means) + decode_residuals(stream, np.concatenate(indices))
        parts = np.split(symbols, np.cumsum([len(mean) for mean in means])[:-1])
        for grid, mask, part in zip(active, masks, parts, strict=True):
            found = np.zeros(mask.shape, np.int64)
            found[mask] = part
            for i, position in enumerate(grid.waves[n]):
                grid.learn(position, found[:, i])
