"""What a goal means, in numbers."""

from fractions import Fraction

import pytest

from nvcodec.errors import VideoError
from nvcodec.goals import Goal, Measured, Response

RESPONSE = Response(size_octaves=0.5, db=2.0, vmaf=4.0)


def test_a_bitrate_is_a_size_once_frames_are_counted():
    goal = Goal(bitrate_kbps=80)
    assert goal.sized(50, Fraction(25)).size_bytes == 20_000
    assert Goal(psnr_db=30).sized(None, Fraction(25)) == Goal(psnr_db=30)
    with pytest.raises(VideoError, match="how many frames are to come is not known"):
        goal.sized(None, Fraction(25))


@pytest.mark.parametrize(
    ("of", "value"), [("mean", 4.0), ("worst", 1.0), ("p0", 1.0), ("p50", 3.0), ("p100", 9.0)]
)
def test_statistics(of, value):
    assert Goal(psnr_db=1, of=of).statistic([3, 9, 1, 5, 2]) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_bytes": 0},
        {"psnr_db": float("inf")},
        {"psnr_db": 101},
        {"vmaf": 101},
        {"size_bytes": 1, "bitrate_kbps": 1},
        {"psnr_db": 30, "of": "p101"},
        {"psnr_db": 30, "of": "median"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="allowed"):
        Goal(**wrong)


@pytest.mark.parametrize(
    ("goal", "measured", "is_met", "is_more_wanted"),
    [
        (Goal(size_bytes=1000), Measured(1000), True, False),
        (Goal(size_bytes=1000), Measured(981), True, True),
        (Goal(size_bytes=1000), Measured(1001), False, False),
        (Goal(size_bytes=1000), Measured(900), False, True),
        (Goal(psnr_db=30), Measured(1, 29.9), True, True),
        (Goal(psnr_db=30), Measured(1, 30.4), False, False),
        (Goal(psnr_db=30, vmaf=90), Measured(1, 34.0, 90.05), True, True),
        (Goal(psnr_db=30, vmaf=90), Measured(1, 30.1, 80.0), False, True),
        # Both: the quality, but never more bytes.
        (Goal(size_bytes=1000, psnr_db=30), Measured(700, 30.0), True, True),
        (Goal(size_bytes=1000, psnr_db=30), Measured(990, 28.0), True, True),
        (Goal(size_bytes=1000, psnr_db=30), Measured(1100, 30.0), False, False),
        (Goal(size_bytes=1000, psnr_db=30), Measured(700, 28.0), False, True),
    ],
)
def test_how_far_something_is(goal, measured, is_met, is_more_wanted):
    assert goal.is_met(measured) is is_met
    assert (goal.octaves(measured, RESPONSE) > 0) is is_more_wanted


def test_too_large_a_file_is_worse_than_anything():
    goal = Goal(size_bytes=1000)
    misses = [goal.miss(Measured(size), RESPONSE) for size in (992, 900, 100, 1001)]
    assert misses == sorted(misses)
    assert misses[0] == pytest.approx(0, abs=1e-9)


def test_sizes_that_no_file_has():
    with pytest.raises(ValueError, match="size_bytes"):
        Goal(size_bytes=10**30)
    with pytest.raises(VideoError, match="makes 0 bytes in all"):
        Goal(bitrate_kbps=1e-6).sized(1, Fraction(25))
