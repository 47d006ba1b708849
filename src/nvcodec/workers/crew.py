"""Who does the work on segments, and what is heard from them."""

import abc
import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nvcodec.encode_types import FrameShown
from nvcodec.fitting.record import FitRecord
from nvcodec.segment_work import SegmentResult, SegmentTask, do
from nvcodec.video.info import Planes


@dataclass(frozen=True)
class Work:
    """A task with its frames."""

    task: SegmentTask
    planes: Sequence[Planes]
    input_digest: str
    """Of the frames."""
    is_shown: bool = False
    """Whether somebody wants to see frames of it."""
    given: float = field(default_factory=time.time)
    """When it was given; what passes before it is begun is not there for it."""

    @property
    def number(self) -> int:
        """Of the segment."""
        return self.task.number


class Done(NamedTuple):
    """A task that is done."""

    task: SegmentTask
    input_digest: str
    result: SegmentResult


class Told(NamedTuple):
    """How far a fitting has come."""

    number: int
    record: FitRecord


class Shown(NamedTuple):
    """A frame to look at."""

    number: int
    frame: FrameShown


class Warned(NamedTuple):
    """A warning of somebody at work."""

    number: int
    category: type[Warning]
    text: str


class Finished(NamedTuple):
    """A segment's result."""

    number: int
    result: SegmentResult


class Failed(NamedTuple):
    """Why there is none; nobody else would get further."""

    number: int
    error: Exception


class Lost(NamedTuple):
    """Whoever was at it is gone; another can go on from the state that it kept."""

    number: int
    why: str


Message = Told | Shown | Warned | Finished | Failed | Lost


class Crew(abc.ABC):
    """Several workers, each with one segment at a time."""

    size: int
    """How many there are."""

    @abc.abstractmethod
    def start(self, work: Work) -> None:
        """Give work to a free worker; there is one."""

    @abc.abstractmethod
    def messages(self, timeout_s: float) -> list[Message]:
        """What was said since, after waiting so long at most for something to be."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ask all to keep their state and to stop; each says that it has failed, or is lost."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let all go, at once."""


@contextlib.contextmanager
def warnings_to(number: int, say: Callable[[Message], None]) -> Iterator[None]:
    """Makes messages of our own warnings, while a segment is worked on."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__module__.startswith("nvcodec"):
            say(Warned(number, category, str(message)))

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def do_work(
    work: Work, should_stop: Callable[[], bool], say: Callable[[Message], None]
) -> Finished | Failed:
    """What a worker does; its result is without values, as no other begins with them here."""
    number, task = work.number, work.task
    if task.time_limit_s is not None:
        waited_s = max(time.time() - work.given, 0.0)  # clocks of machines may differ a little
        task = replace(task, time_limit_s=task.time_limit_s - waited_s)
    try:
        result = do(
            task, work.planes, None, should_stop,
            tell=lambda record: say(Told(number, record)),
            show=(lambda frame: say(Shown(number, frame))) if work.is_shown else None,
        )  # fmt: skip
        return Finished(number, replace(result, values={}))
    except Exception as error:
        return Failed(number, error)
