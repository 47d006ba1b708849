"""Ways to spend a fitting's time otherwise, each against the preset's own, within one process.

    python benchmarks/trials.py seeds CLIP...  --out results/stability.jsonl
    python benchmarks/trials.py warm CLIP [--flip] --out results/warm_start.jsonl
    python benchmarks/trials.py growth CLIP --out results/schedules.jsonl
    python benchmarks/trials.py starts CLIP --out results/schedules.jsonl
    python benchmarks/trials.py integers CLIP --preset hinerv-tiny --out results/integers.jsonl

`seeds`: whole short fittings from many seeds; whether any diverges, and how far apart they end.
`warm`: a segment that begins with the weights of the one before, against one that begins anew; with
`--flip` it is turned upside down, as if after a cut. `growth`: all blocks but the last on a picture
smaller by its stride, then the whole network from there. `starts`: several seeds; what the best
after a tenth and after a fifth of the steps is worth at the end. Both without compression.
`integers`: one fitted network, and ways from there to a file: rounding by sensitivity, coarser and
finer, longer and shorter, after pruning; pruning and Quant-Noise as in the papers.
Resumable: the same command continues.
"""

import argparse
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from common import Line, fit, frames_of, measured, parser_of
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import DivergedError
from nvcodec.fitting.configs import load_stage_config
from nvcodec.fitting.evaluation import EvaluationPolicy, psnr_db
from nvcodec.fitting.record import FitRecord
from nvcodec.fitting.step import FittingWarning
from nvcodec.presets import Preset, load_preset
from nvcodec.representations.representation import Representation
from nvcodec.segment_encoder import EncodedSegment, start_fitting

SHARES = (0.1, 0.2)


def plain(preset: Preset, epochs: int) -> Preset:
    """The preset's fitting alone, weights in half floats; the warm-up keeps its share."""
    (stage,) = (stage for stage in preset.stages if stage.kind == "fit")
    warmup = stage.warmup_epochs * epochs // stage.epochs
    shortened = stage.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})
    scheme = load_scheme({"kind": "raw_fp16"}).config
    return preset.model_copy(update={"stages": (shortened,), "scheme": scheme})


def ending(records: list[FitRecord]) -> Line:
    """What the last record says."""
    return {"psnr_db": records[-1].psnr_db, "fit_s": records[-1].elapsed_s}


def seeds(path: str, args: argparse.Namespace, key: Line) -> None:
    """Quality of every seed's fitting, and what went astray."""

    def measure(seed: int) -> Line:
        preset = load_preset(args.preset, epochs=args.epochs[0])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FittingWarning)
            try:
                _, records = fit(frames_of(path, preset.samples, args.frames), preset, seed)
            except DivergedError as error:
                return {"psnr_db": None, "troubles": [str(error)]}
        troubles = [str(w.message) for w in caught if issubclass(w.category, FittingWarning)]
        return {**ending(records), "troubles": troubles}

    key = {**key, "epochs": args.epochs[0]}
    found = [
        measured(args.out, {**key, "seed": s}, lambda s=s: measure(s)) for s in range(args.seeds)
    ]
    ends = sorted(line["psnr_db"] for line in found if line["psnr_db"] is not None)
    print(
        f"{len(found)} seeds, {ends[0]:.2f} to {ends[-1]:.2f} dB, median "
        f"{statistics.median(ends):.2f}; {sum(bool(line['troubles']) for line in found)} set back"
    )


def warm(path: str, args: argparse.Namespace, key: Line) -> None:
    """The second half of the frames, from random values and from the first half's."""
    preset = load_preset(args.preset, epochs=args.first_epochs)
    before, after = frames_of(path, preset.samples, 2 * args.frames).split(args.frames)
    if args.flip:
        after = after.flip(1, 2)
    first, _ = fit(before, preset)

    def measure(epochs: int, values: Any) -> Line:
        encoded, records = fit(after, load_preset(args.preset, epochs=epochs), values=values)
        return {**ending(records), "size_bytes": sum(map(len, encoded.sections.values()))}

    for epochs in args.epochs:
        for name, values in (("cold", None), ("warm", first.values)):
            own = {"name": name, "flipped": args.flip, "first_epochs": args.first_epochs}
            measured(
                args.out, {**key, **own, "epochs": epochs},
                lambda epochs=epochs, values=values: measure(epochs, values),
            )  # fmt: skip


def growth(path: str, args: argparse.Namespace, key: Line) -> None:
    """Whole network from the start, and from its blocks before the last."""
    preset = load_preset(args.preset)
    pixels = frames_of(path, preset.samples, args.frames)
    config = preset.representation.resolve(*pixels.shape[1:3])
    shorter = {name: getattr(config, name)[:-1] for name in ("depths", "expansions", "strides")}
    small = preset.model_copy(update={"representation": config.model_copy(update=shorter)})
    pooled = F.avg_pool2d(pixels.permute(0, 3, 1, 2).float(), config.strides[-1])
    small_pixels = pooled.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    for small_epochs in (0, *args.small_epochs):
        values, more = None, {}
        if small_epochs:
            first, before = fit(small_pixels, plain(small, small_epochs))
            values, more = first.values, {"small_s": before[-1].elapsed_s}
        for epochs in args.epochs:
            own = {**key, "name": "growth", "small_epochs": small_epochs, "epochs": epochs}
            measured(
                args.out, own,
                lambda epochs=epochs, values=values, more=more: {
                    **ending(fit(pixels, plain(preset, epochs), values=values)[1]), **more,
                },
            )  # fmt: skip


def starts(path: str, args: argparse.Namespace, key: Line) -> None:
    """PSNR of several seeds early on and at the end."""
    preset = load_preset(args.preset)
    pixels = frames_of(path, preset.samples, args.frames).numpy()
    often = EvaluationPolicy(interval_s=0.5, share=1.0)

    def measure(epochs: int, seed: int) -> Line:
        fitting = start_fitting(
            pixels, plain(preset, epochs), seed, samples=preset.samples, evaluation=often
        )
        records = list(fitting.run())
        seen = [(r.step / r.num_steps, r.psnr_db) for r in records if r.psnr_db is not None]
        early = [[db for at, db in seen if at <= share][-1:] or [0.0] for share in SHARES]
        return {**ending(records), "early_db": [values[0] for values in early]}

    for epochs in args.epochs:
        lines = [
            measured(
                args.out, {**key, "name": "starts", "epochs": epochs, "seed": seed},
                lambda epochs=epochs, seed=seed: measure(epochs, seed),
            )
            for seed in range(args.seeds)
        ]  # fmt: skip
        ends = [line["psnr_db"] for line in lines]
        for share, early in zip(SHARES, np.array([ln["early_db"] for ln in lines]).T, strict=True):
            gain = ends[int(np.argmax(early))] - statistics.mean(ends)
            print(
                f"{epochs} epochs: the best at {share:.0%} is {gain:+.2f} dB from the mean at the "
                f"end, the best of all {max(ends) - statistics.mean(ends):+.2f} dB; correlation "
                f"{np.corrcoef(early, ends)[0, 1]:.2f}"
            )


def rounding(**changes: Any) -> Line:
    """A table of stage `round` as in the presets, with changes."""
    return {"kind": "round", "epochs": 8, "learning_rate_scale": 0.1, **changes}


PRUNE = {"kind": "prune", "epochs": 12, "ratio": 0.15, "learning_rate_scale": 0.3}
NOISE = {"kind": "quant_noise", "epochs": 8, "learning_rate_scale": 0.1}
WAYS: dict[str, tuple[int, list[Line]]] = {
    **{f"error ratio {c:g}": (8, [rounding(error_ratio=c)]) for c in (0.1, 0.25, 0.5, 1, 2)},
    **{f"{n} epochs": (8, [rounding(epochs=n)]) for n in (0, 2, 4, 16, 32)},
    **{f"rate {r:g}": (8, [rounding(learning_rate_scale=r)]) for r in (0.03, 0.3)},
    "pruned 15 % by size first": (8, [PRUNE, rounding()]),
    "pruned 15 % by sensitivity first": (8, [{**PRUNE, "score": "sensitivity"}, rounding()]),
    "pruned 15 %, Quant-Noise": (6, [PRUNE, NOISE]),
    "Quant-Noise": (6, [NOISE]),
    "Quant-Noise, 5 bits": (5, [NOISE]),
}
"""Bits of a symbol, and stages."""


def fitted(
    pixels: Tensor, preset: Preset, epochs: int, seed: int
) -> tuple[Representation[Any], list[FitRecord]]:
    """The preset's network after its fitting alone, and the records on the way."""
    fitting = start_fitting(pixels.numpy(), plain(preset, epochs), seed, samples=preset.samples)
    records = list(fitting.run())
    return fitting.state.representation, records


def values_of(network: Representation[Any]) -> dict[str, NDArray[np.float32]]:
    """A copy of its parameters."""
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def outcome(
    encoded: EncodedSegment, network: Representation[Any], pixels: Tensor, preset: Preset
) -> Line:
    """Bytes of a coded segment, the quality that a network has with its values, and its time."""
    seen = {name: torch.from_numpy(array).float() for name, array in encoded.values.items()}
    return {
        "psnr_db": psnr_db(network, pixels, preset.samples, values=seen),
        "size_bytes": sum(map(len, encoded.sections.values())),
        "seconds": encoded.fit_s,
    }


def integers(path: str, args: argparse.Namespace, key: Line) -> None:
    """Bytes and quality of one fitted network after each way."""
    preset = load_preset(args.preset)
    pixels = frames_of(path, preset.samples, args.frames)
    (stage,) = (stage for stage in preset.stages if stage.kind == "fit")
    network, records = fitted(pixels, preset, stage.epochs, args.seed)
    values = values_of(network)
    whole_db = psnr_db(network, pixels, preset.samples)

    def measure(bits: int, stages: list[Line]) -> Line:
        scheme = load_scheme({"kind": "arithmetic", "bits": bits}).config
        loaded = tuple(map(load_stage_config, stages))
        changed = preset.model_copy(update={"stages": loaded, "scheme": scheme})
        encoded, _ = fit(pixels, changed, args.seed, values)
        line = outcome(encoded, network, pixels, preset)
        return {"fitted_db": whole_db, "fit_s": records[-1].elapsed_s, **line}

    for name, (bits, stages) in WAYS.items():
        own = {"name": name, "seed": args.seed, "epochs": stage.epochs}
        measured(args.out, {**key, **own}, lambda b=bits, s=stages: measure(b, s))


TRIALS = {"seeds": seeds, "warm": warm, "growth": growth, "starts": starts, "integers": integers}


def main() -> None:
    """Measure what is missing."""
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=TRIALS)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--frames", type=int, default=24, help="of each segment")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--first-epochs", type=int, default=20, help="warm: of the segment before")
    parser.add_argument("--small-epochs", type=int, nargs="+", default=[10, 20], help="growth")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="integers")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for path in args.clips:
        key = {"clip": Path(path).name, "preset": args.preset, "frames": args.frames}
        TRIALS[args.what](path, args, key)


if __name__ == "__main__":
    main()
