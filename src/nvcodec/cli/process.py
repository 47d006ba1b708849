"""What the command has of its process: standard streams, and signals.

Closed descriptors are opened before anything else, so that no file of ours takes their place.
Loads nothing that could fail.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, `kill`, and the end of a terminal."""


class Signalled(KeyboardInterrupt):
    """A signal that ends the command, as an exception: files and children are cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def prepare_process() -> None:
    """Whole standard streams, our own warnings as one line, and a clean end on signals."""
    _open_streams()
    show_warnings(lambda text: say(f"nvc: {text}"))
    for number in STOPPING[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` wants it ignored
            signal.signal(number, _raise_signalled)


def end_process(code: int) -> None:
    """End at once where torch is loaded, which takes half a second to be taken apart."""
    if "torch" not in sys.modules:
        return
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: threads end,
    atexit._run_exitfuncs()  # then what was asked for
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it has left
            stream.flush()
    os._exit(code)


def _open_streams() -> None:
    """Put /dev/null where a standard stream is closed: nothing comes in, nothing can be written.

    What is said to people is lost then; a result is not lost silently, as writing it fails. Names
    that the streams' encoding cannot write are shown with escapes.
    """
    kinds = (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    )
    for number, (name, mode, flags) in enumerate(kinds):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # another program's own stream
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def say(text: str) -> None:
    """One line to people; if nobody takes it any more, that is no failure."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr.fileno())


def silence_stdout() -> None:
    """Keep the interpreter from complaining when it flushes what nobody can take."""
    with contextlib.suppress(OSError, ValueError):
        _silence(sys.stdout.fileno())


def _silence(number: int) -> None:
    opened = os.open(os.devnull, os.O_WRONLY)
    os.dup2(opened, number)
    os.close(opened)


def show_warnings(show: Callable[[str], None]) -> None:
    """Give our own warnings, of what a source has and a file has not and the like, to `show`."""

    def show_warning(
        message: Warning | str, category: type[Warning], *_: object, **__: object
    ) -> None:
        if category.__module__.startswith("nvcodec"):
            show(str(message))

    warnings.showwarning = show_warning


def _raise_signalled(number: int, frame: FrameType | None) -> None:
    raise Signalled(number)


class Stopper:
    """Makes the first signal a request to save and stop; the second stops at once.

    A request that comes before anybody has asked for it ends the command like any other: something
    is still being opened, and there is nothing to save.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._is_asked = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals, and give them back at the end."""
        before = {n: signal.getsignal(n) for n in STOPPING}
        taken = [n for n in STOPPING if before[n] is not signal.SIG_IGN]
        for number in taken:
            signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number in taken:
                signal.signal(number, before[number])

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        if not self._is_asked:
            raise Signalled(number)
        self.received = number
        say("nvc: saving; once more stops at once")

    def __call__(self) -> bool:
        """Whether to stop."""
        self._is_asked = True
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """128 and the signal's number."""
        return 128 + (self.received or signal.SIGINT)
