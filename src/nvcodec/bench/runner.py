"""Clips times coders: what is missing is encoded, decoded and measured, and stored at once.

    plan(...) -> Plan             what there is to do, what is done already, how long it may take
    run(plan, ...) -> Finished... one event a point; a failed one is stored with its error

A point is recognised by its command and the digest of its input's samples. Work in progress lies in
`OUT/work`, where an interrupted `nvc encode` finds its job again; coded files stay in `OUT/coded`.
"""

import contextlib
import hashlib
import shutil
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from nvcodec.bench import provenance
from nvcodec.bench.children import Children
from nvcodec.bench.datasets import Survey, VideoSequence
from nvcodec.bench.point_record import RunOptions, Todo, failed_record, make_record
from nvcodec.bench.points import BaselineCoder, Coder, Source
from nvcodec.bench.results import Record, Results
from nvcodec.errors import InterruptedEncodeError, NvcError, OutputError, ToolMissingError
from nvcodec.video import VideoWarning

TICK_S = 0.5


@dataclass
class Plan:
    """Everything that a run is about."""

    todos: list[Todo]
    num_done: int
    missing: dict[str, str]
    """Baselines that cannot run here, and why."""


@dataclass
class Status:
    """Where a run stands."""

    num_done: int
    num_jobs: int
    eta_s: float
    running: list[str] = field(default_factory=list)


def plan(
    out: Path,
    clips: Sequence[tuple[VideoSequence, Survey]],
    coders: Sequence[Coder],
    records: Sequence[Record],
) -> Plan:
    """What there is to do for these clips and coders, given the stored points."""
    missing, finished = _missing(coders), {r["key"] for r in records if r["status"] == "done"}
    todos, num_done, planned = [], 0, set()
    for clip, seen in clips:
        source = Source(clip, seen, out / "work" / f"{clip.name}-{seen.digest[:8]}.y4m")
        for coder in coders:
            if isinstance(coder, BaselineCoder) and coder.name in missing:
                continue
            key = _key(source, coder)
            if key in planned:
                continue
            planned.add(key)
            if key in finished:
                num_done += 1
            else:
                todos.append(Todo(source, coder, key, *_predicted_s(coder, seen, records)))
    return Plan(todos, num_done, missing)


def _missing(coders: Sequence[Coder]) -> dict[str, str]:
    missing = {}
    for name in dict.fromkeys(c.name for c in coders if isinstance(c, BaselineCoder)):
        try:
            provenance.encoder_version(name)
        except ToolMissingError as error:
            missing[name] = str(error)
    return missing


def _key(source: Source, coder: Coder) -> str:
    text = f"{source.seen.digest} {coder.codec} {coder.shown(source)} {coder.identity()}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _predicted_s(coder: Coder, seen: Survey, records: Sequence[Record]) -> tuple[float, bool]:
    """The guess, corrected by how far it was off for finished points of the same curve."""
    guess = coder.guess_s(seen)
    timed = [r for r in records if r["status"] == "done" and r["codec"] == coder.codec]
    took = sum(r["encode_s"] for r in timed)
    guessed = sum(r["guess_s"] for r in timed)
    return (guess * took / guessed, True) if took > 0 and guessed > 0 else (guess, False)


class Run:
    """Works through a plan.

    Args:
        plan: what there is to do.
        results: where points are stored.
        out: the folder of everything.
        settings: how.
    """

    def __init__(self, plan: Plan, results: Results, out: Path, settings: RunOptions) -> None:
        self.plan, self.results, self.out, self.settings = plan, results, out.absolute(), settings
        self._children = Children()
        self._lock = threading.Lock()
        self._shares: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._done: set[str] = set()
        self._num_left = Counter(todo.source.y4m for todo in plan.todos)
        self._at_once = 1

    def __call__(
        self, on_status: Callable[[Status], None], should_stop: Callable[[], bool]
    ) -> Iterator[Record]:
        """Give each point's record once it is stored; both callbacks are asked twice a second.

        Raises:
            InterruptedEncodeError: it was stopped.
            OutputError: nothing can be written any more.
            ToolMissingError, VideoError: there are no such workers.
        """
        for folder in ("work", "coded", "frames"):
            (self.out / folder).mkdir(parents=True, exist_ok=True)
        with (
            warnings.catch_warnings(action="ignore", category=VideoWarning),
            self._pool() as pool,
        ):
            todos = {self._submit(pool, todo): todo for todo in self.plan.todos}
            pending = set(todos)
            try:
                while pending:
                    done, pending = wait(pending, TICK_S, FIRST_COMPLETED)
                    for future in done:
                        yield self._finish(todos[future], future)
                    on_status(self.status())
                    if should_stop():
                        raise InterruptedEncodeError("stopped")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._children.stop()
                raise
        with contextlib.suppress(OSError):  # others' unfinished points stay
            (self.out / "work").rmdir()

    def _pool(self) -> Executor:
        """Who does points: threads here, each with commands of its own, or a cluster's machines."""
        jobs = self.settings.jobs
        if isinstance(jobs, int):
            self._at_once = jobs
            return ThreadPoolExecutor(jobs)
        from nvcodec.distributed import RayPool

        pool = RayPool(jobs, self.settings.num_threads or 1)
        self._at_once = pool.size
        return pool

    def _submit(self, pool: Executor, todo: Todo) -> "Future[Record]":
        if isinstance(pool, ThreadPoolExecutor):
            return pool.submit(self._here, todo)
        source = replace(todo.source, y4m=todo.source.y4m.absolute())
        source = replace(source, clip=replace(source.clip, path=source.clip.path.absolute()))
        return pool.submit(make_record, replace(todo, source=source), self.out, self.settings)

    def _here(self, todo: Todo) -> Record:
        with self._lock:
            self._started[todo.key] = time.monotonic()
        on_share = partial(self._shares.__setitem__, todo.key)
        return make_record(todo, self.out, self.settings, self._children, on_share)

    def _finish(self, todo: Todo, future: "Future[Record]") -> Record:
        """Store what became of a point, if nobody came back too; what was made for it goes."""
        try:
            record = future.result()
        except (InterruptedEncodeError, OutputError):
            raise
        except NvcError as error:
            record = failed_record(todo, self.settings, error)
        with self._lock:
            self._done.add(todo.key)
        self._num_left[todo.source.y4m] -= 1
        if not self._num_left[todo.source.y4m]:
            todo.source.y4m.unlink(missing_ok=True)
        self.results.append(record)
        if record["status"] == "done":
            shutil.rmtree(self.out / "work" / todo.key, ignore_errors=True)
        return record

    def status(self) -> Status:
        """Where the run stands."""
        now, left = time.monotonic(), 0.0
        with self._lock:
            for todo in self.plan.todos:
                if todo.key in self._done:
                    continue
                elapsed = now - self._started[todo.key] if todo.key in self._started else 0.0
                share = self._shares.get(todo.key, 0.0)
                whole = elapsed / share if share > 0.02 else todo.guess_s
                left += max(whole - elapsed, 0.0)
            unfinished = [todo for todo in self.plan.todos if todo.key not in self._done]
            at_work = [todo for todo in unfinished if todo.key in self._started]
            running = [
                f"{todo.source.clip.label} {todo.coder.codec} {todo.coder.point}"
                for todo in at_work or unfinished[: self._at_once]  # nobody tells of a cluster
            ]
            num_done = len(self._done)
        return Status(num_done, len(self.plan.todos), left / self._at_once, running)
