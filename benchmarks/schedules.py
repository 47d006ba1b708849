"""Two ways to spend a fitting's time otherwise: growth, and competing starts.

    python benchmarks/schedules.py growth CLIP --out results/schedules.jsonl
    python benchmarks/schedules.py starts CLIP --out results/schedules.jsonl

`growth` fits all stages but the last to a picture smaller by its stride, then the whole network
from there, against the whole network all the time. `starts` fits the same frames from several seeds
and tells what the best after a tenth and after a fifth of the steps is worth at the end. Both
without compression: the stage `fit` alone.
"""

import argparse
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from common import circumstances, frames_of, store
from nvcodec.fitting import loop
from nvcodec.fitting.record import FitRecord
from nvcodec.presets import Preset, load_preset
from nvcodec.segment_encoder import EncodedSegment, encode_segment

SHARES = (0.1, 0.2)


def main() -> None:
    """Fit, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["growth", "starts"])
    parser.add_argument("clip")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--epochs", type=int, nargs="+", default=[15, 30])
    parser.add_argument("--small-epochs", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    preset = plain(load_preset(args.preset))
    pixels = frames_of(args.clip, preset.samples, args.frames)
    facts = {"clip": Path(args.clip).name, "preset": args.preset, "frames": args.frames}
    for line in (growth if args.what == "growth" else starts)(pixels, preset, args):
        line = facts | line | circumstances()
        print(line, flush=True)
        store(line, args.out)


def plain(preset: Preset) -> Preset:
    """The preset's fitting alone, weights in half floats."""
    stages = tuple(stage for stage in preset.stages if stage["kind"] == "fit")
    return preset.model_copy(update={"stages": stages, "scheme": {"kind": "raw_fp16"}})


def fit(
    pixels: Tensor, preset: Preset, epochs: int, seed: int = 0, values: Any = None
) -> tuple[EncodedSegment, list[FitRecord]]:
    """One fitting and its records."""
    (stage,) = preset.stages
    warmup_epochs = stage["warmup_epochs"] * epochs // stage["epochs"]
    stages = ({**stage, "epochs": epochs, "warmup_epochs": warmup_epochs},)
    records: list[FitRecord] = []
    encoded = encode_segment(
        pixels.numpy(),
        preset.model_copy(update={"stages": stages}),
        seed,
        samples=preset.samples,
        initial_values=values,
        on_record=records.append,
    )
    return encoded, records


def growth(pixels: Tensor, preset: Preset, args: argparse.Namespace) -> Any:
    """Whole network from the start, and from its stages before the last."""
    config = preset.representation.resolve(*pixels.shape[1:3])
    table = dict(preset.representation)
    for field in ("depths", "expansions", "strides"):
        table[field] = list(getattr(config, field))[:-1]
    small = preset.model_copy(update={"representation": table})
    pooled = F.avg_pool2d(pixels.permute(0, 3, 1, 2).float(), config.strides[-1])
    small_pixels = pooled.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    for epochs in args.epochs:
        _, records = fit(pixels, preset, epochs)
        yield _line("growth: none", epochs, records[-1])
    for small_epochs in args.small_epochs:
        first, before = fit(small_pixels, small, small_epochs)
        for epochs in args.epochs:
            _, records = fit(pixels, preset, epochs, values=first.values)
            more = {"small_epochs": small_epochs, "small_s": before[-1].elapsed_s}
            yield _line("growth", epochs, records[-1]) | more


def starts(pixels: Tensor, preset: Preset, args: argparse.Namespace) -> Any:
    """PSNR of several seeds early on and at the end."""
    for epochs in args.epochs:
        ends, early = [], []
        for seed in range(args.seeds):
            often = mock.patch.multiple(loop, EVALUATION_INTERVAL_S=0.5, EVALUATION_SHARE=1.0)
            with often:
                _, records = fit(pixels, preset, epochs, seed)
            ends.append(records[-1].psnr_db)
            early.append([_psnr_at(records, share) for share in SHARES])
            yield _line("starts", epochs, records[-1]) | {"seed": seed, "early_db": early[-1]}
        for share, of in zip(SHARES, np.array(early).T, strict=True):
            gain = ends[int(np.argmax(of))] - float(np.mean(ends))
            yield {
                "name": f"starts: the best at {share:.0%} against the mean",
                "epochs": epochs,
                "gain_db": gain,
                "best_gain_db": max(ends) - float(np.mean(ends)),
                "correlation": float(np.corrcoef(of, ends)[0, 1]),
            }


def _psnr_at(records: list[FitRecord], share: float) -> float:
    """The last PSNR measured in that share of the steps."""
    last = [r.psnr_db for r in records if r.psnr_db is not None and r.step <= share * r.num_steps]
    return last[-1] if last else 0.0


def _line(name: str, epochs: int, record: FitRecord) -> dict[str, Any]:
    return {
        "name": name,
        "epochs": epochs,
        "psnr_db": record.psnr_db,
        "fit_s": record.elapsed_s,
    }


if __name__ == "__main__":
    main()
