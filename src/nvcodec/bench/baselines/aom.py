"""AV1 by libaom, the reference encoder."""

from nvcodec.bench.baseline import WHOLE_CLIP, Baseline


class Aom(Baseline):
    """One pass at constant quality."""

    encoder = "libaom-av1"
    format = "obu"
    rate_range = (0, 63)
    rates = (25, 35, 45, 55)
    speed = "4"
    signature = r"libaom-av1 \S+ \S+\] (v\d\S+)"
    seconds_per_megapixel = 1.0

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """See `Baseline.options`."""
        quality = ["-cpu-used", speed, "-crf", str(rate), "-b:v", "0", "-tune", "psnr"]
        return [*quality, "-g", str(intra_frames or WHOLE_CLIP), "-row-mt", "1"]
