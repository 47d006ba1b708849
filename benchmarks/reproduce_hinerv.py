"""HiNeRV's printed quality: train a paper preset on Bunny 720p and compare (HiNeRV, Table 1).

    python benchmarks/reproduce_hinerv.py bigbuckbunny.mp4 --preset paper/hinerv-bunny-xxs \
        --workdir runs/xxs --minutes 8.5

Needs a GPU for the real thing: 300 epochs of 132 frames. Stops after `--minutes` with its state in
`--workdir`; the same command goes on, until it prints the result and appends it to `--out`.
`--cpu-check` runs the same code at toy size on the embedded clip and checks that stopping and
continuing changes nothing.
"""

import argparse
import datetime
import json
import math
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import InterruptedEncodeError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.fitting.loop import Fitting
from nvcodec.fitting.stages import load_stage
from nvcodec.presets import Preset, load_preset
from nvcodec.representations import build
from nvcodec.samples import Samples, VideoShape
from nvcodec.segment_decoder import select_device
from nvcodec.version import __version__
from nvcodec.video import open_video
from nvcodec.video.color import planes_to_rgb

PRINTED_DB = {
    "paper/hinerv-bunny-xxs": 36.37,
    "paper/hinerv-bunny-xs": 38.94,
    "paper/hinerv-bunny-s": 41.14,
}
TOY = ("representation.channels=24", "fitting.patch_size=[60,80]", "fitting.batch_size=12")


def read_rgb(path: str, num_frames: int | None) -> np.ndarray:
    """Frames as RGB, uint8 (T, H, W, 3)."""
    with open_video(path, frames=slice(0, num_frames)) as video:
        return np.stack([planes_to_rgb(planes, video.info) for planes in video])


def make_fitting(
    rgb: np.ndarray,
    preset: Preset,
    device: torch.device,
    workdir: Path,
    epochs: int,
    time_limit_s: float | None = None,
) -> Fitting:
    """The preset's first stage alone: quality before compression, as the paper's Table 1.

    Its warm-up keeps its share of the epochs.
    """
    torch.manual_seed(0)
    network = build(preset.representation, VideoShape(*rgb.shape)).to(device)
    first = preset.stages[0]
    warmup = round(first.get("warmup_epochs", 0) * epochs / first["epochs"])
    stage = load_stage({**first, "epochs": epochs, "warmup_epochs": warmup})
    digest = f"{preset.model_dump_json()} {rgb.shape} {epochs} {time_limit_s}"
    return Fitting(
        network,
        torch.from_numpy(rgb).to(device),
        [stage],
        load_scheme({"kind": "raw_fp16"}),
        preset.fitting,
        Samples.RGB,
        0,
        CheckpointStore(workdir, "fit", digest),
        time_limit_s,
    )


def measure_db(fitting: Fitting) -> tuple[float, float]:
    """Mean PSNR over frames: of unrounded float output (the paper's measure), and of 8 bits."""
    exact, rounded = [], []
    network, frames = fitting.state.representation, fitting.frames
    with torch.no_grad():
        for t in range(len(frames)):
            output = network.render(torch.tensor([t], device=frames.device))[0] * 255
            target = frames[t].float()
            for values, kept in ((output, exact), (output.round(), rounded)):
                error = float((values - target).square().mean())
                kept.append(10 * math.log10(255**2 / max(error, 1e-9)))
    return sum(exact) / len(exact), sum(rounded) / len(rounded)


def run(args: argparse.Namespace, overrides: tuple[str, ...] = ()) -> dict[str, object] | None:
    """Go on for `args.minutes`; the result, or None when there is more to do."""
    preset = load_preset(args.preset, overrides)
    device = select_device(args.device)
    epochs = args.epochs or int(preset.stages[0]["epochs"])
    workdir = Path(args.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    fitting = make_fitting(read_rgb(args.clip, args.frames), preset, device, workdir, epochs)
    until = time.monotonic() + 60 * args.minutes
    record = None
    try:
        for record in fitting.run(lambda: time.monotonic() > until):
            if sys.stderr.isatty() or record.step == record.num_steps:
                print(f"step {record.step}/{record.num_steps} {record.psnr_db} dB", file=sys.stderr)
    except InterruptedEncodeError:
        where = f" at step {record.step} of {record.num_steps}" if record else ""
        print(f"stopped{where}; run the same command to go on", file=sys.stderr)
        return None
    exact, rounded = measure_db(fitting)
    printed = None if overrides else PRINTED_DB.get(args.preset)
    cuda = device.type == "cuda"
    return {
        "benchmark": "reproduce_hinerv",
        "date": datetime.date.today().isoformat(),
        "command": " ".join(sys.argv),
        "preset": args.preset,
        "clip": Path(args.clip).name,
        "shape": list(fitting.frames.shape),
        "parameters": sum(p.numel() for p in fitting.state.representation.parameters()),
        "epochs": epochs,
        "psnr_db": exact,
        "psnr_8bit_db": rounded,
        "printed_db": printed,
        "difference_db": exact - printed if printed is not None else None,
        "fit_s": fitting.elapsed_s,
        "frames_per_s": epochs * len(fitting.frames) / fitting.elapsed_s,
        "device": torch.cuda.get_device_name(device) if cuda else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": {"nvcodec": __version__, "torch": torch.__version__},
    }


def cpu_check() -> None:
    """The same path at toy size: once in one go, once in two pieces."""
    results = []
    for pieces in (False, True):
        with tempfile.TemporaryDirectory() as workdir:
            args = argparse.Namespace(
                clip=str(Path(__file__).parent / "clips" / "bbb_320x180_48f.mp4"),
                preset="paper/hinerv-bunny-xxs",
                workdir=workdir,
                device="cpu",
                frames=4,
                epochs=2,
                minutes=0.0 if pieces else 60.0,
            )
            if pieces:
                assert run(args, TOY) is None
                args.minutes = 60.0
            results.append(run(args, TOY))
    first, second = results
    assert first is not None
    assert second is not None
    assert first["psnr_db"] == second["psnr_db"], (first["psnr_db"], second["psnr_db"])
    print(json.dumps(first))


def main() -> None:
    """Parse, run, print, append."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clip", nargs="?", help="Bunny 720p, 132 frames")
    parser.add_argument("--preset", default="paper/hinerv-bunny-xxs")
    parser.add_argument("--workdir", default="runs/reproduce_hinerv")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--epochs", type=int, help="instead of the preset's 300")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--out", type=Path, help="JSON lines to append to")
    parser.add_argument("--cpu-check", action="store_true")
    args = parser.parse_args()
    if args.cpu_check:
        cpu_check()
        return
    if args.clip is None:
        parser.error("a clip is needed, or --cpu-check")
    result = run(args)
    if result is None:
        raise SystemExit(75)  # EX_TEMPFAIL: more to do
    print(json.dumps(result))
    if args.out:
        with args.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
