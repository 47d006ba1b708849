"""How surely scene cuts are found, and what it saves to begin segments there.

    python benchmarks/cuts.py CLIPS --out benchmarks/results/cuts.jsonl            # scores
    python benchmarks/cuts.py CLIPS --out benchmarks/results/cuts.jsonl --encode   # bytes too

CLIPS is a folder. `bikes` has its own cuts; two videos are spliced of other clips, frames known:
as they are, and with fades in between, which are no cuts. Scores are those of ffmpeg's `scdet`, of
every frame. Bytes are those of `bikes` in segments of up to 96 frames, equally long or at cuts.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from common import Line, measured, nvc, parser_of
from nvcodec.samples import Chroma
from nvcodec.video import open_video
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.scenes import THRESHOLD, SceneDetector

SIZE = (320, 180)
BIKES = (30, 76, 137, 187, 242)
"""First frames of its scenes, by eye."""
SPLICED = [
    ("basketballpass_416x240.mkv", 0, 40), ("tractor_800x540.mkv", 0, 33),
    ("flower_1280x720.264", 20, 70), ("basketballpass_416x240.mkv", 60, 90),
    ("bikes.mp4", 40, 70), ("tractor_800x540.mkv", 60, 100),
]  # fmt: skip
"""Clip, first frame, frame after the last."""
FADE = 12
"""Frames that two scenes share in a fade."""


def frames_of(clip: Path, start: int, stop: int) -> list[Planes]:
    """Frames in the size that all are spliced in."""
    with open_video(clip, scale=SIZE, frames=slice(start, stop)) as video:
        return list(video)


def spliced(folder: Path, fade: int) -> tuple[list[Planes], list[int]]:
    """Scenes one after the other, and where hard cuts are."""
    frames: list[Planes] = []
    cuts = []
    for name, start, stop in SPLICED:
        more = frames_of(folder / name, start, stop)
        if frames and not fade:
            cuts.append(len(frames))
        for n in range(fade if frames else 0):
            weight = (n + 1) / (fade + 1)
            frames[n - fade] = tuple(
                np.round((1 - weight) * a + weight * b).astype(np.uint8)
                for a, b in zip(frames[n - fade], more[n], strict=True)
            )
        frames += more[fade if frames else 0 :]
    return frames, cuts


def scored(frames: Iterator[Planes] | list[Planes], info: VideoInfo, cuts: list[int]) -> Line:
    """Lowest score of a cut, highest of everything else, and what is found wrongly."""
    with SceneDetector(info, threshold=0) as detector:
        for planes in frames:
            detector.add(planes)
        score = {change.frame: change.score for change in detector.changes()}
    found = [frame for frame, value in score.items() if value >= THRESHOLD]
    return {
        "num_frames": len(score),
        "num_cuts": len(cuts),
        "lowest_cut": min((score[frame] for frame in cuts), default=None),
        "highest_other": max(value for frame, value in score.items() if frame not in cuts),
        "missed": sorted(set(cuts) - set(found)),
        "wrong": sorted(set(found) - set(cuts)),
    }


def of_clip(path: Path, cuts: list[int]) -> Line:
    """Scores of a clip as it is."""
    with open_video(path) as video:
        return scored(video, video.info, cuts)


def of_spliced(folder: Path, fade: int) -> Line:
    """Scores of scenes in a row."""
    frames, cuts = spliced(folder, fade)
    return scored(frames, VideoInfo(*SIZE, Chroma.YUV420), cuts)


def encoded(clip: Path, how: str) -> Line:
    """Bytes and quality of a file."""
    words = f"-p latents --epochs 1 --segment-frames 96 --scale 1/2 --segments {how}"
    with tempfile.TemporaryDirectory() as folder:
        done = nvc("encode", str(clip), "-o", str(Path(folder, "a.nvc")), *words.split())[-1]
    keys = ("size_bytes", "psnr_rgb_db", "psnr_yuv_db")
    command = {"command": f"nvc encode {clip.name} {words}"}
    return command | {key: done[key] for key in keys if key in done}


def main() -> None:
    """Measure what is missing."""
    parser = parser_of(__doc__)
    parser.add_argument("folder", type=Path, metavar="CLIPS")
    parser.add_argument("--encode", action="store_true", help="bytes too, minutes each")
    parser.add_argument("--out", type=Path)
    args: argparse.Namespace = parser.parse_args()
    for path in sorted(args.folder.iterdir()):
        if path.suffix in (".mp4", ".mkv", ".264"):
            cuts = list(BIKES) if path.name == "bikes.mp4" else []
            measured(args.out, {"clip": path.name}, lambda p=path, c=cuts: of_clip(p, c))
    for name, fade in (("spliced", 0), ("spliced with fades", FADE)):
        measured(args.out, {"clip": name}, lambda f=fade: of_spliced(args.folder, f))
    for how in ("even", "auto") if args.encode else ():
        key = {"clip": "bikes.mp4", "segments": how}
        measured(args.out, key, lambda h=how: encoded(args.folder / "bikes.mp4", h))


if __name__ == "__main__":
    main()
