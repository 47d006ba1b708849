"""Who is told of an encoding: the live line, and if wanted a picture of it and a page about it."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import typer

from nvcodec.cli import options
from nvcodec.cli.encode_progress import Progress

if TYPE_CHECKING:
    from nvcodec.auto import AutoPreset
    from nvcodec.cli.encode_page import EncodingPage
    from nvcodec.encode_types import EncodeReport, Event
    from nvcodec.presets import Preset
    from nvcodec.preview import Preview


class Watching:
    """Hands events on, while it is entered.

    Args:
        progress: the live line.
        preview: where a picture is kept up to date, if anywhere.
        page: where a page is written at the end, if anywhere.
    """

    def __init__(self, progress: Progress, preview: Path | None, page: Path | None) -> None:
        self.progress, self.preview, self.page = progress, preview, page
        self._picture: Preview | None = None
        self._noted: EncodingPage | None = None
        self._stack = contextlib.ExitStack()

    def check(self, sources: Sequence[str], output: Path | None, overwrite: bool) -> None:
        """Refuse, before anything is done, what could not be written at the end.

        Raises:
            OutputError: it is there and not ours, or is the source.
        """
        from nvcodec.errors import OutputError

        if self.page is not None:
            if output is None:
                raise typer.BadParameter("--report: the video goes to a stream; name a file")
            check_page(self.page, sources, overwrite)
        if self.preview is not None:
            from nvcodec.preview import check_preview

            _check_name(self.preview, ".png", "--preview")
            check_preview(self.preview, overwrite)
            options.check_apart(sources, self.preview)
            folder = self.preview.resolve().parent
            if any(
                Path(source).is_dir() and Path(source).resolve() == folder for source in sources
            ):
                raise OutputError(f"{self.preview}: would be one of the source's pictures")

    def __enter__(self) -> Self:
        if self.preview is not None:
            from nvcodec.preview import Preview

            self._picture = Preview(self.preview)
        self._stack.enter_context(self.progress)
        if self.page is not None:
            from nvcodec.cli.encode_page import EncodingPage

            self._noted = EncodingPage()
            self._stack.enter_context(self._noted.listening())
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def __call__(self, event: "Event") -> None:
        """Hand one on."""
        for watcher in (self.progress, self._picture, self._noted):
            if watcher is not None:
                watcher(event)

    def finish(
        self, report: "EncodeReport", output: str, path: Path | None, preset: "Preset | AutoPreset"
    ) -> None:
        """The file is there: show the result, and write the page.

        Raises:
            OutputError: the page cannot be written.
        """
        self.progress.finish(report, output)
        if self.page is None or self._noted is None or path is None:
            return
        from nvcodec.outputs import put_page

        page = self._noted.html(report, output, path, preset)
        put_page(self.page, page, note=f"; {output} is complete")


def check_page(path: Path, sources: Sequence[str], overwrite: bool) -> None:
    """Refuse, before anything is done, a page that could not be written at the end.

    Raises:
        OutputError: it is there, or is a source.
    """
    from nvcodec.errors import OutputError
    from nvcodec.outputs import check_output

    _check_name(path, ".html", "--report")
    if check_output(path, overwrite) is None:
        raise OutputError(f"{path}: is no file, and cannot be replaced by one")
    options.check_apart(sources, path)


def _check_name(path: Path, suffix: str, option: str) -> None:
    if path.suffix.lower() != suffix:
        raise typer.BadParameter(f"{option} {path}: expected a name that ends in {suffix}")
