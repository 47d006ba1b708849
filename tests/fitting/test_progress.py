"""Progress by steps and by the clock."""

import pytest

from nvcodec.fitting.progress import StepPace, TimePace


def test_steps():
    pace = StepPace([10, 0, 4])
    assert pace.progress(0, 5, 1e9, 0.0) == 0.5
    assert pace.progress(0, 10, 0, 0) == 1
    assert pace.progress(1, 0, 0, 0) == 1
    assert pace.progress(2, 0, 0, 0) == 0
    assert pace.outlook(10, 99.0, 2.0) == (14, 8.0)


def test_time_is_shared_in_proportion_to_steps():
    pace = TimePace([6, 0, 2], [1, 1, 1], 80.0)
    assert pace.progress(0, 0, 0.0, 0.0) == 0
    assert pace.progress(0, 9, 30.0, 0.0) == 0.5
    assert pace.progress(0, 9, 60.0, 0.0) == 1
    assert pace.progress(1, 0, 60.0, 60.0) == 1
    assert pace.progress(2, 1, 70.0, 60.0) == 0.5
    assert pace.progress(2, 1, 80.0, 60.0) == pytest.approx(1)
    assert pace.outlook(100, 70.0, 0.5) == (120, 10.0)


def test_what_preparing_takes_is_none_of_a_stages_progress():
    pace = TimePace([6, 2], [1, 1], 80.0)
    assert pace.progress(1, 0, 70.0, 70.0) == 0
    assert pace.progress(1, 3, 75.0, 70.0) == 0.5
    assert pace.progress(1, 3, 80.0, 70.0) == 1
    assert pace.progress(1, 0, 90.0, 90.0) == 0
    assert pace.progress(1, 1, 90.0, 90.0) == 1


@pytest.mark.parametrize("limit_s", [0.0, -3.0, 1e-9])
def test_without_time_every_stage_takes_one_step(limit_s):
    pace = TimePace([1, 1], [1, 1], limit_s)
    for stage in (0, 1):
        assert pace.progress(stage, 0, 5.0, 5.0) == 0
        assert pace.progress(stage, 1, 5.0, 5.0) >= 1


def test_some_steps_are_taken_whatever_the_time():
    pace = TimePace([30], [10], 80.0)
    assert pace.progress(0, 9, 200.0, 0.0) < 1
    assert pace.progress(0, 10, 200.0, 0.0) >= 1
    assert pace.progress(0, 9, 40.0, 0.0) == 0.5
