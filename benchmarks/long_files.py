"""What length costs: memory of encoding and decoding, time and bytes of reaching a frame.

    python benchmarks/long_files.py --out benchmarks/results/long_files.jsonl

Memory is the highest of a process, for 2 and for 20 segments of the same kind, with one worker. For
seeking, one small segment is written 10, 1,000 and 10,000 times into a file. Within a process a
file is opened through an object that counts bytes, and a frame of it taken, the first time apart
from later ones; as a command it starts Python and torch too.
"""

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import nvcodec
from common import Line, measured, parser_of
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.video import create_video, open_video
from nvcodec.video.info import VideoInfo

EMBEDDED = Path(__file__).resolve().parent / "clips" / "bbb_320x180_48f.mp4"
SEGMENT_FRAMES = 6
CHILD = "import resource; from nvcodec.cli import main\ntry:\n    main()\nfinally:\n" \
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"  # fmt: skip


def looped(path: Path, num_frames: int) -> Path:
    """The embedded clip, again and again."""
    with open_video(EMBEDDED) as video:
        frames, info = list(video), video.info
    with create_video(path, VideoInfo(info.width, info.height, info.chroma)) as target:
        for t in range(num_frames):
            target.write(frames[t % len(frames)])
    return path


def peak_bytes(*words: object) -> int:
    """Highest memory of a command."""
    command = [sys.executable, "-c", CHILD, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return 1024 * int(done.stdout.split()[-1])


def memory(preset: str, epochs: int, num_segments: int) -> Line:
    """Of encoding and of decoding so many segments."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = looped(folder / "in.y4m", SEGMENT_FRAMES * num_segments)
        how = ["-p", preset, "--epochs", epochs, "--segment-frames", SEGMENT_FRAMES, "-q"]
        how += ["--device", "cpu"]
        encoding = peak_bytes("encode", source, "-o", folder / "a.nvc", *how)
        decoding = peak_bytes("decode", folder / "a.nvc", "-o", folder / "b.y4m", "-q")
    return {"encoding_bytes": encoding, "decoding_bytes": decoding}


def repeated(path: Path, once: bytes, num_segments: int) -> None:
    """A file that has one segment so many times."""
    with NvcReader(io.BytesIO(once)) as reader:
        head, (coded,) = reader.head, list(reader.segments())
    count = coded.num_frames
    with NvcWriter(path, head.model_copy(update={"num_frames": count * num_segments})) as writer:
        for number in range(num_segments):
            writer.write_segment(
                CodedSegment(number, number * count, count, coded.sections, coded.digest)
            )
        writer.finish()


class Counting(io.FileIO):
    """A file that counts what is read of it."""

    num_bytes = 0

    def readinto(self, buffer: Any) -> int:
        """As the file does."""
        count = super().readinto(buffer)
        self.num_bytes += count
        return count

    def read(self, size: int = -1) -> bytes:
        """As the file does."""
        found = super().read(size)
        self.num_bytes += len(found)
        return found


def seek(num_segments: int, repeats: int) -> Line:
    """Time of a frame near the end, and of the first one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, path = folder / "once.nvc", folder / "a.nvc"
        nvcodec.encode(looped(folder / "in.y4m", 2), small, "nerv-tiny", epochs=2, device="cpu")
        repeated(path, small.read_bytes(), num_segments)
        num_frames, taken, read = 2 * num_segments, [], 0
        for turn in range(repeats + 1):
            with Counting(path) as file:
                began = time.monotonic()
                with nvcodec.open(file, device="cpu") as video:
                    video[num_frames - 1 - 2 * turn]
                taken.append(time.monotonic() - began)
                read = file.num_bytes
        commands = {}
        for said, frame in (("first_frame_s", 0), ("last_frame_s", num_frames - 1)):
            words = ["decode", path, "-o", folder / "f.png", "--frames", frame, "-y", "-q"]
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "nvcodec", *map(str, words)], check=True)
            commands[said] = round(time.monotonic() - began, 3)
        return {
            "file_bytes": path.stat().st_size,
            "read_bytes": read,
            "cold_seek_s": round(taken[0], 4),
            "seek_s": round(statistics.median(taken[1:]), 4),
            **commands,
        }


def main() -> None:
    """Measure what is missing."""
    parser = parser_of(__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path)
    args: argparse.Namespace = parser.parse_args()
    for count in (10, 1000, 10000):
        key = {"what": "seek", "segments": count}
        measured(args.out, key, partial(seek, count, args.repeats))
    for preset, epochs in (("hinerv-tiny", 2), ("latents", 1)):
        for count in (2, 20):
            key = {"what": "memory", "preset": preset, "segments": count}
            measured(args.out, key, partial(memory, preset, epochs, count))


if __name__ == "__main__":
    main()
