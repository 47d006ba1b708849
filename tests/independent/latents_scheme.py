"""The scheme latents: sections to tensors, under contexts."""

from typing import Any

import numpy as np

from independent.hierarchy import layers
from independent.schemes import Sections, own
from independent.streams import BitReader, RangeDecoder, check
from independent.tables import cumulative, equal, log2, parametric
from independent.tensors import Spec, Tensor, half

DEFAULTS = {"anchor_every": 16}
M = (1024, 1117, 1218, 1328, 1448, 1579, 1722, 1878)
NUMBERS = {
    "weight": (-32, 16),
    "offset": (-32, 16),
    "slope": (0, 255),
    "level": (-128, 127),
    "group": (-64, 63),
    "depth": (-64, 63),
}
OFTEN = {"offset": -11, "slope": 60, "group": [0, 0, 0, 0], "depth": 0}
USUAL: dict[str, dict[str, Any]] = {
    "motion": {"weight": [-3, -7, -8, -8, -4, -7, -7], "level": [0, -16, -16]},
    "base": {"weight": [-3, -5, -7, -7, -7, -9, -9], "level": [20, -12, -12]},
    "detail": {
        "weight": [-2, -6, -9, -9, -6, -9, -9],
        "level": [0, 0, 0],
        "group": [3, 2, -3, -4],
    },
}  # fmt: skip
GROUPS = ((0, 0), (1, 1), (0, 1), (1, 0))


def width(i: int) -> float:
    return M[i % 8] / 1024 * 2.0 ** (i // 8)


def units(i: int) -> int:
    return int(width(i) * 65536)


def weight(i: int) -> int:
    octave, root = i // 2, 92682 if i % 2 else 65536
    return root << octave if octave >= 0 else root >> -octave


def logarithm(v: int) -> int:
    n = v.bit_length()
    first = v << 8 - n if n <= 8 else v >> n - 8
    return 256 * (n - 1) + (log2(first) - 7 * 65536 + 128 >> 8)


class Latents:
    """One segment."""

    def __init__(self, specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> None:
        self.specs = specs
        self.layers = layers(specs[0].shape[0], (DEFAULTS | settings)["anchor_every"])
        entp, motn, symb = own(sections, "ENTP", "MOTN", "SYMB")
        self.entp = BitReader(entp)
        self.motn, self.symb = RangeDecoder(motn), RangeDecoder(symb)

        def rank(spec: Spec) -> tuple[int, int]:
            kind, _, k = spec.name.partition(".")
            return ("motion", "base", "detail").index(kind), -int(k or 0)

        self.order = sorted(specs, key=rank)
        self.names = {spec.name for spec in specs}
        self.symbols = {spec.name: np.zeros(spec.shape, np.int64) for spec in specs}

    def classes(self, spec: Spec) -> list[int]:
        if spec.name == "base":
            return [min(c, 1) for c in range(spec.shape[1])]
        if spec.name.startswith("motion"):
            return [0, 0, 0, 0, 1]
        return [2 * (c >= 3) + (c % 3 == 2) for c in range(spec.shape[1])]

    def crosses(self, spec: Spec, c: int) -> list[int]:
        if spec.name == "base":
            return [c - 1] if c else []
        if spec.name.startswith("motion"):
            return [[], [0], [0], [1, 2], []][c]
        return list(range(c % 3)) if c < 3 else [c - 3]

    def read_numbers(self) -> None:
        take = self.entp.take
        kinds = sorted({len(refs[0]) for _, _, refs in self.layers})
        num_depths = min(max(depth for depth, _, _ in self.layers) + 1, 8)
        self.shapes = {kind: take(3) for kind in kinds}
        depths = [take(8) - 48 for _ in range(num_depths)]
        of_frame = {t: depths[min(d, 7)] for d, frames, _ in self.layers for t in frames}
        self.widths = {}
        for spec in self.order:
            if spec.name.startswith("motion"):
                index = (-16, -8, 0)[min(int(spec.name[7:]), 2)]
                self.widths[spec.name] = np.full((1, 1), index)
                continue
            bands = 1 if spec.name == "base" else 3
            kinds_of_plane = [min(c // bands, 1) for c in range(spec.shape[1])]
            offsets = [take(7) - 64 for _ in range(max(kinds_of_plane) + 1)]
            table = [[of_frame[t] + offsets[p] for p in kinds_of_plane] for t in sorted(of_frame)]
            self.widths[spec.name] = np.clip(table, -48, 80)
        self.models = {}
        for spec in self.order:
            count = max(self.classes(spec)) + 1
            shapes = {
                "weight": (3, count, 7), "offset": (3, count), "slope": (3, count),
                "level": (3, spec.shape[1]), "group": (3, 4), "depth": (8,),
            }  # fmt: skip
            model = {}
            usual = USUAL[spec.name.partition(".")[0]]
            for name, (low, high) in NUMBERS.items():
                start = np.array(usual.get(name, OFTEN.get(name)))
                if name == "level":
                    start = start[:, None]
                array, order = np.broadcast_to(start, shapes[name]).copy(), take(2)
                used = [k for k in kinds if k or not spec.name.startswith("motion")]
                for i in range(num_depths) if name == "depth" else used:
                    for place in np.ndindex(array[i].shape):
                        value = int(array[(i, *place)]) + self.entp.signed(order)
                        check(low <= value <= high, "a number out of range")
                        array[(i, *place)] = value
                model[name] = array
            self.models[spec.name] = model
        self.entp.end()

    def read(self) -> list[Tensor]:
        self.read_numbers()
        self.residual: dict[tuple[str, int], np.ndarray] = {}
        self.texture: dict[tuple[str, int], np.ndarray] = {}
        for depth, frames, references in self.layers:
            for spec in self.order:
                is_motion = spec.name.startswith("motion")
                kind = len(references[0])
                count = (0, 2, 5)[kind] if is_motion else spec.shape[1]
                around = [self.around(spec, t, r) for t, r in zip(frames, references, strict=True)]
                for c in range(count):
                    for group in range(4):
                        self.read_group(spec, depth, frames, kind, c, group, around)
                if not is_motion:
                    for t, refs in zip(frames, references, strict=True):
                        self.remember(spec, t, refs)
        found = []
        for spec in self.specs:
            widths = [[width(i) for i in row] for row in self.widths[spec.name].tolist()]
            scale = np.array(widths, np.float16)[:, :, None, None]
            symbols = self.symbols[spec.name].astype(np.int32)
            values = half(symbols.astype(np.float32) * scale.astype(np.float32))
            found.append(Tensor([symbols, scale], values))
        return found

    def mean(self, arrays: list[np.ndarray]) -> np.ndarray:
        return arrays[0] if len(arrays) == 1 else (arrays[0] + arrays[1]) // 2

    def remember(self, spec: Spec, t: int, references: tuple[int, ...]) -> None:
        sizes = np.array([units(i) for i in self.widths[spec.name][t]])[:, None, None]
        own = np.abs(self.symbols[spec.name][t]) * sizes
        self.residual[spec.name, t] = own
        if references:
            own = np.maximum(own, self.mean([self.texture[spec.name, r] for r in references]))
        self.texture[spec.name, t] = own

    def around(self, spec: Spec, t: int, references: tuple[int, ...]) -> list[np.ndarray] | None:
        """Features 5 and 6."""
        if spec.name.startswith("motion") or not references:
            return None
        sizes = np.array([units(i) for i in self.widths[spec.name][t]])[:, None, None]
        return [
            np.minimum(boxed(self.mean([seen[spec.name, r] for r in references])) // sizes, 2**23)
            for seen in (self.texture, self.residual)
        ]

    def read_group(
        self, spec: Spec, depth: int, frames: list[int], kind: int, c: int, group: int, around: list
    ) -> None:
        model, stream = self.models[spec.name], self.symb
        if spec.name.startswith("motion"):
            stream = self.motn
        head, _, k = spec.name.partition(".")
        parent = f"{head}.{int(k or 0) + 1}"
        top, left = GROUPS[group]
        by_spread: dict[int, list[tuple[int, int, int]]] = {}
        own_class = self.classes(spec)[c]
        for n, t in enumerate(frames):
            known = np.pad(np.abs(self.symbols[spec.name][t]), [(0, 0), (1, 1), (1, 1)])
            if parent in self.names:
                above = np.abs(self.symbols[parent][t, c])
                above_means = boxed(above)
            crosses = self.crosses(spec, c)
            means = [boxed(np.abs(self.symbols[spec.name][t, one])) for one in crosses]
            for y in range(top, spec.shape[2], 2):
                for x in range(left, spec.shape[3], 2):
                    f, near = [0] * 7, known[c, y : y + 3, x : x + 3]
                    if group >= 2:
                        f[0] = 64 * int(near[0, 1] + near[2, 1] + near[1, 0] + near[1, 2])
                    if group % 2:
                        f[1] = 64 * int(near[0, 0] + near[0, 2] + near[2, 0] + near[2, 2])
                    if parent in self.names:
                        f[2] = 256 * int(above[y // 2, x // 2])
                        f[3] = int(above_means[y // 2, x // 2])
                    if crosses:
                        f[4] = sum(int(m[y, x]) for m in means) // len(crosses)
                    if around[n] is not None:
                        f[5], f[6] = (int(a[c, y, x]) for a in around[n])
                    total = weight(int(model["offset"][kind, own_class])) << 8
                    for w, feature in zip(model["weight"][kind, own_class], f, strict=True):
                        total += weight(int(w)) * feature
                    log = logarithm(max(total >> 16, 1)) - 2048
                    add = model["level"][kind, c] + model["group"][kind, group]
                    add = int(add + model["depth"][min(depth, 7)])
                    slope = int(model["slope"][kind, own_class])
                    spread = (32 * add + (slope * log >> 6) + 16 >> 5) + 32
                    by_spread.setdefault(min(max(spread, 0), 127), []).append((t, y, x))
        for spread in sorted(by_spread):
            table = cumulative(list(parametric(8, self.shapes[kind], spread)))
            places = by_spread[spread]
            values = [s - 128 for s in stream.symbols(table, len(places))]
            for place, value in zip(places, values, strict=True):
                if value == -128:
                    high, low = stream.symbols(equal(256), 2)
                    value = (high << 8 | low) - 32768
                t, y, x = place
                self.symbols[spec.name][t, c, y, x] = value


def boxed(values: np.ndarray) -> np.ndarray:
    """Means of 3x3 in 1/256, zeros outside."""
    height, width_ = values.shape[-2:]
    padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(1, 1), (1, 1)])
    total = sum(padded[..., y : y + height, x : x + width_] for y in range(3) for x in range(3))
    return 256 * total // 9


def latents(specs: list[Spec], sections: Sections, settings: dict[str, Any]) -> list[Tensor]:
    return Latents(specs, sections, settings).read()
