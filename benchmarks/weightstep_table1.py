"""The weight-step paper's experiments: its Table 1 and the tests of sections 4.2 to 4.4.

    python benchmarks/weightstep_table1.py CLIP... --out results/weightstep.jsonl
    python benchmarks/weightstep_table1.py --out results/weightstep.jsonl --report --plot rd.png

Experiments (`--only`, all by default):

    table1    CNN and MLP, each as full sequence, two stages, single stage; H.264, H.265
    dct       the same steps in the domain of the cosine transform
    anew      every frame's network coded anew: what steps must beat
    length    encoding and decoding time against the number of frames
    capacity  wider and narrower networks
    sines     one frame: SIREN against Fourier features, at equal parameters and equal time
    families  one frame: the MLP against the CNN, likewise
    skips     one frame: long skip connections against none, likewise

Every point is a `nvc encode` in a process of its own, measured by `nvc verify` in another; one JSON
line each. Points that OUT holds are skipped: the same command continues. DVC and VCII have no
runnable release here; `--published FILE` draws JSON lines of `name`, `rate_bpp` and `psnr_db`,
labelled as published.
"""

import argparse
import itertools
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from encode_points import measure_all
from nvcodec.bench.baselines import load_baseline
from nvcodec.metrics.quality import QualityMeter
from nvcodec.processes import run
from nvcodec.video import create_video, open_video
from result_lines import circumstances, store, stored

LAMBDAS = (1000, 4000, 16000)
FAMILIES = {
    "mlp": {
        "full": "coin-mlp",
        "width": "width",
        "widths": (20, 28, 40),
        "full_widths": (40, 80),
        "anew_epochs": 460,
    },
    "cnn": {
        "full": "image-cnn",
        "width": "channels",
        "widths": (6, 8, 12),
        "full_widths": (12, 20),
        "anew_epochs": 1750,
    },
}
MODES = ("two-stage", "single-stage")
TOLERANCE_DB = 0.2
ANEW = "--segment-frames 1 --set fitting.warm_start=true"
"""Every frame begins with the network of the one before: better than all epochs from nothing."""
ONE_FRAME = "--frames 0:1 --max-time 40s"
EXPERIMENTS = ("table1", "dct", "anew", "length", "capacity", "sines", "families", "skips")


class Point(NamedTuple):
    """One encoding: the experiment and the name it goes by, and what follows `nvc encode CLIP`."""

    experiment: str
    name: str
    words: str


def points(num_frames: int, lmbdas: Sequence[float]) -> Iterator[Point]:
    """Every encoding of all experiments."""
    middle = lmbdas[len(lmbdas) // 2]
    everything = f"--frames 0:{num_frames}"
    for family, of in FAMILIES.items():
        base = f"representation.base.{of['width']}"
        for mode in MODES:
            preset = f"weightstep-{family}-{mode}"
            for lmbda in lmbdas:
                words = f"--lmbda {lmbda:g} {everything}"
                yield Point("table1", f"{family}/{mode}", f"-p {preset} {words}")
                yield Point("dct", f"{family}/{mode}/dct", f"-p {preset}-dct {words}")
            for frames in length_steps(num_frames):
                words = f"-p {preset} --lmbda {middle:g} --frames 0:{frames}"
                yield Point("length", f"{family}/{mode}", words)
            for width in of["widths"]:
                words = f"--set {base}={width} --lmbda {middle:g} {everything}"
                yield Point("capacity", f"{family}/{mode}/{width}", f"-p {preset} {words}")
        for width in of["full_widths"]:
            words = f"-p {of['full']} --set representation.{of['width']}={width} {everything}"
            yield Point("table1", f"{family}/full", words)
        for width in of["widths"]:
            words = f"--set {base}={width} {ANEW} --epochs {of['anew_epochs']} {everything}"
            yield Point("anew", f"{family}/anew", f"-p weightstep-{family}-two-stage {words}")
    yield from anchors()


def anchors() -> Iterator[Point]:
    """Networks for one frame, at equal time."""
    mlp, cnn = (f"-p weightstep-{family}-two-stage {ONE_FRAME}" for family in FAMILIES)
    yield Point("sines", "siren", mlp)  # 2,607 parameters
    for sigma in (2.0, 4.0, 8.0):  # 2,603
        fourier = (
            "--set representation.base.activation=relu --set representation.base.width=25 "
            "--set representation.base.layers=3 --set representation.base.features=24 "
            f"--set representation.base.sigmas=[{sigma},{sigma}] "
            "--set fitting.optimizer.matrix_learning_rate=0.05 "
            "--set fitting.optimizer.learning_rate=5e-3"
        )
        yield Point("sines", f"fourier/{sigma:g}", f"{mlp} {fourier}")
    yield Point("families", "mlp", f"{mlp} --set representation.base.width=42")
    bits = "--set scheme.bits=8 --set stages.1.bits=8"  # as many as the MLP's
    yield Point("families", "cnn", f"{cnn} {bits}")
    yield Point("skips", "skips", cnn)  # 5,691 parameters; 5,529 without, the nearest there is
    without = "--set representation.base.skip_channels=0 --set representation.base.channels=9"
    yield Point("skips", "none", f"{cnn} {without}")


def length_steps(num_frames: int) -> list[int]:
    """4, 8, 16 ... and all."""
    return [n for n in (4, 8, 16, 32, 64) if n < num_frames] + [num_frames]


def measure_point(clip: str, point: Point, out: Path) -> None:
    """One point, unless it is stored; a point of two experiments is measured once."""
    name, command = (
        f"{point.experiment} {point.name}",
        f"nvc encode {Path(clip).name} {point.words}",
    )
    same = [line for line in stored(out) if line.get("command") == command]
    if not same:
        measure_all(clip, [(name, point.words)], out)
    elif name not in [line["name"] for line in same]:
        store({**same[0], "name": name}, out)


def measure_conventional(clip: str, codec: str, crf: int, frames: slice, scale: str | None) -> dict:
    """One point of a baseline of `nvc bench`, at its own settings."""
    baseline = load_baseline(codec)
    size = (int(scale.split("x")[0]), int(scale.split("x")[1])) if scale else None
    with tempfile.TemporaryDirectory() as folder:
        source, coded = Path(folder) / "in.y4m", Path(folder) / f"out.{baseline.format}"
        with (
            open_video(clip, frames=frames, scale=size) as video,
            create_video(source, video.info) as copy,
        ):
            for planes in video:
                copy.write(planes)
        started = time.monotonic()
        run(baseline.encode_command(source, coded, crf))
        encode_s = time.monotonic() - started
        with open_video(source) as video, open_video(coded) as decoded:
            meter = QualityMeter(video.info)
            for reference, planes in zip(video, decoded, strict=True):
                meter.add(reference, planes)
            num_pixels = meter.num_frames * video.info.width * video.info.height
        size_bytes = coded.stat().st_size
    return {
        "size_bytes": size_bytes,
        "rate_bpp": 8 * size_bytes / num_pixels,
        "quality": {"psnr_rgb_db": meter.quality().psnr_rgb_db},
        "encode_s": encode_s,
        **circumstances(),
    }


def measure_conventionals(clip: str, num_frames: int, scale: str | None, out: Path) -> None:
    """The points that `out` does not hold yet."""
    done = {(line["clip"], line["command"]) for line in stored(out)}
    source = f"--frames 0:{num_frames}" + (f" --scale {scale}" if scale else "")
    for codec in ("x264", "x265"):
        baseline = load_baseline(codec)
        for crf in baseline.rates:
            options = " ".join(baseline.options(crf, baseline.speed, None))
            key = {"clip": Path(clip).name, "command": f"ffmpeg {options} {source}"}
            if tuple(key.values()) not in done:
                measured = measure_conventional(clip, codec, crf, slice(0, num_frames), scale)
                store({"name": f"table1 {codec}", **key, **measured}, out)


def bytes_at(curve: list[tuple[float, int]], psnr_db: float) -> float | None:
    """Bytes of a curve of (PSNR, bytes) at one quality; None outside its points.

    Between points the logarithm of bytes is linear in decibels; up to `TOLERANCE_DB` above the last
    one its bytes are taken, which are too few.
    """
    curve = sorted(curve)
    for (low, fewer), (high, more) in itertools.pairwise(curve):
        if low <= psnr_db <= high:
            return fewer * (more / fewer) ** ((psnr_db - low) / max(high - low, 1e-9))
    best_db, most = curve[-1]
    return most if best_db <= psnr_db <= best_db + TOLERANCE_DB else None


def source_of(line: dict) -> str:
    """A clip, the frames of it and their size."""
    options = re.findall(r"--(?:frames|scale) (\S+)", line["command"])
    return " ".join([line["clip"], *sorted(options)])


def report(lines: list[dict]) -> None:
    """Every point, and steps against networks coded anew at equal quality."""
    curves: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    print(f"{'clip':44} {'technique':34} {'bytes':>9} {'PSNR':>6} {'enc s':>7} {'dec s':>6}")
    for line in sorted(lines, key=lambda line: (source_of(line), line["name"], line["size_bytes"])):
        psnr_db = line["quality"]["psnr_rgb_db"]
        curves[source_of(line), line["name"]].append((psnr_db, line["size_bytes"]))
        times = f"{line.get('encode_s', 0):7.0f} {line.get('decode_s', 0):6.1f}"
        print(
            f"{source_of(line):44} {line['name']:34} {line['size_bytes']:9,} {psnr_db:6.2f} {times}"
        )
    for (clip, name), curve in sorted(curves.items()):
        experiment, _, technique = name.partition(" ")
        anew = curves.get((clip, f"anew {technique.split('/')[0]}/anew"))
        if experiment not in ("table1", "dct", "capacity") or not anew:
            continue
        for psnr_db, size_bytes in sorted(curve):
            other = bytes_at(anew, psnr_db)
            if other:
                share = size_bytes / other
                print(f"{clip}: {technique} takes {share:.0%} of coding anew at {psnr_db:.2f} dB")


def plot(lines: list[dict], published: list[dict], target: Path) -> None:
    """Rate-distortion curves of Table 1, one picture a clip."""
    import matplotlib.pyplot as plt

    lines = [line for line in lines if line["name"].startswith("table1 ")]
    clips = sorted({source_of(line) for line in lines})
    figure, axes = plt.subplots(1, len(clips), figsize=(7 * len(clips), 5), squeeze=False)
    for axis, clip in zip(axes[0], clips, strict=True):
        curves = defaultdict(list)
        for line in lines:
            if source_of(line) == clip:
                curve = curves[line["name"].removeprefix("table1 ")]
                curve.append((line["rate_bpp"], line["quality"]["psnr_rgb_db"]))
        for line in published:
            curves[f"{line['name']} (published, other clips)"].append(
                (line["rate_bpp"], line["psnr_db"])
            )
        for name, curve in sorted(curves.items()):
            axis.plot(*zip(*sorted(curve), strict=True), marker="o", label=name)
        axis.set(title=clip, xlabel="bits a pixel", ylabel="PSNR-RGB, dB", xscale="log")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(target)


def main() -> None:
    """Measure, or show what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", metavar="CLIP")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=EXPERIMENTS)
    parser.add_argument("--techniques", nargs="+", metavar="NAME", help="only these: mlp/anew ...")
    parser.add_argument("--num-frames", type=int, default=30)
    parser.add_argument("--lmbdas", type=float, nargs="+", default=LAMBDAS)
    parser.add_argument("--scale", metavar="WxH")
    parser.add_argument("--words", default="", help="more words for every `nvc encode`")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="PICTURE")
    parser.add_argument("--published", type=Path, metavar="JSONL")
    args = parser.parse_args()
    more = (f" --scale {args.scale}" if args.scale else "") + f" {args.words}".rstrip()
    for clip in args.clips:
        for point in points(args.num_frames, args.lmbdas):
            wanted = args.techniques is None or point.name in args.techniques
            if point.experiment in args.only and wanted:
                measure_point(clip, point._replace(words=point.words + more), args.out)
        if "table1" in args.only:
            measure_conventionals(clip, args.num_frames, args.scale, args.out)
    if args.report:
        report(stored(args.out))
    if args.plot:
        plot(stored(args.out), stored(args.published) if args.published else [], args.plot)


if __name__ == "__main__":
    main()
