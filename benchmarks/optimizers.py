"""Optimizers for each kind of parameter: PSNR and time of a plain fitting, uncompressed.

    pip install --no-deps pytorch-optimizer schedulefree
    python benchmarks/optimizers.py CLIP --preset hinerv-mini --out results/optimizers.jsonl

Weight matrices and kernels, feature grids, and the rest (biases, narrow matrices) may each have an
optimizer and a rate of their own. SOAP and schedule-free AdamW are those of the packages above;
`ours` is what presets have. Resumable: the same command continues.
"""

import argparse
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common import Line, frames_of, measured, parser_of
from nvcodec.coding.parameters import Role
from nvcodec.fitting.evaluation import EvaluationPolicy, psnr_db
from nvcodec.fitting.optimizers import MIN_MATRIX_SIDE, Muon
from nvcodec.presets import load_preset
from nvcodec.segment_encoder import start_fitting


@dataclasses.dataclass(frozen=True)
class Recipe:
    """An optimizer and its rate for weights, grids and the rest."""

    weights: tuple[str, float] = ("muon", 0.02)
    grids: tuple[str, float] = ("adam", 1e-2)
    rest: tuple[str, float] = ("adam", 5e-3)
    betas: tuple[float, float] = (0.9, 0.999)
    only_wide: bool = False
    """Depth-wise kernels are left to the rest."""


def everything(kind: str, rate: float, **more: Any) -> Recipe:
    """One optimizer for all parameters."""
    return Recipe((kind, rate), (kind, rate), (kind, rate), **more)


RECIPES = {
    "ours": Recipe(),
    "adam 2e-3 (the papers')": everything("adam", 2e-3),
    "adam 5e-3": everything("adam", 5e-3),
    "adam 1e-2": everything("adam", 1e-2),
    "adam 2e-2": everything("adam", 2e-2),
    "adam 1e-2, betas 0.9 0.99": everything("adam", 1e-2, betas=(0.9, 0.99)),
    "adam 1e-2, betas 0.95 0.95": everything("adam", 1e-2, betas=(0.95, 0.95)),
    "schedule-free 5e-3": everything("schedule-free", 5e-3),
    "schedule-free 1e-2": everything("schedule-free", 1e-2),
    "schedule-free 2e-2": everything("schedule-free", 2e-2),
    "soap 5e-3 on weights": Recipe(weights=("soap", 5e-3), rest=("adam", 1e-2)),
    "soap 1e-2 on weights": Recipe(weights=("soap", 1e-2), rest=("adam", 1e-2)),
    "soap 2e-2 on weights": Recipe(weights=("soap", 2e-2), rest=("adam", 1e-2)),
    "muon, but depth-wise kernels under adam": Recipe(only_wide=True),
    "muon on grids too": Recipe(grids=("muon", 0.02)),
    "muon 0.01": Recipe(weights=("muon", 0.01)),
    "muon 0.03": Recipe(weights=("muon", 0.03)),
    "muon, grids 5e-3": Recipe(grids=("adam", 5e-3)),
    "muon, grids 2e-2": Recipe(grids=("adam", 2e-2)),
    "muon, the rest 2e-3": Recipe(rest=("adam", 2e-3)),
    "muon, the rest 1e-2": Recipe(rest=("adam", 1e-2)),
}


def make(
    recipe: Recipe, parameters: Mapping[str, Tensor], roles: Mapping[str, Role]
) -> list[torch.optim.Optimizer]:
    """The recipe's optimizers; `initial_lr` is the rate at the top of the schedule."""
    groups: dict[tuple[str, float], list[Tensor]] = {}
    for name, parameter in parameters.items():
        narrow = (
            parameter.ndim < 2 or min(parameter.shape[0], parameter[0].numel()) < MIN_MATRIX_SIDE
        )
        depthwise = parameter.ndim == 4 and parameter.shape[1] == 1
        if roles[name] is Role.GRID:
            kind = recipe.grids
        elif roles[name] is Role.WEIGHT and not narrow and not (recipe.only_wide and depthwise):
            kind = recipe.weights
        else:
            kind = recipe.rest
        groups.setdefault(kind, []).append(parameter)
    return [
        _optimizer(kind, rate, members, recipe.betas) for (kind, rate), members in groups.items()
    ]


def _optimizer(
    kind: str, rate: float, parameters: Sequence[Tensor], betas: tuple[float, float]
) -> torch.optim.Optimizer:
    group = {"params": list(parameters), "lr": rate, "initial_lr": rate}
    if kind == "muon":
        return Muon(parameters, rate)
    if kind == "soap":
        from pytorch_optimizer import SOAP

        return SOAP([group], lr=rate, weight_decay=0.0, precondition_frequency=10)
    if kind == "schedule-free":
        from schedulefree import AdamWScheduleFree

        optimizer = AdamWScheduleFree([group], lr=rate, betas=betas)
        optimizer.train()
        return optimizer
    return torch.optim.Adam([group], betas=betas)


def fit(recipe: Recipe, args: argparse.Namespace) -> Line:
    """PSNR of the samples that are fitted, in dB, and seconds."""
    preset = load_preset(args.preset)
    (stage,) = (stage for stage in preset.stages if stage.kind == "fit")
    is_free = "schedule-free" in (recipe.weights[0], recipe.grids[0], recipe.rest[0])
    changes = {
        "epochs": args.epochs,
        "warmup_epochs": max(1, args.epochs // 10),
        "final_ratio": 1.0 if is_free else 0.01,
    }
    preset = preset.model_copy(update={"stages": (stage.model_copy(update=changes),)})
    made: list[torch.optim.Optimizer] = []

    def of_recipe(
        parameters: Mapping[str, Tensor], roles: Mapping[str, Role], *_: Any
    ) -> list[torch.optim.Optimizer]:
        made.extend(make(recipe, parameters, roles))
        return made

    pixels = frames_of(args.clip, preset.samples, args.frames)
    fitting = start_fitting(
        pixels.numpy(),
        preset,
        args.seed,
        samples=preset.samples,
        make_optimizers=of_recipe,
        evaluation=EvaluationPolicy(interval_s=math.inf),
    )
    *_, last = fitting.run()
    for optimizer in made:
        if hasattr(optimizer, "eval"):
            optimizer.eval()
    quality = psnr_db(fitting.state.representation, pixels, preset.samples)
    return {"psnr_db": quality, "fit_s": fitting.elapsed_s, "steps": last.step}


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("clip")
    parser.add_argument("--preset", default="hinerv-mini")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    setting = {
        "clip": Path(args.clip).name, "preset": args.preset, "epochs": args.epochs,
        "frames": args.frames, "seed": args.seed,
    }  # fmt: skip
    lines = [
        measured(args.out, {"name": name, **setting}, lambda name=name: fit(RECIPES[name], args))
        for name in args.only
    ]
    for line in sorted(lines, key=lambda line: -line["psnr_db"]):
        print(f"{line['name']:<40} {line['psnr_db']:6.2f} dB {line['fit_s']:5.0f} s")


if __name__ == "__main__":
    main()
