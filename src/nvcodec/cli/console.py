"""Speaking to people on stderr and to programs in JSON lines, errors as exit codes, signals as requests to stop."""

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

from nvcodec import errors

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
    (errors.NvcError, 1),
)
"""First match counts."""
PLAIN_INTERVAL_S = 10.0


def run(app: Callable[..., Any]) -> int:
    """Call the application and turn whatever it raises into one line on stderr and an exit code."""
    warnings.showwarning = _show_warning
    try:
        app(standalone_mode=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except errors.InterruptedEncodeError as error:
        say(f"nvc: {error}")
        say(f"nvc: continue with: {command_line()}")
        return 143 if Stopper.received == signal.SIGTERM else 130
    except KeyboardInterrupt:
        say("nvc: interrupted")
        return 130
    except BrokenPipeError:
        # Nobody reads any more; keep the interpreter from complaining when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 4
    except Exception as error:
        code = exit_code(error)
        if code == 1 and not isinstance(error, errors.NvcError):
            raise
        say(f"nvc: {_first_line(error)}")
        return code
    return 0


def exit_code(error: BaseException) -> int:
    """Exit code of an error; see `nvc --help`."""
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):  # torch's own
        return 7
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def command_line() -> str:
    """The command as it was typed, near enough to run it again."""
    import shlex

    return shlex.join(["nvc", *sys.argv[1:]])


def say(text: str) -> None:
    """One line to people."""
    print(text, file=sys.stderr, flush=True)


def emit(record: dict[str, Any], to_stderr: bool = False) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(record), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, errors.NvcError) else text.splitlines()[0]


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if category.__module__.startswith("nvcodec"):
        say(f"nvc: {message}")


class Stopper:
    """Turns the first Ctrl-C or SIGTERM into a request to save and stop; the second stops at once."""

    received: int | None = None

    def __enter__(self) -> "Stopper":
        Stopper.received = None
        self._before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if Stopper.received is not None:
            os._exit(128 + number)
        Stopper.received = number
        say("nvc: saving; once more stops at once")

    def __call__(self) -> bool:
        """Whether to stop."""
        return Stopper.received is not None


class LiveLine:
    """One line that is redrawn on a terminal, and written now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._status: Any = None
        self._last = 0.0

    def __enter__(self) -> "LiveLine":
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._status = Progress(
                TextColumn("{task.fields[stage]}"), BarColumn(30), TextColumn("{task.description}"),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._status.add_task("", total=1.0, stage="")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, stage: str, share: float, text: str) -> None:
        """Show where the work stands; `share` is 0 to 1."""
        if self._status is not None:
            self._status.update(self._task, completed=share, description=text, stage=stage)
        elif not self.quiet and (time.monotonic() - self._last >= PLAIN_INTERVAL_S or share >= 1):
            self._last = time.monotonic()
            say(f"{stage} {share:4.0%}  {text}")


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
