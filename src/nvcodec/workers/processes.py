"""Workers as processes of this machine.

    here --pickled Work, or "stop"--> standard input of `python -m nvcodec.workers.process`
    here <--pickled messages--------- its standard output

Each is in a session of its own, so that Ctrl-C reaches this process alone. One whose standard input
ends keeps its state and ends too: nobody works for a process that was killed.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import IO

from nvcodec.workers.crew import Crew, Failed, Finished, Lost, Message, Work

STOP = "stop"
PATIENCE_S = 10.0
"""How long one that was let go may take to end."""


class ProcessCrew(Crew):
    """So many processes; one is started when it is first needed, or to replace one that is gone.

    Args:
        size: how many.
        devices: names, given to them in turn.
        num_threads: of each on a CPU.
    """

    def __init__(self, size: int, devices: Sequence[str], num_threads: int) -> None:
        self.size, self._devices, self._num_threads = size, devices, num_threads
        self._heard: queue.Queue[tuple[_Process, Message | None]] = queue.Queue()
        self._places: list[_Process | None] = [None] * size

    def start(self, work: Work) -> None:
        """See `Crew`."""
        place = next(n for n, one in enumerate(self._places) if one is None or one.is_free)
        one = self._places[place]
        if one is None:
            one = self._places[place] = _Process(self._num_threads, self._heard)
        device = self._devices[place % len(self._devices)]
        one.give(replace(work, task=replace(work.task, device=device)))

    def messages(self, timeout_s: float) -> list[Message]:
        """See `Crew`."""
        found: list[Message] = []
        with contextlib.suppress(queue.Empty):
            entry = self._heard.get(timeout=timeout_s)
            while True:
                found += self._taken(*entry)
                entry = self._heard.get_nowait()
        return found

    def _taken(self, one: "_Process", message: Message | None) -> list[Message]:
        number = one.number
        if message is None:  # it has ended
            self._places[self._places.index(one)] = None
            how = one.close()
            return [] if number is None else [Lost(number, how)]
        if isinstance(message, Finished | Failed):
            one.number = None
        return [message]

    def stop(self) -> None:
        """See `Crew`."""
        for one in filter(None, self._places):
            one.send(STOP)

    def close(self) -> None:
        """See `Crew`."""
        for one in filter(None, self._places):
            one.close()
        self._places = [None] * self.size


class _Process:
    """One of them."""

    def __init__(
        self, num_threads: int, heard: "queue.Queue[tuple[_Process, Message | None]]"
    ) -> None:
        self.number: int | None = None
        """Of the segment at work."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(num_threads)}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "nvcodec.workers.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        threading.Thread(target=self._listen, args=(self._child.stdout, heard), daemon=True).start()

    def _listen(
        self, stream: IO[bytes], heard: "queue.Queue[tuple[_Process, Message | None]]"
    ) -> None:
        with contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                heard.put((self, pickle.load(stream)))  # of our own child
        heard.put((self, None))

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do."""
        return self.number is None

    def give(self, work: Work) -> None:
        """Give it work; if it is gone, its end is heard."""
        self.number = work.number
        self.send(work)

    def send(self, content: object) -> None:
        """Write to it."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            pickle.dump(content, self._child.stdin, protocol=5)
            self._child.stdin.flush()

    def close(self) -> str:
        """Let it end, kill it if it does not, and say how it ended."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
        code = self._child.wait()
        return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
