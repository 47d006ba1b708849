"""AV1 by SVT-AV1."""

from nvcodec.bench.baseline import WHOLE_CLIP, Baseline


class SvtAv1(Baseline):
    """Its result does not depend on the number of threads."""

    encoder = "libsvtav1"
    format = "obu"
    rate_range = (1, 63)
    rates = (25, 35, 45, 55)
    speed = "4"
    signature = r"SVT-AV1 Encoder Lib (\S+)"
    seconds_per_megapixel = 0.15

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """See `Baseline.options`; tune 1 is PSNR."""
        period = ["-g", str(intra_frames or WHOLE_CLIP)]
        return ["-preset", speed, "-crf", str(rate), *period, "-svtav1-params", "tune=1"]
