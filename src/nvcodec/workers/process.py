"""A worker process: `python -m nvcodec.workers.process`, started by `workers.processes`."""

import contextlib
import os
import pickle
import queue
import sys
import threading
from typing import IO

from nvcodec.workers.crew import Failed, Message, Work, do_work, warnings_to
from nvcodec.workers.processes import STOP


def main() -> None:
    """Do what comes in until nothing does; messages alone go out."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever anybody prints goes elsewhere
    works: queue.Queue[Work | None] = queue.Queue()
    is_stopped = threading.Event()
    listener = (sys.stdin.buffer, works, is_stopped)
    threading.Thread(target=_listen, args=listener, daemon=True).start()

    def say(message: Message) -> None:
        _say(out, message)

    while (work := works.get()) is not None:
        with warnings_to(work.number, say):
            say(do_work(work, is_stopped.is_set, say))


def _listen(
    stream: IO[bytes], works: "queue.Queue[Work | None]", is_stopped: threading.Event
) -> None:
    """Take work, and stop when told to, or when nobody is there any more."""
    try:
        while (content := pickle.load(stream)) != STOP:  # of the process that started this one
            works.put(content)
    except (EOFError, OSError, pickle.UnpicklingError):
        pass
    is_stopped.set()
    works.put(None)


def _say(out: IO[bytes], message: Message) -> None:
    try:
        data = pickle.dumps(message, protocol=5)
    except Exception as error:  # an error that holds what cannot be sent
        text = f"{message!r}, which cannot be sent: {error}"
        data = pickle.dumps(Failed(message.number, RuntimeError(text)))
    with contextlib.suppress(OSError):  # nobody listens: what is asked next is to stop
        out.write(data)
        out.flush()


if __name__ == "__main__":
    main()
