"""Which frames a frame is predicted from."""

from itertools import pairwise


def layers(num_frames: int, every: int) -> list[tuple[int, list[int], list[tuple[int, ...]]]]:
    """Depth, frames and their references, in coding order."""
    anchors = [t for t in range(num_frames) if t % every == 0 or t == num_frames - 1]
    if len(anchors) > 2 and anchors[-1] - anchors[-2] < every // 2:
        anchors.pop(-2)
    found = [(0, [0], [()])]
    for i in range(1, len(anchors)):
        a, b = anchors[i - 1], anchors[i]
        found.append((1, [b], [(a,)]))
        known, depth = [a, b], 2
        while gaps := [(x, y) for x, y in pairwise(known) if y - x > 1]:
            found.append((depth, [(x + y) // 2 for x, y in gaps], gaps))
            known = sorted(known + found[-1][1])
            depth += 1
    return found
