"""Hierarchies of prediction: which frames of a segment a frame is predicted from.

    depth 0, 1    0 -----------------------> 4 -----------------------> 8 ...
    depth 2                     2                          6              from 0 and 4, 4 and 8
    depth 3              1             3            5             7       from 0 and 2, 2 and 4 ...

Frame 0 stands alone. Every `anchor_every`-th frame, and the last, is an anchor, predicted from the
anchor before; should the last lie less than half of that behind the one before it, that one is
none. All others lie in the middle (rounded down) of two frames that are known, again and again.
Frames of one layer depend on layers before it only, and are in rising order.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple


class Layer(NamedTuple):
    """Frames that are coded at once, and what they are predicted from."""

    depth: int
    """0 for the intra frame, 1 for anchors, 2 and more for frames between."""
    frames: Sequence[int]
    references: Sequence[tuple[int, ...]]
    """Of each frame: none, the anchor before, or the frames before and behind."""


def anchors(num_frames: int, anchor_every: int) -> list[int]:
    """Frame 0 and the anchors, in order."""
    found = [*range(0, num_frames - 1, anchor_every), num_frames - 1]
    if len(found) > 2 and found[-1] - found[-2] < anchor_every // 2:
        del found[-2]
    return sorted(set(found))


def layers(num_frames: int, anchor_every: int) -> list[Layer]:
    """All frames of a segment in the order in which they are coded: anchor after anchor."""
    found = [Layer(0, [0], [()])]
    for before, behind in itertools.pairwise(anchors(num_frames, anchor_every)):
        found.append(Layer(1, [behind], [(before,)]))
        pairs, depth = [(before, behind)], 2
        while pairs := [(a, b) for a, b in pairs if b - a > 1]:
            middles = [(a + b) // 2 for a, b in pairs]
            found.append(Layer(depth, middles, pairs))
            halves = zip(pairs, middles, strict=True)
            pairs = [pair for (a, b), m in halves for pair in ((a, m), (m, b))]
            depth += 1
    return found


def num_depths(num_frames: int, anchor_every: int) -> int:
    """Depths that occur: the largest plus one."""
    return max(layer.depth for layer in layers(num_frames, anchor_every)) + 1


def needed(num_frames: int, anchor_every: int) -> int:
    """Frames that have to be decoded for one frame at most, itself included."""
    references = {
        frame: refs
        for layer in layers(num_frames, anchor_every)
        for frame, refs in zip(layer.frames, layer.references, strict=True)
    }
    sets: dict[int, frozenset[int]] = {}
    for frame, refs in references.items():
        sets[frame] = frozenset({frame}).union(*(sets[r] for r in refs))
    return max(map(len, sets.values()))
