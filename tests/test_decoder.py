"""Decoding in bands, and what it may take."""

import numpy as np
import pytest

from nvcodec import segment_decoder, segment_values
from nvcodec.container.header import DEFAULT_LIMITS, Head
from nvcodec.decoder import Decoder
from nvcodec.errors import LimitError, MalformedError


def test_a_frame_too_large_for_its_budget_is_rendered_in_bands(encoded, monkeypatch):
    whole = np.stack(list(Decoder(encoded, device="cpu")))
    monkeypatch.setattr(segment_values, "BAND_BYTES", 1000)
    with Decoder(encoded, device="cpu") as video:
        coded = next(video.reader.segments())
        segment = segment_decoder.SegmentDecoder(video.head, coded, video.device)
        assert segment.band_height == segment.representation.patch_sizes()[0][0]
        assert segment.band_height < segment.representation.canvas[0]
        assert np.array_equal(np.stack(list(video)), whole)


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        # A base of one row: the only band is the whole frame.
        (8192, {"strides": [16, 16, 16, 2], "depths": [0, 0, 0, 1], "expansions": [1] * 4}),
        # A stem's sums, which every band needs whole.
        (1024, {"strides": [1], "depths": [0], "expansions": [1], "channels": 2048}),
    ],
)
def test_memory_that_bands_do_not_save_is_counted(side, changes):
    table = {
        "kind": "hinerv", "channels": 8, "grid_channels": 1, "grid_levels": 1, "local_channels": 1,
        "local_levels": 1, "grid_halving": "thw", "stem_kernel_size": 1, **changes,
    }  # fmt: skip
    head = Head(width=side, height=side, representation=table, scheme={"kind": "hierarchical"})
    with pytest.raises(LimitError, match="bytes of memory"):
        segment_values.check_limits(head, 1, DEFAULT_LIMITS)


def test_absurd_numbers_of_knots_are_malformed():
    table = {"kind": "hinerv", "channels": 1, "grid_channels": 1, "local_channels": 1}
    table |= {"depths": [1], "expansions": [1], "grid_frames": "9" * 4299}
    head = Head(width=64, height=64, representation=table, scheme={"kind": "hierarchical"})
    with pytest.raises(MalformedError, match="grid_frames"):
        segment_values.check_limits(head, 1, DEFAULT_LIMITS)
