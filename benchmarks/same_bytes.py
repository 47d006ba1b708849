"""Whether two checkouts write the same bytes: the net under a change that shall change nothing.

    git worktree add ../before HEAD~1
    python benchmarks/same_bytes.py --against ../before            # about four minutes on a core
    python benchmarks/same_bytes.py --against ../before --quick    # tiny presets only

Both encode the tiny presets of the tests on small clips of every kind of samples, and the embedded
clip with a preset of each family, one thread, seed 0; each once in one go and once stopped twice
and continued by other processes. Compared are the files, the frames that each checkout decodes from
its own, those of golden files among them. `--pixels` compares the frames alone,
for a change that alters bytes on purpose.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "benchmarks" / "clips" / "bbb_320x180_48f.mp4"
PRESETS = ("hinerv-mini", "nvrc-tiny", "nerv-tiny", "weightstep-mlp-two-stage")
STOPS = (13, 25)
"""How often a run is asked whether to stop before it does: frames read, then steps."""


def write_clips(folder: Path) -> None:
    """Waves that move, in every kind of samples, and the first frames of the embedded clip."""
    from nvcodec.video import Chroma, VideoInfo, create_video, open_video

    for chroma in ("420", "444", "gray"):
        info = VideoInfo(32, 32, Chroma(chroma), Fraction(25))
        with create_video(folder / f"{chroma}.y4m", info) as target:
            for t in range(8):
                planes = []
                for c, (h, w) in enumerate(info.chroma.plane_shapes(32, 32)):
                    y, x = np.mgrid[:h, :w]
                    wave = np.sin(6 * x / w + 0.3 * t + c) + np.cos(5 * y / h - 0.3 * t - c)
                    planes.append(np.round(128 + 45 * wave).astype(np.uint8))
                target.write(tuple(planes))
    with (
        open_video(CLIP, frames=slice(0, 8)) as video,
        create_video(folder / "bbb.y4m", video.info) as copy,
    ):
        for planes in video:
            copy.write(planes)


def cases(checkout: Path, quick: bool) -> Iterator[tuple[str, str, str, int | None]]:
    """Name, clip, preset and epochs of every encoding."""
    for path in sorted((checkout / "tests" / "presets").glob("*.toml")):
        yield path.stem, "420.y4m", str(path), None
    for chroma in ("444", "gray"):
        for stem in ("tiny", "tiny-nvrc"):
            path = checkout / "tests" / "presets" / f"{stem}.toml"
            yield f"{stem} {chroma}", f"{chroma}.y4m", str(path), None
    for preset in () if quick else PRESETS:
        yield preset, "bbb.y4m", preset, 3


def encode(clip: Path, out: Path, preset: str, epochs: int | None, stop: int | None) -> bool:
    """Encode, or go on with, a file; stop when asked that often. Whether it is done."""
    from nvcodec.encoder import encode as encode_video
    from nvcodec.errors import InterruptedEncodeError
    from nvcodec.presets import load_preset

    asked = itertools.count()
    try:
        encode_video(
            str(clip),
            str(out),
            load_preset(preset, (), epochs),
            should_stop=lambda: stop is not None and next(asked) >= stop,
        )
    except InterruptedEncodeError:
        return False
    return True


def frames_hash(path: Path) -> str:
    """Of every decoded sample; in words why there are none."""
    from nvcodec.decoder import Decoder
    from nvcodec.errors import NvcError

    state = hashlib.sha256()
    try:
        with Decoder(path, device="cpu", precision="fp32") as video:
            for planes in video.planes():
                for plane in planes:
                    state.update(plane.tobytes())
    except NvcError as error:
        return f"{type(error).__name__}: {error}"
    return state.hexdigest()


def run_part(part: int, folder: Path, clips: Path, checkout: Path, quick: bool) -> dict[str, Any]:
    """What one process of a checkout does; the last also decodes."""
    found = {}
    for name, clip, preset, epochs in cases(checkout, quick):
        one, pieces = (folder / f"{name} {how}.nvc".replace(" ", "-") for how in ("one", "pieces"))
        if part == 0:
            assert encode(clips / clip, one, preset, epochs, None)
        stop = (*STOPS, None)[part]
        if not pieces.exists():
            encode(clips / clip, pieces, preset, epochs, stop)
        if stop is None:
            found[name] = {
                "file": hashlib.sha256(one.read_bytes()).hexdigest(),
                "file in pieces": hashlib.sha256(pieces.read_bytes()).hexdigest(),
                "bytes": one.stat().st_size,
                "frames": frames_hash(one),
            }
    if part == len(STOPS):
        for path in sorted((checkout / "tests" / "golden").glob("*.nvc")):
            found[f"golden {path.stem}"] = {"frames": frames_hash(path)}
    return found


def run_checkout(checkout: Path, clips: Path, folder: Path, quick: bool) -> dict[str, Any]:
    """All parts of a checkout, each in a process of its own."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    for part in range(len(STOPS) + 1):
        words = ["--part", str(part), "--folder", str(folder), "--clips", str(clips)]
        done = subprocess.run(
            [sys.executable, __file__, "--against", str(checkout), *words, *["--quick"] * quick],
            env=environment, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    return json.loads(done.stdout)


def main() -> None:
    """Run both checkouts and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True, help="the other checkout")
    parser.add_argument("--quick", action="store_true", help="tiny presets only")
    parser.add_argument("--pixels", action="store_true", help="only frames have to be equal")
    for hidden in ("--part", "--folder", "--clips"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part is not None:
        folder, clips = Path(args.folder), Path(args.clips)
        print(json.dumps(run_part(int(args.part), folder, clips, args.against, args.quick)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_clips(folder)
        ours = run_checkout(ROOT, folder, folder / "ours", args.quick)
        theirs = run_checkout(args.against.resolve(), folder, folder / "theirs", args.quick)
    num_different = 0
    for name, mine in ours.items():
        other = theirs.get(name, {})
        different = [key for key in mine if mine[key] != other.get(key)]
        if mine.get("file") != mine.get("file in pieces"):
            different.append("file and file in pieces")
        judged = [key for key in different if not args.pixels or key == "frames"]
        num_different += bool(judged)
        words = f"differs: {', '.join(different)}" if different else "same"
        sizes = f"{mine['bytes']:,} bytes" if "bytes" in mine else "decoded"
        print(f"{name:<32} {sizes:>16}  {words}")
    if num_different:
        raise SystemExit(f"{num_different} of {len(ours)} differ")


if __name__ == "__main__":
    main()
