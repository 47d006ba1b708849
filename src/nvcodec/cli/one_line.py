"""What a line of progress says in the width that there is: the less important goes first."""

from collections.abc import Sequence

Part = tuple[int, str]
"""A rank, 0 first, and words."""
STAGE, BAR, PERCENT = 0, 5, 1
"""Ranks of what every line begins with."""
BAR_LENGTH = 10
WIDE = 60
"""Columns from which parts stand two spaces apart."""


def one_line(
    stage: str, share: float, parts: Sequence[Part], width: int, *, short: str = "", ascii: bool
) -> str:
    """A line that is no wider than `width`.

    Args:
        stage: what is being done.
        share: how much of it is done, 0 to 1.
        parts: what else is to be said, in this order.
        width: columns.
        short: instead of `stage` where that would cost something of rank 4 or less.
        ascii: whether nothing else can be shown.
    """
    done = round(BAR_LENGTH * min(max(share, 0.0), 1.0))
    full, empty = "=-" if ascii else "━╌"
    bar = full * done + empty * (BAR_LENGTH - done)
    gap, percent = ("  ", f"{share:4.0%}") if width >= WIDE else (" ", f"{share:.0%}")
    for name in (stage, short or stage):
        shown = [(STAGE, name), (BAR, bar), (PERCENT, percent), *parts]
        while len(gap.join(text for _, text in shown)) > width and len(shown) > 1:
            shown.remove(max(shown, key=lambda part: part[0]))
        if len(shown) == 3 + len(parts) or all(part in shown for part in parts if part[0] < BAR):
            break
    line = gap.join(text for _, text in shown)
    return line if len(line) <= width else line[: max(width - 1, 0)] + ("." if ascii else "…")
