"""Opening a `.nvc` file for the commands that show frames of it. Loads torch."""

import sys
import warnings
from typing import Any

from nvcodec.decoder import Decoder
from nvcodec.errors import TruncatedError
from nvcodec.video import VideoWarning

UNFINISHED = ".part"
"""Ending of a file that is still being written, or waits for it."""


def open_decoder(source: str, **settings: Any) -> Decoder:
    """The decoder of a file, or of `-`; who asks for an unfinished one gets what is there.

    Raises:
        BitstreamError: the bytes are no readable `.nvc` file.
    """
    is_part = source.endswith(UNFINISHED)
    decoder = Decoder(sys.stdin.buffer if source == "-" else source, unfinished=is_part, **settings)
    try:
        if is_part and decoder.reader.is_seekable:
            _tell_unfinished(source, decoder)
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
