"""H.265 by x265."""

from nvcodec.bench.baseline import Baseline


class X265(Baseline):
    """One frame thread, for their number changes the result; wavefronts stay."""

    encoder = "libx265"
    format = "hevc"
    rate_range = (0, 51)
    rates = (22, 27, 32, 37)
    speed = "veryslow"
    signature = r"HEVC encoder version (\S+)"
    seconds_per_megapixel = 0.7

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """See `Baseline.options`; `info=0` leaves its option string out of the stream."""
        fields = f"info=0:keyint={intra_frames or -1}:frame-threads=1:log-level=error"
        quality = ["-preset", speed, "-tune", "psnr", "-crf", str(rate)]
        return [*quality, "-x265-params", fields]
