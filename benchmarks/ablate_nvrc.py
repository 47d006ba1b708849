"""NVRC without one of its parts: BD-rate of each variant against the whole (NVRC, Table 3).

    python benchmarks/ablate_nvrc.py CLIP --preset nvrc-tiny --epochs 40 --out results/ablate.jsonl

V1 one Gaussian a tensor, V2 no context model, V3 both, V4 side information uncoded, V5 fixed bin
widths (e^-4); and no rate term, rate steps of their own (the paper's alternation). Resumable: the
same command continues. A variant that is worse has a positive BD-rate.
"""

import argparse
from pathlib import Path

from bd_rate import bd_rate, curves
from encode_points import measure_all
from result_lines import stored

VARIANTS = {
    "full": [],
    "V1": ["scheme.per_tensor=true"],
    "V2": ["scheme.context=false"],
    "V3": ["scheme.per_tensor=true", "scheme.context=false"],
    "V4": ["scheme.phi_coded=false"],
    "V5": ["stages.1.learn_steps=false", "stages.1.log2_step=-5.77"],
    "no-rate": ["stages.1.rate_every=0"],
    "alternating": ["stages.1.rate_every=8"],
}


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--preset", default="nvrc-mini")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--lmbdas", type=float, nargs="+", default=[50, 150, 400, 1000])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    points = []
    for variant in args.variants:
        words = " ".join(f"--set {change}" for change in VARIANTS[variant])
        for lmbda in args.lmbdas:
            text = f"-p {args.preset} --epochs {args.epochs} --lmbda {lmbda:g} {words}".strip()
            points.append((f"{variant}/{lmbda:g}", text))
    measure_all(args.clip, points, args.out)
    found = curves(stored(args.out))
    clip = Path(args.clip).name
    for variant in VARIANTS:
        if not {(clip, "full"), (clip, variant)} <= found.keys():
            continue
        change = bd_rate(found[clip, "full"], found[clip, variant])
        text = "no overlap" if change is None else f"{change:+.1f} %"
        print(f"{variant:<12} {text}")


if __name__ == "__main__":
    main()
