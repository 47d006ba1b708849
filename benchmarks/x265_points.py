"""x265 on the same clips: the codec that people would use instead, for orientation.

    python benchmarks/x265_points.py CLIP --crf 24 28 32 36 --out results/points.jsonl

Preset veryslow, tune psnr, one intra frame, no option string in the stream; size is that of the raw
elementary stream, quality is measured as for `.nvc` files (`nvcodec.metrics.quality`).
"""

import argparse
import datetime
import json
import tempfile
from pathlib import Path

from nvcodec.metrics.quality import QualityMeter
from nvcodec.processes import ffmpeg_path, run
from nvcodec.video import create_video, open_video


def measure(clip: str, crf: int) -> dict:
    """One point."""
    with tempfile.TemporaryDirectory() as folder:
        source, coded = Path(folder) / "in.y4m", Path(folder) / "out.hevc"
        with open_video(clip) as video, create_video(source, video.info) as copy:
            for planes in video:
                copy.write(planes)
        options = ["-c:v", "libx265", "-preset", "veryslow", "-tune", "psnr", "-crf", str(crf)]
        options += ["-x265-params", "info=0:keyint=-1:log-level=none"]
        run([ffmpeg_path(), "-v", "error", "-i", str(source), *options, "-f", "hevc", str(coded)])
        size_bytes = coded.stat().st_size
        with open_video(source) as video, open_video(coded) as decoded:
            meter = QualityMeter(video.info)
            for reference, planes in zip(video, decoded, strict=True):
                meter.add(reference, planes)
            info = video.info
    quality = meter.quality()
    num_pixels = quality.num_frames * info.width * info.height
    return {
        "name": f"x265/crf{crf}",
        "clip": Path(clip).name,
        "command": " ".join(["ffmpeg", "-i", Path(clip).name, *options]),
        "size_bytes": size_bytes,
        "rate_bpp": 8 * size_bytes / num_pixels,
        "quality": {
            "psnr_rgb_db": quality.psnr_rgb_db,
            "psnr_planes_db": quality.psnr_planes_db,
            "psnr_yuv_db": quality.psnr_yuv_db,
            "ms_ssim_rgb": quality.ms_ssim_rgb,
        },
        "date": datetime.date.today().isoformat(),
    }


def main() -> None:
    """Measure and append."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--crf", type=int, nargs="+", default=[24, 28, 32, 36])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for crf in args.crf:
        line = json.dumps(measure(args.clip, crf))
        print(line, flush=True)
        with args.out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
