"""How fast a network decodes: as NeRV's paper measures it, and end to end.

    python benchmarks/nerv_speed.py --preset nerv-s --size 1280x720 --out results/speed.jsonl

Speed does not depend on the weights' values, so the file holds an unfitted network. Counted are

- forward: the network's passes alone, after a warm-up, on weights and frame indices that lie on the
  device; no rounding, no copy (NeRV, section 4.3 and its repository: ten passes a frame);
- render: the decoder's frames as 8-bit pixels in memory;
- decode: `nvc decode FILE -o OUT.y4m` in a fresh process, from its start to its end.

FP16 is half precision on a GPU; a CPU computes in float32.
"""

import argparse
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import torch

from common import circumstances, nvc, store
from nerv_pipeline import write_file
from nvcodec.coding.parameters import Parameter
from nvcodec.coding.schemes import load_scheme
from nvcodec.decoder import Decoder
from nvcodec.presets import Preset, load_preset
from nvcodec.representations import build
from nvcodec.representations.representation import Patches
from nvcodec.samples import VideoShape
from nvcodec.segment_decoder import SegmentDecoder, select_device
from nvcodec.video import Chroma, VideoInfo


def write_unfitted(path: Path, preset: Preset, size: tuple[int, int], num_frames: int) -> int:
    """A file with an initialised network; gives its number of parameters."""
    info = VideoInfo(*size, Chroma.YUV420, Fraction(25), num_frames=num_frames)
    torch.manual_seed(0)
    shape = VideoShape(num_frames, info.height, info.width, 3)
    network = build(preset.representation, shape)
    values = dict(network.named_parameters())
    fitted = [Parameter(s, values[s.name].detach().numpy()) for s in network.specs]
    coded = load_scheme(preset.scheme).quantize(fitted)
    write_file(path, info, preset, coded, num_frames)
    return network.config.num_parameters(shape)


def forward_fps(decoder: SegmentDecoder, num_frames: int, passes: int) -> float:
    """Frames a second of the network alone."""
    device = decoder.device
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    indices = [Patches.frames(torch.tensor([t], device=device)) for t in range(num_frames)]
    with decoder.inference():
        decoder.representation(indices[0])
        wait()
        started = time.monotonic()
        for patches in indices:
            for _ in range(passes):
                decoder.representation(patches)
        wait()
    return passes * num_frames / (time.monotonic() - started)


def measure(preset: str, size: tuple[int, int], frames: int, passes: int, device: str) -> dict:
    """The three speeds, FP16 and float32."""
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unfitted.nvc"
        parameters = write_unfitted(path, load_preset(preset), size, frames)
        for precision in ("fp16", "fp32"):
            with Decoder(path, device=device, precision=precision) as video:
                started = time.monotonic()
                ((_, coded),) = video.segments()
                decoder = SegmentDecoder(
                    video.head, coded, video.device, precision, limits=video.limits
                )
                open_s = time.monotonic() - started
            forward = forward_fps(decoder, frames, passes)
            started = time.monotonic()
            for t in range(frames):
                decoder.pixels(t)
            render = frames / (time.monotonic() - started)
            started = time.monotonic()
            words = ("-o", str(Path(folder) / "out.y4m"), "-y", "--device", device)
            nvc("decode", str(path), *words, "--precision", precision)
            speeds[precision] = {
                "forward_fps": forward,
                "weights_s": open_s,
                "render_fps": render,
                "decode_fps": frames / (time.monotonic() - started),
            }
    return {"parameters": parameters, **speeds}


def main() -> None:
    """Measure and store one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="paper/nerv-bunny-s")
    parser.add_argument("--size", default="1280x720", metavar="WxH")
    parser.add_argument("--frames", type=int, default=132)
    parser.add_argument("--passes", type=int, default=10, help="forward passes a frame")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    line = {
        "name": args.preset,
        "size": args.size,
        "frames": args.frames,
        "passes": args.passes,
        **measure(args.preset, (width, height), args.frames, args.passes, args.device),
        **circumstances(),
    }
    if select_device(args.device).type == "cuda":
        line["device"] = torch.cuda.get_device_name()
    print(json.dumps(line), flush=True)
    if args.out is not None:
        store(line, args.out)


if __name__ == "__main__":
    main()
