"""The C library's allocator, told to keep freed memory for what comes next.

Fitting and decoding allocate and free the same large arrays at every step. By default glibc gives
each back to the system, which then clears thousands of pages a step: a third of the time.
"""

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


@functools.cache
def keep_freed_memory() -> None:
    """From now on this process keeps memory that was freed; does nothing without glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
