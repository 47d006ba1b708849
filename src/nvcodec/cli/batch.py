"""`nvc encode` of many videos, each into a file of its own: `nvc encode clips/ a.mp4 -o out/`.

`plan` says what becomes what and refuses early; `run` does one after the other. Each is encoded as
if it were alone, so a stopped batch goes on as a stopped encoding does, and what is finished is
recognised as such.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvcodec.cli import options
from nvcodec.cli.console import emit, error_text, format_time, labelled, tell
from nvcodec.cli.encode_progress import Progress, report_record
from nvcodec.cli.encode_watching import Watching
from nvcodec.cli.process import Stopper, say
from nvcodec.cli.stopping import saying_how_to_continue

if TYPE_CHECKING:
    from nvcodec.auto import AutoPreset
    from nvcodec.encode_types import EncodeOptions, EncodeReport
    from nvcodec.presets import Preset

SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave an OUT that is there as it is.")
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Of many videos: if one fails, still do the rest.")
]
COUNTED = {
    "done": "encoded", "there": "there already", "skipped": "skipped", "failed": "failed",
    "left": "to go",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One video, and the file that it becomes."""

    source: str
    target: Path
    folder: Path
    """Of the target, below that of the batch."""


@dataclass(frozen=True)
class How:
    """How a batch speaks, and what it does beside encoding."""

    json: bool
    quiet: bool
    skip_existing: bool
    """Leave those alone whose file is there."""
    keep_going: bool
    """Do the rest after one has failed."""
    preview: Path | None
    """Where a picture of the one at work is kept up to date."""


def is_folder(output: str) -> bool:
    """Whether an output is a folder, in which each video gets its file."""
    return output != "-" and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def plan(sources: Sequence[str], output: str) -> list[Item]:
    """What becomes what; a folder's videos keep their places below it.

    Raises:
        typer.BadParameter: a source cannot have a file of its own, or two would have one.
        VideoError: a folder has no video in it, or cannot be read.
    """
    items = [
        Item(source, Path(output, place), place.parent)
        for source, place in _places(sources)
    ]  # fmt: skip
    seen: dict[Path, str] = {}
    for item in items:
        if item.target in seen:
            raise typer.BadParameter(
                f"{seen[item.target]} and {item.source} would both become {item.target}; "
                "leave one out, or rename it"
            )
        seen[item.target] = item.source
    return items


def _places(sources: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Every video, and where below the output its file lies."""
    from nvcodec.errors import VideoError
    from nvcodec.video import images
    from nvcodec.video.folders import videos_below

    pictures = [source for source in sources if images.is_picture(Path(source))]
    if len(pictures) > 1 or any(images.is_pattern(source) for source in pictures):
        raise typer.BadParameter("many pictures are one video; name its file: -o NAME.nvc")
    for source in sources:
        if source == "-":
            raise typer.BadParameter("standard input has no name; name its file: -o NAME.nvc")
        path = Path(source)
        if not path.is_dir():
            yield source, Path(path.stem + ".nvc")
            continue
        found = list(videos_below(path))
        if not found:
            raise VideoError(f"{source}: no video in it, nor below it")
        for file in found:
            name = (file.resolve().name if file.is_dir() else file.stem) + ".nvc"
            below = Path() if file == path else file.relative_to(path).parent
            yield str(file), below / name


def _make_folder(folder: Path) -> None:
    """Make a folder of outputs, where it is not there.

    Raises:
        OutputError: it cannot be.
    """
    from nvcodec.errors import OutputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def check_single(sources: Sequence[str]) -> None:
    """Refuse folders of videos, where all that is given becomes one file.

    Raises:
        VideoError: there is one.
    """
    from nvcodec.errors import VideoError
    from nvcodec.video.folders import videos_below

    for source in filter(os.path.isdir, sources):
        found = list(videos_below(Path(source)))
        if found and found != [Path(source)]:
            raise VideoError(
                f"{source}: a folder of {len(found)} videos; each gets a file of its own with "
                "-o FOLDER/"
            )


class Batch:
    """The videos of one command.

    Args:
        items: what becomes what.
        preset: of all, or that each has its own chosen.
        chosen: everything else of all.
        how: everything else of the batch.
    """

    def __init__(
        self,
        items: Sequence[Item],
        preset: "Preset | AutoPreset",
        chosen: "EncodeOptions",
        how: How,
    ) -> None:
        self.items, self.preset, self.chosen, self.how = items, preset, chosen, how
        self.stopper = Stopper()
        self.rows: list[tuple[str, ...]] = []
        self.counts = dict.fromkeys(("done", "there", "skipped", "failed"), 0)
        self.size_bytes = 0
        self.code = 0
        if not (how.skip_existing or how.keep_going):
            for item in items:
                if item.target.exists():  # told before hours of work
                    names = () if chosen.restart else preset.names
                    options.check_target(str(item.target), chosen.overwrite, made_by=names)
        for item in items:
            options.check_apart([item.source], item.target)
            self._watching().check([item.source], item.target, chosen.overwrite)

    def run(self) -> None:
        """Encode one after the other, then sum up.

        Raises:
            typer.Exit: with the code of the first that failed, or stopped.
        """
        try:
            with self.stopper.listening():
                for number, item in enumerate(self.items):
                    with labelled(input=item.source):
                        self._do(item, number)
                    if self.code and not self.how.keep_going:
                        break
        finally:
            self._sum_up()
        if self.code:
            raise typer.Exit(self.code)

    def _do(self, item: Item, number: int) -> None:
        """Encode one, and note what became of it."""
        if self.how.skip_existing and item.target.exists():
            self._note("skipped", item, "skipped: its file is there")
            if self.how.json:
                emit({"event": "skipped", "output": str(item.target)})
            return
        if not (self.how.json or self.how.quiet):
            say(f"[{number + 1}/{len(self.items)}] {item.source} -> {item.target}")
        try:
            done = self._encode(item, is_first=number == 0)
        except (typer.Exit, BrokenPipeError):  # stopped, or nobody reads
            raise
        except Exception as error:
            code = tell(error, item.source)  # raises what is internal
            self.code = self.code or code
            why = error_text(error).splitlines()[0].removeprefix(f"{item.source}: ")
            self._note("failed", item, f"failed: {why}")
        else:
            what = "there" if done.was_there else "done"
            self._note(what, item, "was there already" * done.was_there, done)
            if self.how.json:
                emit({"event": "done", "output": str(item.target), **report_record(done)})

    def _encode(self, item: Item, is_first: bool) -> "EncodeReport":
        from nvcodec.encoder import encode
        from nvcodec.errors import InterruptedEncodeError

        workdir = self.chosen.workdir
        chosen = replace(
            self.chosen,
            workdir=None if workdir is None else workdir / item.folder,
            spent_s=self.chosen.spent_s if is_first else 0.0,
        )
        watching = self._watching()
        with saying_how_to_continue(self.stopper, item.target, chosen.workdir), watching:
            if self.stopper.received is not None:
                raise InterruptedEncodeError("stopped on request; everything up to here is saved")
            _make_folder(item.target.parent)
            return encode(
                [item.source], item.target, self.preset, chosen,
                should_stop=self.stopper, on_event=watching,
            )  # fmt: skip

    def _watching(self) -> Watching:
        progress = Progress.of(self.chosen, self.how.json, self.how.quiet)
        return Watching(progress, self.how.preview, None)

    def _note(self, what: str, item: Item, words: str, done: "EncodeReport | None" = None) -> None:
        self.counts[what] += 1
        cells = ("", "", "", "")
        if done is not None:
            self.size_bytes += done.size_bytes
            psnr = f"{done.quality.psnr_rgb_db:.2f} dB" if done.quality else ""
            rate, time = f"{done.rate_bpp:.4f}", format_time(done.fit_s)
            cells = (f"{done.size_bytes:,}", rate, psnr, time)
        self.rows.append((item.source, *cells, words))

    def _sum_up(self) -> None:
        """A table of all, and how many there are of each kind."""
        counts = {**self.counts, "left": len(self.items) - len(self.rows)}
        if self.how.json:
            emit({"event": "batch", **counts, "size_bytes": self.size_bytes})
        elif not self.how.quiet:
            rows = [("video", "bytes", "bpp", "PSNR-RGB", "fitting", ""), *self.rows]
            width = max(len(row[0]) for row in rows)
            for name, size, rate, psnr, time, words in rows:
                line = f"{name:<{width}}  {size:>11}  {rate:>7}  {psnr:>8}  {time:>8}  {words}"
                say(line.rstrip())
            told = ", ".join(f"{n} {COUNTED[what]}" for what, n in counts.items() if n)
            more = "; --keep-going does the rest" if self.code and counts["left"] else ""
            say(f"{told}; {self.size_bytes:,} bytes{more}")
