"""Files that are wrong behind right checksums, and right ones that nobody would make."""

import collections

import pytest
import structured


def check(first, count):
    outcomes = collections.Counter(structured.run(seed) for seed in range(first, first + count))
    assert outcomes["frames"] > count / 20
    assert outcomes["MalformedError"] > count / 20
    assert outcomes.keys() <= {
        "frames", "not legal", "MalformedError", "ChecksumError", "LimitError", "TruncatedError",
        "UnsupportedVersionError", "NotAnNvcFileError", "VideoError",
    }  # fmt: skip


@pytest.mark.parametrize("first", range(0, 2000, 500))
def test_changed_files(first):
    check(first, 500)


@pytest.mark.slow
def test_many_changed_files():
    check(10_000, 20_000)
