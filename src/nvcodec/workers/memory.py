"""Whether several workers have the memory that they need, before they start."""

from pathlib import Path

from nvcodec.encode_plan import EncodePlan
from nvcodec.errors import FitMemoryError
from nvcodec.expectation import expect

WORKER_BYTES = 350 << 20
"""Of a process with torch, besides what it fits."""
_GROUP = Path("/sys/fs/cgroup")


def check_memory(plan: EncodePlan, num_workers: int) -> None:
    """Refuse more workers than there is memory for.

    Raises:
        FitMemoryError: they need more than is free.
    """
    info, longest = plan.info, plan.options.segment_frames
    if info.num_frames is not None:
        longest = min(longest, info.num_frames)
    shape = plan.samples.shape(longest, info.height, info.width)
    each = WORKER_BYTES + expect(plan.preset, shape, info).memory_bytes
    free = free_memory_bytes()
    if free is not None and num_workers * each > free:
        raise FitMemoryError(
            f"{num_workers} workers with segments of {longest} frames need about "
            f"{num_workers * each / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; allowed: fewer "
            f"workers ({free // each} here), or shorter segments",
        )


def free_memory_bytes(meminfo: Path = Path("/proc/meminfo"), group: Path = _GROUP) -> int | None:
    """What this process and its children may still take; None where nobody tells."""
    found = []
    try:
        lines = meminfo.read_text().splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass
    try:
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        found.append(max(limit - used, 0))
    except (OSError, ValueError):
        pass
    return min(found, default=None)
