"""Passes towards a goal, under a clock and without one."""

from types import SimpleNamespace

import pytest

from nvcodec.fitting.analysis.course import MOST_LANDINGS_ABOVE, Course
from nvcodec.goals import Goal, Measured


def landings(measured: list[Measured], is_timed: bool) -> tuple[int, float]:
    """How many landing passes are begun, and when the last one ends; the first pass takes half."""
    steering = SimpleNamespace(goal=Goal(size_bytes=1000), is_timed=is_timed)
    course, progress, step = Course(), 0.5, 10
    course.end_pass(steering, measured[0], step, progress, num_passes=1)
    for one in measured[1:]:
        if course.is_done:
            break
        progress, step = progress + 0.15, step + 10
        course.end_pass(steering, one, step, progress, num_passes=1)
    return int(course.number) - 1, progress


def test_a_landing_pass_that_would_not_end_in_time_is_not_begun():
    near = [Measured(900)] * 20
    assert landings(near, is_timed=False)[0] > 3
    count, progress = landings(near, is_timed=True)
    assert count == 3
    assert progress == pytest.approx(0.95)


def test_a_size_is_kept_whatever_the_time():
    above = [Measured(1030)] * 20
    assert landings(above, is_timed=True)[0] == MOST_LANDINGS_ABOVE
