"""The page that `nvc compare --report` writes."""

from pathlib import Path
from typing import TYPE_CHECKING

from nvcodec.cli.encode_watching import check_page
from nvcodec.cli.verify import quality_rows

if TYPE_CHECKING:
    from nvcodec.metrics.comparison import Comparison, OnPair
    from nvcodec.video import VideoInfo
    from nvcodec.video.info import Planes


class ComparisonPage:
    """Keeps some pairs of frames, and writes the page; nothing where none is asked for.

    Raises:
        OutputError: the page cannot be written.
    """

    def __init__(self, path: Path | None, sources: tuple[str, str], overwrite: bool) -> None:
        self.path, self.sources = path, sources
        if path is not None:
            check_page(path, sources, overwrite)
            from nvcodec.pages.chosen import Chosen

            self._chosen = Chosen()

    def pair_taker(self, ours: "VideoInfo", theirs: "VideoInfo") -> "OnPair":
        """Takes pairs as `metrics.comparison.compare` tells them."""
        from nvcodec.metrics.comparison import common_info
        from nvcodec.video.conversion import for_looking

        info = common_info(ours, theirs)
        assert info is not None

        def take(frame: int, psnr_db: float, a: "Planes", b: "Planes") -> None:
            if self.path is not None:
                self._chosen.add(
                    frame, psnr_db, lambda: (for_looking(a, info), for_looking(b, info))
                )

        return take

    def write(self, found: "Comparison") -> None:
        """The page of what was found."""
        if self.path is None:
            return
        from nvcodec.outputs import put_page
        from nvcodec.pages.report import report_page

        names = [Path(source).name for source in self.sources]
        frames, info = found.frames, found.info
        metrics = {"PSNR-RGB (dB)": [frame.psnr_rgb_db for frame in frames]}
        for n, letter in enumerate(found.plane_names):
            metrics[f"PSNR-{letter} (dB)"] = [frame.psnr_planes_db[n] for frame in frames]
        if frames[0].ms_ssim_rgb is not None:
            metrics["MS-SSIM"] = [frame.ms_ssim_rgb or 0.0 for frame in frames]
        facts = [
            ("reference", self.sources[0]),
            ("other", self.sources[1]),
            ("frames", f"{len(frames)} of {info.width}x{info.height}, in {info.chroma.words}"),
            *quality_rows(found.quality),
            *((f"VMAF {name}", f"{value:.2f}") for name, value in found.vmaf.items()),
        ]
        html = report_page(
            " and ".join(names), facts=facts, metrics=metrics, first_frame=frames[0].frame,
            pairs=self._chosen.pairs(*names),
        )  # fmt: skip
        put_page(self.path, html)
