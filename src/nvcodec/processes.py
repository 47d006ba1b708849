"""Running external programs: lists of arguments, drained pipes, no shell, no orphans.

`run` is for a command that simply does its work; `Child` is for one that we stream bytes to or
from. Standard error is always drained on a thread (a full pipe would stop the program) and its tail
ends up in the error message. A child never shares our standard input, and is in a session of its
own, so that Ctrl-C reaches it only through us.
"""

import contextlib
import functools
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import IO, NamedTuple, Self

from nvcodec.errors import FfmpegError, ToolMissingError

VERSION_S = 10.0
"""How long a program may take to tell its version."""
TAIL_LINES = 400
SHOWN_LINES = 8


class Finished(NamedTuple):
    """What a command that ended well has said."""

    stdout: bytes
    stderr: list[str]


@functools.cache
def _bundled_ffmpeg() -> str | None:
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError):
        return None


@functools.cache
def ffmpeg_version(path: str) -> str | None:
    """What a program says of its version, if it is an ffmpeg."""
    try:
        done = subprocess.run(
            [path, "-version"], capture_output=True, timeout=VERSION_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(rb"ffmpeg version (\S+)", done.stdout)
    return match[1].decode("utf-8", "replace") if match else None


def _age(version: str) -> tuple[int, ...]:
    """Numbers that newer versions have higher; a version without any is built from what is new."""
    match = re.match(r"n?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else (1 << 30,)


def ffmpeg_path() -> str:
    """Path of the ffmpeg to use: `NVC_FFMPEG`, else the newer of PATH's and imageio-ffmpeg's.

    Version 5.1 or newer is needed.

    Raises:
        ToolMissingError: None of them is there.
    """
    if chosen := os.environ.get("NVC_FFMPEG"):
        found = shutil.which(chosen)
        if found is None:
            raise ToolMissingError(f"ffmpeg: NVC_FFMPEG is {chosen!r}, which is not a program")
        if ffmpeg_version(found) is None:
            raise ToolMissingError(f"ffmpeg: NVC_FFMPEG is {chosen!r}, which is not an ffmpeg")
        return found
    paths = [path for path in (shutil.which("ffmpeg"), _bundled_ffmpeg()) if path is not None]
    if len(paths) > 1:  # the first of equals
        paths = [max(paths, key=lambda path: _age(ffmpeg_version(path) or "0"))]
    if paths:
        return paths[0]
    raise ToolMissingError(
        "ffmpeg: not found on PATH; install it, or `pip install imageio-ffmpeg`, or set NVC_FFMPEG"
    )


def described_ffmpeg() -> str:
    """Version and path of the ffmpeg in use, for people."""
    try:
        path = ffmpeg_path()
    except ToolMissingError as error:
        return str(error)
    return f"ffmpeg {ffmpeg_version(path)}, {path}"


def threads_told() -> int | None:
    """Threads that the user named, in the environment if nowhere else."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isascii() and told.isdecimal() and int(told) > 0 else None


class Child:
    """A running program whose pipes are looked after; a context manager that always ends it.

    Args:
        command: Program and arguments.
        stdin: Whether we write to it; otherwise it reads nothing.
        stdout: Whether we read from it; otherwise its output is thrown away.
        folder: Where it runs; ours by default.
        on_stderr: Called with every line of standard error, on a thread of its own; says whether to
            keep the line for error messages.

    Raises:
        ToolMissingError: The program is not there.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: bool = False,
        stdout: bool = False,
        folder: str | None = None,
        on_stderr: Callable[[str], bool] | None = None,
    ) -> None:
        self.command = list(command)
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._on_stderr = on_stderr
        self._feeder: threading.Thread | None = None
        self._feed_error: BaseException | None = None
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                cwd=folder,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise ToolMissingError(
                f"{self.command[0]}: cannot be started: {error.strerror}"
            ) from error
        self.stdout: IO[bytes] | None = self._process.stdout
        self._drainer = threading.Thread(target=self._drain, daemon=True)
        self._drainer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drain(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            if line and (self._on_stderr is None or self._on_stderr(line)):
                self.tail.append(line)

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended and all it said has been read."""
        return self._process.poll() is not None and not self._drainer.is_alive()

    def write(self, chunk: bytes | memoryview) -> None:
        """Write to its standard input.

        Raises:
            FfmpegError: It has stopped reading.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(chunk)
        except (BrokenPipeError, ConnectionResetError):
            self._process.wait()
            self._drainer.join()
            raise self.failure() from None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def feed(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Write chunks to its standard input from a thread, then close it.

        It may stop reading early. An exception of `chunks` itself comes out of `finish`.
        """

        def work() -> None:
            assert self._process.stdin is not None
            try:
                for chunk in chunks:
                    self._process.stdin.write(chunk)
            except (BrokenPipeError, ConnectionResetError):
                pass
            except BaseException as error:
                self._feed_error = error
            finally:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

        self._feeder = threading.Thread(target=work, daemon=True)
        self._feeder.start()

    def finish(self) -> None:
        """Close its standard input and wait for its end; read its standard output to the end first.

        Raises:
            FfmpegError: It ended with an error.
        """
        if self._process.stdin is not None and self._feeder is None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        code = self._process.wait()
        self._drainer.join()
        if self._feed_error is not None:
            raise self._feed_error
        if code != 0:
            raise self.failure()

    def failure(self) -> FfmpegError:
        """The error for a program that failed: what it said, its command, its last lines."""
        loud = [line for line in self.tail if "[error]" in line or "[fatal]" in line]
        said = loud[0] if loud else self.tail[-1] if self.tail else "it said nothing"
        said = re.sub(r"^(\[[^]]*\] )+", "", said)
        lines = "".join(f"\n    {line}" for line in list(self.tail)[-SHOWN_LINES:])
        return FfmpegError(
            f"{os.path.basename(self.command[0])} failed, exit code {self._process.poll()}: {said}"
            f"\n  command: {shlex.join(self.command)}\n  last lines:{lines}"
        )

    def close(self) -> None:
        """End the program if it still runs, and free its pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._drainer.join(timeout=5)
        if self._feeder is not None:
            self._feeder.join(timeout=0.5)  # may be blocked reading its source: it is a daemon
        pipes = [self._process.stdout, self._process.stderr]
        if self._feeder is None:
            pipes.append(self._process.stdin)
        for pipe in pipes:
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def run(command: Sequence[str]) -> Finished:
    """Run a command to its end and give its standard output and the tail of its standard error.

    Raises:
        FfmpegError: It ended with an error.
        ToolMissingError: It is not there.
    """
    with Child(command, stdout=True) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        child.finish()
        return Finished(output, list(child.tail))
