"""H.264 by x264."""

from nvcodec.bench.baseline import WHOLE_CLIP, Baseline


class X264(Baseline):
    """One thread, for the number of its frame threads changes the result.

    Its option string is a supplemental message (unit type 6) of 700 bytes: a fifth of a small clip.
    """

    encoder = "libx264"
    format = "h264"
    rate_range = (0, 51)
    rates = (22, 27, 32, 37)
    speed = "veryslow"
    signature = r"x264 - (core [0-9]+(?: r[0-9]+)?)"
    seconds_per_megapixel = 0.35

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """See `Baseline.options`."""
        quality = ["-preset", speed, "-tune", "psnr", "-crf", str(rate)]
        period = ["-g", str(intra_frames or WHOLE_CLIP)]
        return [*quality, *period, "-threads", "1", "-bsf:v", "filter_units=remove_types=6"]
