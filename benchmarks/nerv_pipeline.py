"""What each step of NeRV's pipeline costs and saves on a clip: fit, prune, quantize, Huffman.

    python benchmarks/nerv_pipeline.py CLIP --out results/nerv_pipeline.jsonl

Quality of the fitted and of the pruned network is that of its float32 weights; that of the file
comes from `nvc verify` in a process of its own. Sizes: float32 weights; kept weights and one bit of
mask for each; the same at the scheme's bits; the file, with everything in it (NeRV, Figure 6).
Fails when the file is more than half a decibel below the fitted network, or above a quarter of the
float32 weights.
"""

import argparse
import itertools
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call

from common import circumstances, nvc, store
from nvcodec.coding.parameters import AffineTensor, ParameterSet
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Head
from nvcodec.container.writer import NvcWriter
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.presets import Preset, load_preset
from nvcodec.representations import build
from nvcodec.representations.representation import Patches
from nvcodec.samples import Samples, VideoShape
from nvcodec.version import __version__
from nvcodec.video import VideoInfo, open_video
from nvcodec.video.color import planes_to_rgb

MAX_COST_DB = 0.5
MAX_SHARE = 0.25


def entropy_bits(values: np.ndarray) -> float:
    """Number of values times their empirical entropy."""
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def psnr_db(fitting: Fitting) -> float:
    """Mean over all frames, of the float32 network as it stands, rounded to 8 bits."""
    state, psnrs = fitting.state, []
    state.representation.eval()
    with torch.no_grad():
        for t, frame in enumerate(fitting.frames):
            patches = Patches.frames(torch.tensor([t]))
            output = functional_call(state.representation, state.masked(), (patches,))
            error = (output[0, : frame.shape[0], : frame.shape[1]] * 255).round() - frame.float()
            psnrs.append(10 * math.log10(255**2 / float(error.square().mean())))
    state.representation.train()
    return sum(psnrs) / len(psnrs)


def write_file(
    path: Path, info: VideoInfo, preset: Preset, coded: ParameterSet, num_frames: int
) -> dict[str, int]:
    """A file of one segment, as `nvc encode` writes it; gives the sizes of its sections."""
    config = preset.representation.resolve(info.height, info.width)
    head = Head.from_video_info(
        info,
        samples=Samples.RGB,
        representation=config.model_dump(mode="json", exclude_none=True),
        scheme=preset.scheme,
        remark=f"nvcodec {__version__} {preset.name}",
    ).model_copy(update={"num_frames": num_frames})
    sections = load_scheme(preset.scheme).pack(coded)
    writer = NvcWriter(path, head, overwrite=True)
    try:
        writer.write_segment(CodedSegment(0, 0, num_frames, sections, coded.digest()))
        writer.finish()
    finally:
        writer.close()
    return {tag: len(data) for tag, data in sections.items()}


def measure(clip: str, preset: Preset) -> dict:
    """Run the pipeline once."""
    with open_video(clip) as video:
        info = video.info
        pixels = np.stack([planes_to_rgb(planes, info) for planes in video])
    torch.manual_seed(0)
    representation = build(preset.representation, VideoShape(*pixels.shape))
    scheme = load_scheme(preset.scheme)
    fitting = Fitting(
        representation,
        torch.from_numpy(pixels),
        [load_stage(table) for table in preset.stages],
        scheme,
        preset.fitting,
        Samples.RGB,
        seed=0,
    )
    started, cpu_s = time.monotonic(), time.process_time()
    stages = []
    epochs = itertools.accumulate(stage.config.epochs for stage in fitting.stages)
    ends = [n * fitting.batches.steps_per_epoch for n in epochs]
    for record in fitting.run():
        if record.step == ends[record.stage_number]:
            times = {"wall_s": time.monotonic() - started, "cpu_s": time.process_time() - cpu_s}
            stages.append({"stage": record.stage, "psnr_rgb_db": psnr_db(fitting), **times})
            print(json.dumps(stages[-1]), flush=True)
    coded = scheme.quantize(fitting.parameters())
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
                len(symbols) * preset.scheme["bits"] / 8 + mask_bytes + sections["QSCL"]
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--preset", default="nerv-mini")
    parser.add_argument("--set", action="append", default=[], metavar="K=V")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    preset = load_preset(args.preset, args.set)
    line = {
        "name": args.preset,
        "clip": Path(args.clip).name,
        "changes": args.set,
        **measure(args.clip, preset),
        **circumstances(),
    }
    print(json.dumps(line), flush=True)
    if args.out is not None:
        store(line, args.out)
    assert line["cost_db"] <= MAX_COST_DB, f"{line['cost_db']:.2f} dB, {MAX_COST_DB} allowed"
    assert line["share_of_fp32"] <= MAX_SHARE, f"{line['share_of_fp32']}, {MAX_SHARE} allowed"


if __name__ == "__main__":
    main()
