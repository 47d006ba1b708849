"""Gives work to a crew, and hands on its results in order.

A result that comes before its turn is kept in the job, so that a stop loses nothing. Whoever is
lost is replaced: another goes on from the state in the job. The same tasks give the same bytes,
whoever does them, in whatever order.
"""

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from nvcodec.encode_plan import stop_if
from nvcodec.encode_types import Event, SegmentFitting
from nvcodec.errors import WorkerLostError
from nvcodec.job import Job
from nvcodec.workers.crew import (
    Crew,
    Done,
    Failed,
    Finished,
    Lost,
    Message,
    Shown,
    Told,
    Warned,
    Work,
)
from nvcodec.workers.kept import forget_result, keep_result, kept_result

MAX_LOST = 4
"""Times that a segment's worker may be lost."""
TURN_S = 0.2
"""How long nobody asks whether to stop."""


class Foreman:
    """One crew at work on one encoding.

    Args:
        crew: who does it; it is let go at the end.
        job: where results before their turn are kept; None: only here.
        should_stop: asked often.
        on_event: told of progress.
    """

    def __init__(
        self,
        crew: Crew,
        job: Job | None,
        should_stop: Callable[[], bool],
        on_event: Callable[[Event], None],
    ) -> None:
        self._crew, self._job = crew, job
        self._should_stop, self._on_event = should_stop, on_event
        self._turns: deque[Work] = deque()
        """All work that was begun and not handed on, in order."""
        self._at_work: dict[int, Work] = {}
        self._done: dict[int, Done] = {}
        self._losses: dict[int, int] = {}
        self._inbox: deque[Message] = deque()

    def results(self, works: Iterator[Work]) -> Iterator[Done]:
        """Results in the order of the works.

        Raises:
            InterruptedEncodeError: stopped; all that was done is kept.
            WorkerLostError: the same segment's workers are lost again and again.
            NvcError: as `segment_work.do`.
        """
        try:
            yield from self._results(works)
        except BaseException:
            self._save()
            raise
        finally:
            self._crew.close()

    def _results(self, works: Iterator[Work]) -> Iterator[Done]:
        is_left = True
        while is_left or self._turns:
            while is_left and len(self._at_work) < self._crew.size:
                work = next(works, None)
                is_left = work is not None
                if work is not None:
                    self._begin(work)
            while self._turns and (done := self._done.pop(self._turns[0].number, None)):
                self._turns.popleft()
                yield done
                if self._job is not None:
                    forget_result(self._job, done.task.number)
            for message in self._messages():
                self._hear(message)
            stop_if(self._should_stop)

    def _messages(self) -> Iterator[Message]:
        """What is to be heard now; what is left when nobody listens any more stays."""
        if self._at_work and not self._inbox:
            self._inbox += self._crew.messages(TURN_S)
        while self._inbox:
            yield self._inbox.popleft()

    def _begin(self, work: Work) -> None:
        """Give it to the crew, unless its result was kept by an earlier run."""
        self._turns.append(work)
        kept = None if self._job is None else kept_result(self._job, work.number, work.input_digest)
        if kept is not None:
            self._done[work.number] = Done(work.task, work.input_digest, kept)
            return
        self._at_work[work.number] = work
        self._crew.start(work)

    def _hear(self, message: Message) -> None:
        work = self._at_work.get(message.number)
        if work is None:  # said late, of what another has done since
            return
        match message:
            case Told():
                self._on_event(SegmentFitting(message.number, message.record))
            case Shown():
                self._on_event(message.frame)
            case Warned():
                warnings.warn(message.text, message.category, stacklevel=2)
            case Finished():
                self._take(work, message)
            case Failed():
                del self._at_work[message.number]
                raise message.error
            case Lost():
                self._replace(work, message.why)

    def _take(self, work: Work, message: Finished) -> None:
        """Keep a result until it is its turn; its frames are needed no more."""
        done = Done(work.task, work.input_digest, message.result)
        self._done[work.number] = done
        del self._at_work[work.number]
        if self._job is not None and self._turns[0] is not work:
            keep_result(self._job, work.number, work.input_digest, message.result)

    def _replace(self, work: Work, why: str) -> None:
        self._losses[work.number] = self._losses.get(work.number, 0) + 1
        if self._losses[work.number] >= MAX_LOST:
            del self._at_work[work.number]
            raise WorkerLostError(
                f"segment {work.number}: {MAX_LOST} workers were lost at it; the last: {why}"
            )
        self._crew.start(replace(work, given=time.time()))  # what it spent is in its checkpoint

    def _save(self) -> None:
        """Let those at work keep their state, and keep what they finish."""
        self._crew.stop()
        while self._at_work:
            for message in self._messages():
                if isinstance(message, Finished) and message.number in self._at_work:
                    self._take(self._at_work[message.number], message)
                elif isinstance(message, Failed | Lost):
                    self._at_work.pop(message.number, None)
