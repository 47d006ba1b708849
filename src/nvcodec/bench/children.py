"""Running the commands of a point, timed and with their peak memory.

Each has a session of its own, so that Ctrl-C reaches it only through `Children.stop`, which lets it
save what it has. Peak memory is the kernel's high-water mark of the program's own process, read
while it runs, where the system tells it.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvcodec.errors import InterruptedEncodeError, NvcError, ToolMissingError

FIRST_POLL_S, POLL_S = 0.002, 0.05
SHOWN_LINES = 8
GRACE_S = 30.0
"""How long a child may take to save its state."""


class PointError(NvcError):
    """A command of a point failed; carries its last lines."""


@dataclass(frozen=True)
class Ran:
    """A command that ended well."""

    elapsed_s: float
    peak_bytes: int | None


class Children:
    """The running commands of all points; may be told to stop them."""

    def __init__(self) -> None:
        self.is_stopped = False
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_line: Callable[[str], None] = lambda line: None,
    ) -> Ran:
        """Run a command to its end; `on_line` is told what it says on standard output.

        Raises:
            PointError: it ended with an error.
            InterruptedEncodeError: it was stopped.
            ToolMissingError: it cannot be started.
        """
        started, peak = time.monotonic(), None
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            process = self._start(command, environment, errors.fileno())
            reader = threading.Thread(target=_read, args=(process, on_line), daemon=True)
            reader.start()
            try:
                pause_s = FIRST_POLL_S
                while process.poll() is None:
                    peak = _peak_bytes(process.pid) or peak
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(pause_s)
                    pause_s = min(1.2 * pause_s, POLL_S)
            except BaseException:
                process.send_signal(signal.SIGTERM)  # a task that is cancelled takes it along
                raise
            finally:
                self._running.discard(process)
            elapsed_s = time.monotonic() - started
            reader.join()
            if process.returncode != 0:
                if self.is_stopped:
                    raise InterruptedEncodeError("stopped")
                errors.seek(0)
                raise PointError(_failure(process.returncode, errors.read()))
        return Ran(elapsed_s, peak)

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], errors: int
    ) -> "subprocess.Popen[str]":
        with self._lock:
            if self.is_stopped:
                raise InterruptedEncodeError("stopped")
            try:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=dict(environment),
                    text=True,
                    start_new_session=True,
                )
            except OSError as error:
                raise ToolMissingError(
                    f"{command[0]}: cannot be started: {error.strerror}"
                ) from error
            self._running.add(process)
            return process

    def stop(self) -> None:
        """Ask every child to end, and end those that do not."""
        with self._lock:
            self.is_stopped = True
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
                continue
            process.kill()


def environment(num_threads: int | None) -> dict[str, str]:
    """Ours, for a child that shall use so many threads, and options that its command names only."""
    threads = {} if num_threads is None else {"OMP_NUM_THREADS": str(num_threads)}
    return {**os.environ, "NVC_CONFIG": "", **threads}


def _read(process: "subprocess.Popen[str]", on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            on_line(line.rstrip("\n"))


def _peak_bytes(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def _failure(code: int, said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()][-SHOWN_LINES:]
    return f"exit code {code}: " + ("\n".join(lines) or "it said nothing")
