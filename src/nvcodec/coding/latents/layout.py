"""Which tensor is what, and in which order symbols are coded.

    layer after layer of the hierarchy, all frames of a layer at once
        motion.2, motion.1, motion.0      coarse to fine; not in a layer without references
        base
        detail.K, ..., detail.0           coarse to fine
    in each tensor: channel after channel, and in each channel four groups of positions

        0 2 0 2
        3 1 3 1        group of a position by its row and column, modulo 2

Motion towards a second reference, and the blend, are coded only where there is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nvcodec.coding.parameters import ParameterSpec

GROUPS = ((0, 0), (1, 1), (0, 1), (1, 0))
"""(row, column) modulo 2 of each group."""
BANDS = 3
MOTION_CHANNELS = (2, 5)
"""How many channels of motion are coded with one reference, and with two."""


@dataclass(frozen=True)
class Grid:
    """One tensor (T, C, h, w) and how its channels are told apart."""

    spec: ParameterSpec
    classes: Sequence[int]
    """Of each channel: those of a class share weights."""
    crosses: Sequence[Sequence[int]]
    """Of each channel, the earlier ones of which it sees the whole 3x3 neighbourhood."""
    parent: str | None
    """The next coarser tensor of its kind, coded before."""

    @property
    def name(self) -> str:
        """Of the tensor."""
        return self.spec.name

    @property
    def num_channels(self) -> int:
        """C."""
        return self.spec.shape[1]

    @property
    def scale(self) -> int:
        """The number in its name, 0 for the finest; `base` has none."""
        return int(self.name.partition(".")[2] or 0)

    @property
    def is_motion(self) -> bool:
        """Whether it is motion, and not coefficients."""
        return self.name.startswith("motion")


@dataclass(frozen=True)
class Layout:
    """All tensors of a segment, in coding order."""

    grids: Sequence[Grid]
    num_frames: int

    @classmethod
    def of(cls, specs: Sequence[ParameterSpec]) -> "Layout":
        """What these tensors are.

        Raises:
            ValueError: they are not those of the representation `latents`.
        """
        by_name = {spec.name: spec for spec in specs}
        details, motions = (
            [spec for spec in specs if spec.name.startswith(kind)]
            for kind in ("detail.", "motion.")
        )
        if "base" not in by_name or len(by_name) != 1 + len(details) + len(motions):
            raise ValueError("scheme latents: needs the tensors of the representation latents")
        grids = [_motion(spec, k, len(motions)) for k, spec in enumerate(motions)][::-1]
        grids.append(_base(by_name["base"]))
        grids += [_detail(spec, k, len(details)) for k, spec in enumerate(details)][::-1]
        return cls(grids, by_name["base"].shape[0])

    @property
    def coefficients(self) -> list[Grid]:
        """All but motion."""
        return [grid for grid in self.grids if not grid.is_motion]

    @property
    def motion(self) -> list[Grid]:
        """Motion alone."""
        return [grid for grid in self.grids if grid.is_motion]

    def coded(self, num_references: int) -> Iterator[tuple[Grid, int]]:
        """The tensors of a frame with so many references, and how many channels of each."""
        for grid in self.grids:
            if not grid.is_motion:
                yield grid, grid.num_channels
            elif num_references:
                yield grid, MOTION_CHANNELS[num_references - 1]


def _base(spec: ParameterSpec) -> Grid:
    planes = range(spec.shape[1])
    return Grid(spec, [min(p, 1) for p in planes], [[p - 1] if p else [] for p in planes], None)


def _detail(spec: ParameterSpec, k: int, count: int) -> Grid:
    """Bands of the first plane see each other, those of another the same band of the one before."""
    classes, crosses = [], []
    for channel in range(spec.shape[1]):
        plane, band = divmod(channel, BANDS)
        classes.append(2 * min(plane, 1) + (band == BANDS - 1))
        crosses.append([channel - BANDS] if plane else list(range(band)))
    return Grid(spec, classes, crosses, f"detail.{k + 1}" if k + 1 < count else None)


def _motion(spec: ParameterSpec, k: int, count: int) -> Grid:
    """Right sees down, towards the second reference sees the same towards the first."""
    crosses = [[], [0], [0], [1, 2], []]
    return Grid(spec, [0, 0, 0, 0, 1], crosses, f"motion.{k + 1}" if k + 1 < count else None)
