"""Workers on a Ray cluster, and calls by its machines: the only place that knows of Ray.

    Work --object store--> actor on some node: `do_work`
    messages <--asked for-- the same actor, from a second thread

The state of a fitting lies in the job's folder, which all nodes have to see under one path; a node
that is lost costs what was done since. An actor takes a whole GPU where the cluster has some, else
as many cores as it has threads.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from typing import Any

from nvcodec.errors import NvcError, ToolMissingError, VideoError
from nvcodec.workers.crew import Crew, Failed, Finished, Lost, Message, Work, do_work, warnings_to

LOCAL = "ray"
"""Name of a cluster of this machine alone, begun and ended with the encoding."""
LOOK_S = 2.0
"""From one look for nodes that are gone to the next."""
RETRIES = 3
"""Of a call whose machine was lost."""
ENDING_S = 30.0
"""How long calls that were cancelled may take to end."""
CALLS_AT_ONCE = 2
"""One that works, and one that asks."""


class LostCallError(NvcError):
    """A call that no machine of the cluster has ended, time and again."""


class _Actor:
    """What runs on a node."""

    def __init__(self, num_threads: int) -> None:
        import torch

        torch.set_num_threads(num_threads)
        self._is_stopped = threading.Event()
        self._said: list[Message] = []

    def do(self, work: Work) -> Finished | Failed:
        with warnings_to(work.number, self._said.append):
            return do_work(work, self._is_stopped.is_set, self._said.append)

    def heard(self) -> tuple[str, list[Message]]:
        """On which node it is, and what was said since."""
        import ray

        said, self._said[:] = self._said[:], []
        return ray.get_runtime_context().get_node_id(), said

    def stop(self) -> None:
        self._is_stopped.set()


class RayCrew(Crew):
    """Actors of a cluster, as many as it has room for.

    Args:
        address: `ray`, or `ray://HOST:PORT`.
        devices: names; a cluster gives its GPUs itself, so that only `cpu` makes a difference.
        num_threads: of each on a CPU.

    Raises:
        ToolMissingError: Ray is not installed.
        VideoError: the cluster cannot be reached, or has no room.
    """

    def __init__(self, address: str, devices: Sequence[str], num_threads: int = 1) -> None:
        self._ray = ray = _ray()
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _connect(ray, address)
        has_gpus = ray.cluster_resources().get("GPU", 0) >= 1 and devices != ["cpu"]
        self._device, self._num_threads = "cuda" if has_gpus else "cpu", num_threads
        self._needs = {"num_gpus": 1} if has_gpus else {"num_cpus": num_threads}
        self.size = self._room()
        if self.size < 1:
            raise VideoError(f"{address}: no room for a worker of {num_threads} threads there")
        self._class = ray.remote(max_concurrency=CALLS_AT_ONCE, **self._needs)(_Actor)
        self._waiting: deque[Work] = deque()
        """For an actor: nodes that are gone took theirs along."""
        self._free: list[Any] = []
        self._at_work: dict[Any, tuple[Any, int]] = {}
        """By the call that works: its actor, and the segment's number."""
        self._unbegun: list[Message] = []
        self._nodes: dict[Any, str] = {}
        """Of actors that have said where they are."""
        self._looked = 0.0

    def _room(self) -> int:
        """How many actors the nodes have room for that are there now."""
        name = "GPU" if self._device == "cuda" else "CPU"
        return _room(self._ray, name, next(iter(self._needs.values())))

    def start(self, work: Work) -> None:
        """See `Crew`."""
        self._waiting.append(replace(work, task=replace(work.task, device=self._device)))

    def _give(self) -> None:
        """Give work that waits to who is free, and to new ones while there is room."""
        while self._waiting:
            if not self._free and len(self._at_work) >= self._room():
                return
            actor = self._free.pop() if self._free else self._class.remote(self._num_threads)
            work = self._waiting.popleft()
            self._at_work[actor.do.remote(work)] = actor, work.number

    def messages(self, timeout_s: float) -> list[Message]:
        """See `Crew`."""
        self._give()
        found, self._unbegun = self._unbegun, []
        if not self._at_work:
            time.sleep(0.0 if found else timeout_s)
            return found
        found += self._gone()
        calls = [*self._at_work]
        if not calls:
            return found
        ready, _ = self._ray.wait(calls, num_returns=1, timeout=timeout_s)
        found += self._said([self._at_work[call][0] for call in calls], timeout_s)
        for call in ready:
            actor, number = self._at_work.pop(call)
            try:
                done = self._ray.get(call)
                found += [*self._said([actor], timeout_s), done]
                self._free.append(actor)
            except self._ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                found.append(Lost(number, lines[0]))
        return found

    def _said(self, actors: Sequence[Any], timeout_s: float) -> list[Message]:
        """What actors say while they work; one that is not up yet, or gone, says nothing."""
        asked = {actor.heard.remote(): actor for actor in actors}
        answers, _ = self._ray.wait([*asked], num_returns=len(asked), timeout=timeout_s)
        found: list[Message] = []
        for answer in answers:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._nodes[asked[answer]], said = self._ray.get(answer)
                found += said
        return found

    def _gone(self) -> list[Message]:
        """What was lost with nodes that are there no more; calls there may never end."""
        if time.monotonic() < self._looked + LOOK_S:
            return []
        self._looked = time.monotonic()
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        self._free = [one for one in self._free if self._nodes.get(one) in {None, *alive}]
        has_room = len(self._free) + len(self._at_work) <= self._room()
        found: list[Message] = []
        for call, (actor, number) in [*self._at_work.items()]:
            node = self._nodes.get(actor)
            if node not in alive and (node is not None or not has_room):
                del self._at_work[call]
                self._ray.kill(actor)
                found.append(Lost(number, "its node is gone"))
        return found

    def stop(self) -> None:
        """See `Crew`."""
        for actor, _ in self._at_work.values():
            actor.stop.remote()
        gone, self._waiting = self._waiting, deque()
        self._unbegun += [Lost(work.number, "stopped before it was begun") for work in gone]

    def close(self) -> None:
        """See `Crew`."""
        for actor in [*self._free, *(actor for actor, _ in self._at_work.values())]:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)
        self._free, self._at_work = [], {}
        if self._is_ours:
            self._ray.shutdown()


class RayPool(Executor):
    """Calls of functions by a cluster's machines; a call that is lost with one is made again.

    Args:
        address: `ray`, or `ray://HOST:PORT`.
        num_threads: cores of each call.

    Raises:
        ToolMissingError, VideoError: as `RayCrew`.
    """

    def __init__(self, address: str, num_threads: int) -> None:
        self._ray = ray = _ray()
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _connect(ray, address)
        self.size = _room(ray, "CPU", num_threads)
        if self.size < 1:
            raise VideoError(f"{address}: no room for a call of {num_threads} threads there")
        self._num_threads = num_threads
        self._calls: list[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """See `Executor`; the call and what it gives are pickled."""
        remote = self._ray.remote(num_cpus=self._num_threads, max_retries=RETRIES)(fn)
        call = remote.remote(*args, **kwargs)
        self._calls.append(call)
        future: Future[Any] = Future()
        call.future().add_done_callback(partial(_answer, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `Executor`; what runs is interrupted where it is cancelled."""
        for call in self._calls if cancel_futures else ():
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(call)
        if calls := self._calls:
            limit_s = None if wait else ENDING_S
            self._ray.wait(calls, num_returns=len(calls), timeout=limit_s)
        self._calls = []
        if self._is_ours and self._ray.is_initialized():
            self._ray.shutdown()


def _answer(future: "Future[Any]", theirs: "Future[Any]") -> None:
    """Hand a call's outcome on; errors are those of the call, or say that its machine is lost."""
    if future.cancelled():
        return
    error = theirs.exception()
    if error is None:
        future.set_result(theirs.result())
        return
    cause = getattr(error, "cause", None)
    if not isinstance(cause, NvcError):
        cause = LostCallError((str(error).strip().splitlines() or [type(error).__name__])[0])
    future.set_exception(cause)


def _room(ray: Any, resource: str, each: int) -> int:
    """How many of a size the nodes have room for that are there now."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    return sum(int(node["Resources"].get(resource, 0) // each) for node in nodes)


def _ray() -> Any:
    """The library.

    Raises:
        ToolMissingError: it is not there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else runs comes first
    try:
        import ray
    except ImportError as error:
        raise ToolMissingError(
            "workers ray: needs Ray, which is not installed: pip install 'nvcodec-inr[ray]'"
        ) from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Join the cluster, or begin one.

    Raises:
        VideoError: it cannot be reached.
    """
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    for is_last in (False, False, True):
        try:
            if address == LOCAL:
                ray.init(address="local", include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
            return
        except (ConnectionError, RuntimeError, ValueError) as error:
            # A busy head gives up starting a client's server after half a minute.
            if isinstance(error, ConnectionAbortedError) and not is_last:
                continue
            said = " ".join(str(error).split()) or type(error).__name__
            raise VideoError(f"{address}: cannot be joined: {said}") from error
