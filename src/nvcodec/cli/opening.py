"""Opening a `.nvc` file for the commands that show frames of it. Loads torch."""

import sys
import warnings
from fractions import Fraction
from typing import Any

from nvcodec.decoder import Decoder
from nvcodec.errors import TruncatedError
from nvcodec.video import VideoWarning

UNFINISHED = ".part"
"""Ending of a file that is still being written, or waits for it."""


def open_decoder(source: str, *, at: Fraction | None = None, **settings: Any) -> Decoder:
    """The decoder of a file, or of `-`; who asks for an unfinished one gets what is there.

    Args:
        source: its path.
        at: seconds; only the frame that is shown then.
        **settings: those of `Decoder`.

    Raises:
        BitstreamError: the bytes are no readable `.nvc` file.
        VideoError: nothing is shown at that time.
    """
    is_part = source.endswith(UNFINISHED)
    decoder = Decoder(sys.stdin.buffer if source == "-" else source, unfinished=is_part, **settings)
    try:
        if is_part and decoder.reader.is_seekable:
            _tell_unfinished(source, decoder)
        if at is not None:
            t = decoder.frame_at(at)
            decoder.select(slice(t, t + 1))
    except BaseException:
        decoder.close()
        raise
    return decoder


def _tell_unfinished(source: str, decoder: Decoder) -> None:
    count, total = len(decoder), decoder.head.num_frames
    if not decoder.reader.is_unfinished:
        return
    if count == 0:
        raise TruncatedError("no segment is finished yet")
    whole = f"of {total} frames" if total else "frames of an unknown number"
    text = f"{source}: unfinished, {count} {whole} are there"
    warnings.warn(text, VideoWarning, stacklevel=2)
