"""Baselines against rate points that were measured elsewhere with the same encoders."""

import json

import pytest

from nvcodec.bench.datasets import SequenceOptions, VideoSequence, survey
from nvcodec.bench.measuring import write_y4m
from nvcodec.bench.points import Source, baseline_coders
from nvcodec.metrics.ffmpeg_rgb import psnr_rgb_ffmpeg_db
from nvcodec.metrics.quality import QualityMeter
from nvcodec.processes import run
from nvcodec.video import open_video

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::nvcodec.video.VideoWarning")]
ANCHORS = {"x265": "x265-psnr", "svt-av1": "svtav1", "vvenc": "vvenc-psnr"}


def ivf_overhead(num_frames: int) -> int:
    """The anchors' AV1 sizes are those of IVF files: 32 bytes, and 12 for each frame."""
    return 32 + 12 * num_frames


@pytest.fixture(scope="module")
def sources(clips, tmp_path_factory):
    found = {}
    for name in ("bigbuckbunny.mp4", "tractor_800x540.mkv"):
        clip = VideoSequence(name.partition(".")[0], clips / name, SequenceOptions())
        found[clip.name] = Source(clip, survey(clip), tmp_path_factory.mktemp("y4m") / "in.y4m")
        write_y4m(found[clip.name])
    return found


@pytest.mark.parametrize("name", ["bigbuckbunny", "tractor_800x540"])
@pytest.mark.parametrize(("codec", "rate"), [("svt-av1", 55), ("x265", 37), ("vvenc", 39)])
def test_bits_and_psnr(sources, clips, tmp_path, name, codec, rate):
    points = json.loads((clips / "anchors.json").read_text())[name][ANCHORS[codec]]
    anchor = next(point for point in points if point["q"] == rate)
    source = sources[name]
    (coder,) = baseline_coders([codec], {codec: [rate]}, {})
    coded, decoded = tmp_path / f"out{coder.suffix}", tmp_path / "out.y4m"
    run(coder.encode_command(source, coded))
    run(coder.decode_command(coded, decoded))
    size = coded.stat().st_size
    if codec == "svt-av1":
        size += ivf_overhead(source.seen.num_frames)
    assert size == pytest.approx(anchor["bytes"], rel=0.005)
    info = source.seen.info
    psnr = psnr_rgb_ffmpeg_db(source.y4m, decoded, info.width, info.height)
    assert psnr == pytest.approx(anchor["psnr_rgb"], abs=0.02)
    with open_video(source.y4m) as reference, open_video(decoded, depth=8) as other:
        meter = PlanesOnly(info)
        for pair in zip(reference, other, strict=True):
            meter.add(*pair)
    # The anchors' 10-bit decodings were dithered to 8 bits; rounding is a little better.
    tolerance = 0.1 if codec == "vvenc" else 0.02
    assert meter.quality().psnr_planes_db == pytest.approx(anchor["psnr_yuv"], abs=tolerance)


class PlanesOnly(QualityMeter):
    """Without MS-SSIM, which takes most of the time."""

    def add(self, reference, decoded):
        from nvcodec.metrics import quality

        before, quality.ms_ssim = quality.ms_ssim, lambda *_: 1.0
        try:
            super().add(reference, decoded)
        finally:
            quality.ms_ssim = before
