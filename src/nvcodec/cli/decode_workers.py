"""Decoding by several processes: runs of frames, each into a file of raw planes, read in order.

    runs of frames --one `nvc decode` each, so many at once--> part.yuv --in order--> planes

A run ends with a segment, or inside one where its frames are independent. No more runs are begun
than there are workers, and one: their planes lie in the folder for temporary files.
"""

import contextlib
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from nvcodec.errors import NvcError, UnsupportedVideoError
from nvcodec.processes import Child
from nvcodec.samples import Chroma
from nvcodec.segment_values import representation_config
from nvcodec.segments import Segment, plan_segments
from nvcodec.video.planar import FrameLayout

if TYPE_CHECKING:
    from nvcodec.decoder import Decoder
    from nvcodec.video import Planes

RUN_FRAMES = 96
"""Of a run, about: many enough that starting a process is a small part of it."""


def check(decoder: "Decoder") -> None:
    """Refuse what one process alone can decode.

    Raises:
        UnsupportedVideoError: a pipe, a damaged file's rest, or RGB.
    """
    if not decoder.reader.is_seekable or decoder.reader.keep_going:
        raise UnsupportedVideoError("several workers decode whole files alone, from no pipe")
    if decoder.info.chroma is Chroma.RGB:
        raise UnsupportedVideoError("several workers decode YUV and grey; one decodes RGB")


def planes_of(
    decoder: "Decoder", source: str, num_workers: int, words: Sequence[str]
) -> Iterator["Planes"]:
    """What `decoder.planes` gives, by several processes.

    Args:
        decoder: of the file, with the frames chosen.
        source: its path.
        num_workers: processes at once.
        words: further options of each.

    Raises:
        NvcError: as `decoder.planes` says it.
    """
    info = decoder.info
    layout = FrameLayout(info.width, info.height, info.chroma, info.depth)
    with (
        tempfile.TemporaryDirectory(prefix="nvc-decode-") as folder,
        ThreadPoolExecutor(num_workers) as pool,
        contextlib.ExitStack() as children,
    ):
        begun: deque[tuple[Segment, Path, Future[None]]] = deque()
        todo = _runs(decoder)

        def begin() -> None:
            if (run := next(todo, None)) is not None:
                path = Path(folder, f"{run.start}.yuv")
                command = [sys.executable, "-m", "nvcodec", "decode", os.path.abspath(source)]
                command += ["-o", str(path), "--frames", f"{run.start}:{run.stop}", "-q", *words]
                begun.append((run, path, pool.submit(_finish, command, children)))

        for _ in range(num_workers + 1):
            begin()
        while begun:
            run, path, future = begun.popleft()
            try:
                future.result()
            except NvcError:
                decoder.select(slice(run.start - decoder.first, run.stop - decoder.first))
                yield from decoder.planes()  # says what is wrong, here
            else:
                with path.open("rb") as file:
                    for t in range(run.num_frames):
                        planes = layout.read(file, t, str(path))
                        assert planes is not None
                        yield planes
                path.unlink()
            begin()


def _finish(command: list[str], children: contextlib.ExitStack) -> None:
    """Run a command to its end, unless all are closed before."""
    children.enter_context(child := Child(command))
    child.finish()


def _runs(decoder: "Decoder") -> Iterator[Segment]:
    """The frames asked for, counted in the file: whole segments, or about as many frames."""
    is_cut = not representation_config(decoder.head).is_predicted
    start, stop = None, 0
    for info in decoder.reader.index:
        wanted = decoder.wanted(info.segment)
        if wanted.num_frames <= 0:
            continue
        if start is None:
            start = wanted.start
        stop = wanted.stop
        if stop - start >= RUN_FRAMES:
            yield from _cut(Segment(start, stop), is_cut)
            start = None
    if start is not None:
        yield from _cut(Segment(start, stop), is_cut)


def _cut(run: Segment, is_cut: bool) -> Iterator[Segment]:
    parts = plan_segments(run.num_frames, 2 * RUN_FRAMES if is_cut else run.num_frames)
    for part in parts:
        yield Segment(run.start + part.start, run.start + part.stop)
