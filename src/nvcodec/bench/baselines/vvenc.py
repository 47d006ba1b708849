"""H.266 by VVenC."""

from nvcodec.bench.baseline import WHOLE_CLIP, Baseline


class VVenC(Baseline):
    """Codes 10 bits a sample; constant quantizer, without its perceptual adaptation."""

    encoder = "libvvenc"
    format = "vvc"
    rate_name = "qp"
    rate_range = (0, 63)
    rates = (24, 29, 34, 39)
    speed = "medium"
    signature = r"libvvenc version: (\S+)"
    seconds_per_megapixel = 0.7

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """See `Baseline.options`; it rounds the period up to its groups of 32 pictures."""
        groups = -(-intra_frames // 32) * 32 if intra_frames else WHOLE_CLIP // 32 * 32
        return ["-preset", speed, "-qpa", "0", "-g", str(groups), "-qp", str(rate)]
