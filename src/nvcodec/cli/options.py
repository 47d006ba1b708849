"""Parsing of option values that several commands share."""

import typer


def frame_range(text: str | None) -> slice | None:
    """`A:B`, `A:`, `:B` as a slice of frames, B excluded."""
    if text is None:
        return None
    first, separator, last = text.partition(":")
    try:
        start, stop = int(first or 0), int(last) if last else None
    except ValueError:
        start, stop, separator = 0, None, ""
    if not separator or start < 0 or (stop is not None and stop <= start):
        raise typer.BadParameter(f"--frames {text!r}: expected A:B with 0 <= A < B, such as 0:32")
    return slice(start, stop)


def picture_size(text: str | None) -> tuple[int, int] | None:
    """`WxH` as (width, height)."""
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise typer.BadParameter(f"--scale {text!r}: expected WxH, such as 320x180")
    return int(width), int(height)
