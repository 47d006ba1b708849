"""What each step of NeRV's pipeline costs and saves on a clip: fit, prune, quantize, Huffman.

    python benchmarks/nerv_pipeline.py CLIP --out results/nerv_pipeline.jsonl

Quality of the fitted and of the pruned network is that of its float32 weights; that of the file
comes from `nvc verify` in a process of its own. Sizes: float32 weights; kept weights and one bit of
mask for each; the same at the scheme's bits; the file, with everything in it (NeRV, Figure 6).
Fails when the file is more than half a decibel below the fitted network, or above a quarter of the
float32 weights.
"""

import itertools
import math
import tempfile
from pathlib import Path

import numpy as np

from common import Line, entropy_bits, frames_of, measured, nvc, parser_of, write_file
from nvcodec.coding.parameters import AffineTensor
from nvcodec.fitting.evaluation import psnr_db
from nvcodec.presets import Preset, load_preset
from nvcodec.samples import Samples
from nvcodec.segment_encoder import start_fitting
from nvcodec.video import open_video

ROOT = Path(__file__).parent
MAX_COST_DB = 0.5
MAX_SHARE = 0.25


def measure(clip: str, preset: Preset) -> Line:
    """Run the pipeline once."""
    with open_video(clip) as video:
        info = video.info
    pixels = frames_of(clip)
    fitting = start_fitting(pixels.numpy(), preset, seed=0)
    state, stages = fitting.state, []
    epochs = itertools.accumulate(stage.epochs for stage in preset.stages)
    ends = [n * fitting.batches.steps_per_epoch for n in epochs]
    for record in fitting.run():
        if record.step == ends[record.stage_number]:
            quality = psnr_db(state.representation, pixels, Samples.RGB, values=state.masked())
            stages.append(
                {"stage": record.stage, "psnr_rgb_db": quality, "wall_s": record.elapsed_s}
            )
    coded = state.scheme.quantize(fitting.parameters())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.nvc"
        sections = write_file(path, info, preset, coded, len(pixels))
        size_bytes = path.stat().st_size
        verified = nvc("verify", str(path), "--against", clip)[-1]
    tensors = [tensor for tensor in coded.tensors if isinstance(tensor, AffineTensor)]
    kept = [t.symbols.ravel() if t.mask is None else t.symbols[t.mask] for t in tensors]
    symbols = np.concatenate(kept)
    num_parameters = sum(tensor.spec.num_values for tensor in coded.tensors)
    mask_bytes = sum(t.mask.size for t in tensors if t.mask is not None) / 8
    fp32_bytes = 4 * num_parameters
    return {
        "parameters": num_parameters,
        "pruned_share": 1 - len(symbols) / num_parameters,
        "stages": stages,
        "file_psnr_rgb_db": verified["psnr_rgb_db"],
        "cost_db": stages[0]["psnr_rgb_db"] - verified["psnr_rgb_db"],
        "bytes": {
            "fp32": fp32_bytes,
            "pruned": round(4 * len(symbols) + mask_bytes),
            "quantized": round(
                len(symbols) * preset.scheme.bits / 8 + mask_bytes + sections["QSCL"]
            ),
            "file": size_bytes,
        },
        "share_of_fp32": size_bytes / fp32_bytes,
        "rate_bpp": 8 * size_bytes / math.prod(pixels.shape[:3]),
        "sections": sections,
        "symbols_above_entropy": (sections["SYMB"] + sections["ENTP"])
        / (entropy_bits(symbols) / 8 + sections["ENTP"])
        - 1,
    }


def main() -> None:
    """Measure, store one JSON line, and check it."""
    parser = parser_of(__doc__)
    parser.add_argument("clip")
    parser.add_argument(
        "--preset", default=str(ROOT / "experiments" / "presets" / "nerv-mini-pruned.toml")
    )
    parser.add_argument("--set", action="append", default=[], metavar="K=V")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    key = {"name": args.preset, "clip": Path(args.clip).name, "changes": args.set}
    line = measured(args.out, key, lambda: measure(args.clip, load_preset(args.preset, args.set)))
    assert line["cost_db"] <= MAX_COST_DB, f"{line['cost_db']:.2f} dB, {MAX_COST_DB} allowed"
    assert line["share_of_fp32"] <= MAX_SHARE, f"{line['share_of_fp32']}, {MAX_SHARE} allowed"


if __name__ == "__main__":
    main()
