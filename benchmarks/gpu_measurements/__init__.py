"""What `gpu.py` measures: each file gives `points(rehearsal)`, in the order of measuring.

work -> steps, quality, rate_distortion, decoding, profiling -> all_points
"""

from gpu_measurements import decoding, profiling, quality, rate_distortion, steps
from gpu_measurements.work import Point


def all_points(rehearsal: bool) -> list[Point]:
    """Every point of every measurement; for a rehearsal one of each kind, at toy size."""
    return [
        *steps.points(rehearsal),
        *quality.bunny_points(rehearsal),
        *rate_distortion.points(rehearsal),
        *decoding.points(rehearsal),
        *quality.nerv_points(rehearsal),
        *profiling.points(rehearsal),
        *quality.larger_points(rehearsal),
    ]
