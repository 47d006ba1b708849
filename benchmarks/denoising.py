"""NeRV's denoising experiment (its Table 5): fit noisy frames, compare with the clean ones.

    python benchmarks/denoising.py CLIP --preset nerv-s --out results/denoising.jsonl

Noise falls on 0.5 % of the pixels, all three channels at once: white, black, salt and pepper, or
uniformly random colours. NeRV does not publish its density; 0.5 % reproduces its "noisy" row. Each
noisy video is encoded as it is, with nothing changed in the network; beside it stand filters from
textbooks: Gaussian (sigma 2), uniform 5x5, median 3x3 and 5x5, minimum and maximum 3x3. Reported as
found: a 3x3 median may well win. One JSON line a noise and method; what OUT holds is skipped.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from common import frames_of, measured, nvc, parser_of
from nvcodec.samples import Chroma
from nvcodec.video import create_video
from nvcodec.video.info import VideoInfo

DENSITY = 0.005
NOISES = ("white", "black", "salt-pepper", "random")


def noisy(frames: NDArray[np.uint8], noise: str, seed: int = 0) -> NDArray[np.uint8]:
    """Frames uint8 (T, H, W, 3) with that share of their pixels replaced."""
    rng = np.random.default_rng([seed, NOISES.index(noise)])
    hit = rng.random(frames.shape[:3]) < DENSITY
    salt = rng.random(frames.shape[:3]) < 0.5
    colors = {
        "white": np.full_like(frames, 255),
        "black": np.zeros_like(frames),
        "salt-pepper": np.where(salt[..., None], np.uint8(255), np.zeros_like(frames)),
        "random": rng.integers(0, 256, frames.shape, dtype=np.uint8),
    }
    return np.where(hit[..., None], colors[noise], frames)


def windows(frame: Tensor, side: int) -> Tensor:
    """The neighbourhood of every sample, edges repeated: (H, W, C) -> (H, W, C, side^2)."""
    edge = side // 2
    padded = F.pad(frame.permute(2, 0, 1)[None], (edge,) * 4, mode="replicate")[0]
    return padded.unfold(1, side, 1).unfold(2, side, 1).flatten(3).permute(1, 2, 0, 3)


def gaussian(frame: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, cut off at three sigma."""
    side = 2 * round(3 * sigma) + 1
    offsets = torch.arange(side) - side // 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = torch.outer(weights, weights).flatten()
    return windows(frame, side) @ (kernel / kernel.sum())


FILTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "noisy": lambda frame: frame,
    "gaussian": partial(gaussian, sigma=2.0),
    "uniform 5x5": lambda frame: windows(frame, 5).mean(dim=-1),
    "median 3x3": lambda frame: windows(frame, 3).median(dim=-1).values,
    "median 5x5": lambda frame: windows(frame, 5).median(dim=-1).values,
    "minimum 3x3": lambda frame: windows(frame, 3).amin(dim=-1),
    "maximum 3x3": lambda frame: windows(frame, 3).amax(dim=-1),
}


def mean_psnr_db(frames: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean over frames of the PSNR of 8-bit RGB."""
    errors = (frames.astype(np.float64) - reference).reshape(len(frames), -1)
    return float(np.mean(10 * np.log10(255**2 / np.maximum((errors**2).mean(axis=1), 1e-9))))


def filtered(frames: NDArray[np.uint8], method: str) -> NDArray[np.uint8]:
    """Every frame through one of the filters, rounded to 8 bits."""
    results = [FILTERS[method](torch.from_numpy(frame).float()) for frame in frames]
    return np.stack([r.round().clamp(0, 255).to(torch.uint8).numpy() for r in results])


def fitted(frames: NDArray[np.uint8], preset: str, words: list[str]) -> NDArray[np.uint8]:
    """What a network makes of the frames: encoded, and decoded by a process of its own."""
    info = VideoInfo(frames.shape[2], frames.shape[1], Chroma.RGB)
    with tempfile.TemporaryDirectory() as folder:
        source, coded, decoded = (Path(folder) / name for name in ("in", "out.nvc", "out"))
        with create_video(source, info) as target:  # lossless pictures
            for frame in frames:
                target.write(tuple(np.ascontiguousarray(frame[..., c]) for c in range(3)))
        nvc("encode", str(source), "-o", str(coded), "-p", preset, *words)
        nvc("decode", str(coded), "-o", str(decoded))
        return frames_of(decoded).numpy()


def denoised(
    clean: NDArray[np.uint8], noise: str, method: str, args: argparse.Namespace
) -> dict[str, float]:
    """Quality of a method, against the clean frames."""
    frames = noisy(clean, noise)
    if method in FILTERS:
        frames = filtered(frames, method)
    else:
        frames = fitted(frames, args.preset, args.words.split())
    return {"psnr_rgb_db": mean_psnr_db(frames, clean)}


def main() -> None:
    """Measure what is missing, then show the table."""
    parser = parser_of(__doc__)
    parser.add_argument("clip")
    parser.add_argument("--preset", required=True, help="of the network")
    parser.add_argument("--words", default="", help="more words for `nvc encode`")
    parser.add_argument("--num-frames", type=int)
    parser.add_argument("--scale", metavar="WxH")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    size = tuple(map(int, args.scale.split("x"))) if args.scale else None
    clean = frames_of(args.clip, num_frames=args.num_frames, scale=size).numpy()
    network = f"{args.preset} {args.words}".strip()
    where = {"clip": Path(args.clip).name, "scale": args.scale, "frames": len(clean)}
    table: dict[str, dict[str, float]] = {}
    for noise in NOISES:
        for method in (*FILTERS, network):
            key = {**where, "noise": noise, "density": DENSITY, "method": method}
            line = measured(
                args.out, key,
                lambda noise=noise, method=method: denoised(clean, noise, method, args),
            )  # fmt: skip
            table.setdefault(method, {})[noise] = line["psnr_rgb_db"]
    print(f"{'':24}" + "".join(f"{noise:>13}" for noise in (*NOISES, "average")))
    for method, values in table.items():
        row = [*values.values(), sum(values.values()) / len(values)]
        print(f"{method:24.24}" + "".join(f"{value:13.2f}" for value in row))


if __name__ == "__main__":
    main()
