"""Drawing on an RGB array: pictures made to fit, words in a small font of capitals, and a curve."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]
PAPER, INK, SOFT, GRID = (20, 24, 29), (227, 231, 236), (154, 165, 177), (48, 56, 66)
CURVE = (98, 176, 255)
FONT = Path(__file__).with_name("font.txt")
ZOOM = 2
"""Pixels of the picture a pixel of the font."""
LETTER_WIDTH, LINE_HEIGHT = 6 * ZOOM, 11 * ZOOM


@functools.cache
def _letters() -> dict[str, NDArray[np.bool_]]:
    """Each letter, (7, 5)."""
    found: dict[str, NDArray[np.bool_]] = {}
    for group in FONT.read_text(encoding="ascii").split("\n\n"):
        names, *rows = group.split("\n")
        cells = np.array(
            [[[dot == "#" for dot in cell] for cell in row.split()] for row in rows[:7]]
        )
        found |= {name: cells[:, n] for n, name in enumerate(names)}
    return found


def text_width(text: str) -> int:
    """Pixels that a line takes."""
    return len(text) * LETTER_WIDTH


def write(canvas: Picture, x: int, y: int, text: str, color: Color = INK) -> None:
    """Put a line of text with its upper left corner at (x, y); what has no room is cut off."""
    for number, name in enumerate(text.upper()):
        letter = _letters().get(name)
        if letter is None:
            continue
        dots = letter.repeat(ZOOM, 0).repeat(ZOOM, 1)
        left = x + number * LETTER_WIDTH
        place = canvas[y : y + dots.shape[0], left : left + dots.shape[1]]
        place[dots[: place.shape[0], : place.shape[1]]] = color


def fitted(picture: Picture, side: int) -> Picture:
    """Enlarged or reduced by a whole number, so that neither side is longer than `side`."""
    height, width, _ = picture.shape
    longest = max(height, width)
    if longest <= side:
        times = side // longest
        return picture.repeat(times, 0).repeat(times, 1)
    by = math.ceil(longest / side)
    rows, columns = max(height // by, 1), max(width // by, 1)
    cut = picture[: rows * by, : columns * by]
    blocks = cut.reshape(rows, cut.shape[0] // rows, columns, cut.shape[1] // columns, 3)
    reduced: Picture = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return reduced


def difference(source: Picture, decoded: Picture) -> tuple[Picture, int]:
    """Decoded less source about grey, amplified; and by how much."""
    error = decoded.astype(np.int16) - source
    spread = float(np.sqrt(np.mean(np.square(error, dtype=np.float32))))
    times = next((n for n in (16, 8, 4, 2) if spread * n <= 32), 1)
    return np.clip(128 + times * error, 0, 255).astype(np.uint8), times


def plot(canvas: Picture, points: Sequence[tuple[float, float]], x_unit: str, y_unit: str) -> None:
    """Fill a part of a picture with a curve over axes that begin at 0 and below its least value."""
    height, width, _ = canvas.shape
    left, right = 7 * LETTER_WIDTH, width - LETTER_WIDTH
    top, bottom = LINE_HEIGHT + 10, height - 30
    write(canvas, 0, 0, y_unit, SOFT)
    if not points:
        return
    x_marks = _marks(0.0, max(max(x for x, _ in points), 1e-3), width // 160)
    low, high = min(y for _, y in points), max(y for _, y in points)
    y_marks = _marks(low, max(high, low + 0.1), 4)
    x_end, y_start, y_end = x_marks[-1], y_marks[0], y_marks[-1]
    x_of = [left + round(x / x_end * (right - left)) for x, _ in points]
    y_of = [bottom - round((y - y_start) / (y_end - y_start) * (bottom - top)) for _, y in points]
    for mark in y_marks:
        y = bottom - round((mark - y_start) / (y_end - y_start) * (bottom - top))
        canvas[y, left:right] = GRID
        write(canvas, left - text_width(f"{mark:g} "), y - 7, f"{mark:g}", SOFT)
    for mark in x_marks:
        x = left + round(mark / x_end * (right - left))
        canvas[top:bottom, min(x, width - 1)] = GRID
        label = f"{mark:g}{x_unit * (mark == x_end)}"
        start = min(x - text_width(label) // 2, width - text_width(label))
        write(canvas, start, bottom + 10, label, SOFT)
    for one, other in zip(range(len(points)), range(1, len(points)), strict=False):
        _line(canvas, (x_of[one], y_of[one]), (x_of[other], y_of[other]))
    for x, y in zip(x_of, y_of, strict=True):
        canvas[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = CURVE


def _line(canvas: Picture, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Two pixels thick."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    x, y = (
        np.linspace(a, b, count + 1).round().astype(int) for a, b in zip(start, end, strict=True)
    )
    for shift in (0, 1):
        canvas[y + shift, x] = CURVE


def _marks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from just below `low` to just above `high`."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 9) for n in range(first, last + 1)]
