"""What freed memory costs the next allocation."""

import platform

import pytest

from codec_helpers import python


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_used_again_at_no_cost():
    script = """
import resource, sys
import numpy as np
if sys.argv[1] == "kept":
    from nvcodec.allocator import keep_freed_memory
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(1 << 21)
before = faults()
for _ in range(10):
    np.ones(1 << 21)  # 16 MiB, 4,096 pages
print(faults() - before)
"""
    usual, kept = (int(python(script, name)) for name in ("usual", "kept"))
    assert kept < min(50, usual)
