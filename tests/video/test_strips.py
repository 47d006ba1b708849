"""Large frames are converted in strips: the planes are those of the whole frame."""

import pytest
from video_helpers import assert_same, make_frames, make_info

from nvcodec.samples import Chroma, Samples
from nvcodec.video import conversion


@pytest.mark.parametrize("chroma", list(Chroma))
@pytest.mark.parametrize("height", [256, 257, 511, 515])
def test_strips(monkeypatch, chroma, height):
    info = make_info(7, height, chroma)
    (frame,) = make_frames(info, 1)
    for samples in Samples.allowed_for(chroma):
        pixels = conversion.from_planes(samples, frame, info)
        in_strips = conversion.to_planes(samples, pixels, info)
        monkeypatch.setattr(conversion, "STRIP_ROWS", 1 << 20)
        whole = conversion.to_planes(samples, pixels, info)
        monkeypatch.undo()
        assert_same([whole], [in_strips])
        assert all(a.dtype == b.dtype for a, b in zip(whole, in_strips, strict=True))
