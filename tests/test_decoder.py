"""Decoding in bands: less memory, the same frames."""

import numpy as np

from nvcodec import decoder
from nvcodec.decoder import Decoder


def test_a_frame_too_large_for_its_budget_is_rendered_in_bands(encoded, monkeypatch):
    whole = np.stack(list(Decoder(encoded, device="cpu")))
    monkeypatch.setattr(decoder, "BAND_BYTES", 1000)
    with Decoder(encoded, device="cpu") as video:
        coded = next(video.reader.segments())
        segment = decoder.SegmentDecoder(video.head, coded, video.device)
        assert segment.band_height == segment.representation.patch_sizes()[0][0]
        assert segment.band_height < segment.representation.canvas[0]
        assert np.array_equal(np.stack(list(video)), whole)
