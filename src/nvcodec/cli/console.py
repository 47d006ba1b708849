"""Speaking to people on stderr and to programs in JSON lines; errors become exit codes."""

import contextlib
import errno
import itertools
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nvcodec import errors
from nvcodec.cli.one_line import Part, one_line
from nvcodec.cli.process import Signalled, say, show_warnings, silence_stdout

EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.PresetError, 2),
    (errors.ResumeError, 2),
    (errors.VideoError, 3),
    (errors.ToolMissingError, 3),
    (errors.OutputError, 4),
    (errors.TruncatedError, 6),
    (errors.UnsupportedVersionError, 9),
    (errors.LimitError, 10),
    (errors.BitstreamError, 5),
    (errors.VerificationError, 8),
    (MemoryError, 7),
    (BrokenPipeError, 4),
    (PermissionError, 4),
    (KeyboardInterrupt, 130),
    (errors.NvcError, 1),
)
"""First match counts."""
OUTPUT_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EBADF, errno.EROFS, errno.EXDEV,
    errno.ENAMETOOLONG,
)  # fmt: skip
STARTED_S = time.monotonic()
FIRST_PLAIN_S = 2.5
"""When not writing to a terminal: time until the first line, a few steps in."""
PLAIN_INTERVAL_S = 10.0
REDRAW_S = 0.2
"""At least, between two looks of a line on a terminal."""


def process_age_s() -> float:
    """Time since the command began, loading of its modules included."""
    return time.monotonic() - STARTED_S


FLAGS = {
    "overwrite": "-y",
    "preset": "-p",
    "restart": "--restart",
    "workdir": "--workdir DIR",
    "samples": "--color",
    "codec": "--codec",
    "frames": "--frames A:B",
    "segments": "--segment N",
    "clip": "--clip NAME",
    "at": "--at TIME or --frames N",
    "scale": "--scale SIZE",
    "audio": "--no-audio",
    "keep_going": "--keep-going",
    "segment_frames": "--segment-frames N",
    "at_cuts": "--segments auto",
    "gop": "--gop",
    "patch_size": "--set fitting.patch_size=[H,W]",
}
"""How advice in an error names a setting to who typed a command."""


def report(error: BaseException) -> int:
    """Say in one line why a command ends, and give its exit code.

    An internal error is raised again, for its traceback.
    """
    code = tell(error)
    if code == 4:
        silence_stdout()  # nobody reads any more, or it is full
    return code


def tell(error: BaseException, where: str = "") -> int:
    """As `report`, of an error after which more is said: also where it was."""
    code = exit_code(error)
    if isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
        return code  # nobody needs to be told
    if isinstance(error, KeyboardInterrupt):
        say(f"nvc: {'interrupted' if code == 130 else 'terminated'}")
    elif code == 1 and not isinstance(error, errors.NvcError):
        raise error
    else:
        text = error_text(error)
        say_error(text if where in text else f"{where}: {text}", code)
    return code


def say_error(text: str, code: int) -> None:
    """An error for people, and an event for programs that asked for such."""
    say(f"nvc: {text}")
    if "--json" in sys.argv:
        with contextlib.suppress(OSError):
            emit({"event": "error", "code": code, "text": text}, _is_stdout_data(sys.argv))


def _is_stdout_data(words: Sequence[str]) -> bool:
    """Whether a command line, right or wrong, wants its output on standard output."""
    pairs = itertools.pairwise(words)
    return any(
        word in ("-o-", "--output=-") or (word in ("-o", "--output") and value == "-")
        for word, value in pairs
    )


def error_text(error: BaseException) -> str:
    """What went wrong, settings named as the command line has them."""
    if isinstance(error, errors.NvcError):
        text = error.text(FLAGS).strip()
    elif isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = next(iter(str(error).strip().splitlines()), "")
    return text or type(error).__name__


def exit_code(error: BaseException) -> int:
    """Exit code of an error; see `nvc --help`."""
    is_torch_oom = type(error).__name__ == "OutOfMemoryError"
    if is_torch_oom or "can't allocate memory" in str(error):
        return 7
    if isinstance(error, Signalled):
        return error.exit_code
    if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
        return 4
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def command_line(without: str | None = None) -> str:
    """The command as it was typed, near enough to run it again."""
    return shlex.join(["nvc", *(word for word in sys.argv[1:] if word != without)])


def emit(record: dict[str, Any], to_stderr: bool = False) -> None:
    """One JSON object on a line of its own; what is not finite is null."""
    text = json.dumps(_plain({**record, **_labels}), allow_nan=False)
    print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)


_labels: dict[str, Any] = {}


@contextlib.contextmanager
def labelled(**labels: Any) -> Iterator[None]:
    """Puts these fields into every JSON object inside: of a batch, which input it is about."""
    _labels.update(labels)
    try:
        yield
    finally:
        for name in labels:
            del _labels[name]


def warn_as(*, json: bool, quiet: bool, to_stderr: bool = False) -> None:
    """Show warnings as a command speaks: an object each with `json`, else not if `quiet`."""
    if json:
        show_warnings(lambda text: emit({"event": "warning", "text": text}, to_stderr))
    elif quiet:
        show_warnings(lambda text: None)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class LiveLine:
    """One line that is redrawn on a terminal, and written now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._live: Any = None
        self._last: float | None = None
        self._started = time.monotonic()

    def __enter__(self) -> "LiveLine":
        self._started = time.monotonic()
        if not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live("starting", console=console, auto_refresh=False, transient=True)
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, stage: str, share: float, text: str | Sequence[Part], short: str = "") -> None:
        """Show where the work stands; `share` is 0 to 1, and the rest as `one_line` takes it."""
        now, parts = time.monotonic(), [(2, text)] if isinstance(text, str) else text
        if self._live is not None:
            if self._last is None or now >= self._last + REDRAW_S or share >= 1:
                self._last = now
                self._draw(stage, share, parts, short)
            return
        due = self._started + FIRST_PLAIN_S if self._last is None else self._last + PLAIN_INTERVAL_S
        if not self.quiet and (now >= due or share >= 1):
            self._last = now
            say("  ".join([f"{stage} {share:4.0%}", *(words for _, words in parts)]))

    def _draw(self, stage: str, share: float, parts: Sequence[Part], short: str) -> None:
        from rich.text import Text

        console = self._live.console
        is_ascii = console.options.ascii_only
        line = one_line(stage, share, parts, console.width - 1, short=short, ascii=is_ascii)
        self._live.update(Text(line, no_wrap=True), refresh=True)


def counted(count: int, what: str) -> str:
    """So many of what is named in the singular."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def format_bytes(count: float) -> str:
    """A size for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def format_time(seconds: float) -> str:
    """A duration for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
