"""Frames by several threads, each of them by one.

    calls --one a frame--> threads, each with products of its own --> frames in order

A product that threads share ends when the last of them has done its part: one other program on one
of two cores makes all of it wait. Frames are handed out to whoever is free.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
SMALL_MACS = 4e9
"""Multiply-adds of a frame, up to which one thread is soon done with it."""
MOST_THREADS = 8
"""More take more memory, and nobody reads so fast."""


def useful_threads(macs_per_frame: int, memory_bytes: int, allowed: int) -> int:
    """Threads to render frames on a CPU with; 1 where all of them had better share each frame.

    Args:
        macs_per_frame: multiply-adds of one.
        memory_bytes: that rendering one takes.
        allowed: bytes, for all.
    """
    if macs_per_frame > SMALL_MACS:
        return 1
    if torch.get_default_dtype() != torch.float32:  # it is of the whole process
        return 1
    return max(1, min(torch.get_num_threads(), MOST_THREADS, allowed // max(memory_bytes, 1)))


def in_order(calls: Iterator[Callable[[], T]], count: int) -> Iterator[T]:
    """What each call gives, as if they were made here one by one; an error comes in its turn.

    Args:
        calls: taken as threads come free, here.
        count: of threads.
    """
    if count == 1:
        for call in calls:
            yield call()
        return
    waiting: deque[Future[T]] = deque()
    is_left, failure = True, None
    pool = _pool(count)
    try:
        while is_left or waiting:
            while is_left and len(waiting) <= count:
                try:
                    waiting.append(pool.submit(next(calls)))
                except StopIteration:
                    is_left = False
                except Exception as error:  # in its turn
                    is_left, failure = False, error
            if waiting:
                yield waiting.popleft().result()
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)


def _share_nothing() -> None:
    """Make products of this thread its own."""
    torch.get_num_threads()  # a thread asks once what is usual, and then takes what it is told
    torch.set_num_threads(1)


def _pool(count: int) -> ThreadPoolExecutor:
    """Threads that are there, each with products of its own."""
    shared, all_there = torch.get_num_threads(), threading.Barrier(count)
    pool = ThreadPoolExecutor(count, "frame", initializer=_share_nothing)
    for started in [pool.submit(all_there.wait) for _ in range(count)]:
        started.result()
    torch.set_num_threads(shared)  # what threads of others take that come later
    return pool
