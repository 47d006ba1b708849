"""A picture of an encoding at work, replaced now and then.

    source | now | difference, amplified
    PSNR of the quantized representation over time

Made of the events of `encoder.encode`, of which `FrameShown` has to be asked for.
"""

import time
import warnings
from pathlib import Path

import numpy as np

from nvcodec.disk import put_file
from nvcodec.encode_types import Event, FrameShown, SegmentFitting, SegmentStarted
from nvcodec.errors import OutputError
from nvcodec.outputs import check_output
from nvcodec.png import png
from nvcodec.preview.drawing import (
    LINE_HEIGHT,
    PAPER,
    SOFT,
    Picture,
    difference,
    fitted,
    plot,
    text_width,
    write,
)

MARK = {"Software": "nvcodec preview"}
"""Says in the file that it is ours, and may be replaced."""
INTERVAL_S = 3.0
SIDE, MIN_SIDE, GAP, PLOT_HEIGHT = 480, 240, 12, 200
"""Pixels."""


class PreviewWarning(UserWarning):
    """The picture cannot be written; the encoding goes on."""


def check_preview(path: Path, overwrite: bool) -> None:
    """See that a picture may be put there.

    Raises:
        OutputError: there is another file, or nothing can be written.
    """
    if check_output(path, overwrite or _is_ours(path)) is None:
        raise OutputError(f"{path}: is no file, and cannot be replaced by one")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"tEXtSoftware\0nvcodec preview" in file.read(200)
    except OSError:
        return False


class Preview:
    """Takes the events of an encoding and keeps the picture at `path` up to date."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started: SegmentStarted | None = None
        self._shown: FrameShown | None = None
        """What is to be drawn with the next record."""
        self._curve: list[tuple[float, float]] = []
        """Seconds and dB of each evaluation of the segment."""
        self._written_s = -INTERVAL_S
        self._has_warned = False

    def __call__(self, event: Event) -> None:
        """Note an event; draw where it completes a measurement, and the last was a while ago."""
        if isinstance(event, SegmentStarted):
            self._started, self._shown, self._curve = event, None, []
        elif isinstance(event, FrameShown):
            self._shown = None if event.is_final else event
        elif isinstance(event, SegmentFitting) and self._shown is not None:
            record = event.record
            if record.psnr_db is not None:
                self._curve.append((record.elapsed_s, record.psnr_db))
            is_last = record.step == record.num_steps
            if is_last or time.monotonic() - self._written_s >= INTERVAL_S:
                self._write(self._drawn(self._shown, event))
                self._written_s = time.monotonic()
            self._shown = None

    def _write(self, picture: Picture) -> None:
        try:
            put_file(self.path, png(picture, MARK, level=3))
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"{self.path}: the picture cannot be written: {error.strerror or error}; "
                    "encoding goes on",
                    PreviewWarning,
                    stacklevel=2,
                )

    def _drawn(self, shown: FrameShown, event: SegmentFitting) -> Picture:
        error, times = difference(shown.source, shown.decoded)
        panels = [fitted(picture, SIDE) for picture in (shown.source, shown.decoded, error)]
        height, width, _ = panels[0].shape
        column = max(width, MIN_SIDE) + GAP
        top = 2 * GAP + 2 * LINE_HEIGHT
        canvas = np.empty((top + height + GAP + PLOT_HEIGHT, GAP + 3 * column, 3), np.uint8)
        canvas[:] = PAPER
        titles = ("source", f"now {shown.psnr_db:.2f} dB", f"difference x{times}")
        for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
            left = GAP + number * column
            write(canvas, left, top - LINE_HEIGHT, title, SOFT)
            canvas[top : top + height, left : left + width] = panel
        write(canvas, GAP, GAP, self._caption(shown, event, canvas.shape[1] - 2 * GAP))
        below = canvas[top + height + GAP : -4, GAP:-GAP]
        plot(below, self._curve, "s", "PSNR of some frames, dB, over seconds")
        return canvas

    def _caption(self, shown: FrameShown, event: SegmentFitting, room: int) -> str:
        """Where the work stands, the most important first."""
        record, started = event.record, self._started
        parts = [
            f"frame {shown.frame}",
            f"{record.stage} {record.stage_number + 1}/{record.num_stages}",
            f"{record.step / record.num_steps:.0%}",
        ]
        if record.size_bytes is not None and started is not None:
            pixels = started.segment.num_frames * started.video.width * started.video.height
            parts.append(f"{record.size_bytes} bytes {8 * record.size_bytes / pixels:.4f} bpp")
        text = parts[0]
        for part in parts[1:]:
            longer = f"{text}   {part}"
            text = longer if text_width(longer) <= room else text
        return text
