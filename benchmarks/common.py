"""What measurements inside a process share: a clip's samples, a fitting, a file, lines of results.

Whole points, that is an encoding, its decoding and its quality, are the business of `nvc bench`:
`experiments/*.toml`.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.coding.parameters import ParameterSet
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Head
from nvcodec.container.writer import NvcWriter
from nvcodec.fitting.record import FitRecord
from nvcodec.presets import Preset
from nvcodec.samples import Samples
from nvcodec.segment_encoder import EncodedSegment, encode_segment
from nvcodec.version import __version__
from nvcodec.video import VideoInfo, open_video
from nvcodec.video.conversion import from_planes

Line = dict[str, Any]


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A command line that shows the script's own text."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def frames_of(
    path: str | Path,
    samples: Samples = Samples.RGB,
    num_frames: int | None = None,
    scale: tuple[int, int] | None = None,
) -> Tensor:
    """A clip's first frames, all by default, as they are fitted: uint8 (T, H, W, C)."""
    with open_video(path, frames=slice(0, num_frames), scale=scale) as video:
        return torch.from_numpy(
            np.stack([from_planes(samples, planes, video.info) for planes in video])
        )


def fit(
    pixels: Tensor, preset: Preset, seed: int = 0, values: Mapping[str, Any] | None = None
) -> tuple[EncodedSegment, list[FitRecord]]:
    """One segment, fitted and coded, and the records on the way."""
    records: list[FitRecord] = []
    encoded = encode_segment(
        pixels.numpy(),
        preset,
        seed,
        samples=preset.samples,
        initial_values=values,
        on_record=records.append,
    )
    return encoded, records


def write_file(
    path: Path, info: VideoInfo, preset: Preset, coded: ParameterSet, num_frames: int
) -> dict[str, int]:
    """A file of one segment in RGB, as `nvc encode` writes it; gives the sizes of its sections."""
    config = preset.representation.resolve(info.height, info.width)
    head = Head.from_video_info(
        info,
        samples=Samples.RGB,
        representation=config.model_dump(mode="json", exclude_none=True),
        scheme=preset.scheme.model_dump(mode="json"),
        remark=f"nvcodec {__version__} {preset.name}",
    ).model_copy(update={"num_frames": num_frames})
    sections = load_scheme(preset.scheme).pack(coded)
    with NvcWriter(path, head, overwrite=True) as writer:
        writer.write_segment(CodedSegment(0, 0, num_frames, sections, coded.digest()))
        writer.finish()
    return {tag: len(data) for tag, data in sections.items()}


def entropy_bits(values: NDArray[Any]) -> float:
    """Number of values times their empirical entropy."""
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def nvc(*words: str) -> list[Line]:
    """Run a command of `nvc` with --json, in a process of its own, and give its records."""
    return list(records_of(*words))


def records_of(*words: str) -> Iterator[Line]:
    """The same, each record as soon as it is there."""
    command = [sys.executable, "-m", "nvcodec", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def measured(out: Path | None, key: Line, measure: Callable[[], Line]) -> Line:
    """The line of `out` that holds all of `key`, else a new one, which is printed and appended."""
    for line in stored(out):
        if key.items() <= line.items():
            return line
    line = {**key, **measure(), **circumstances()}
    print(json.dumps(line), flush=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return line


def stored(path: Path | None) -> list[Line]:
    """All lines of a file; none where there is no file yet."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def circumstances() -> Line:
    """Date, device, threads and versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {
            "nvcodec": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
