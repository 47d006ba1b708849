"""All work of an encoding: by which workers, and its results in order."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence

from nvcodec.encode_plan import EncodePlan
from nvcodec.encode_types import Event
from nvcodec.errors import VideoError
from nvcodec.job import Job
from nvcodec.processes import threads_told
from nvcodec.segment_work import SegmentResult, SegmentTask, Values
from nvcodec.video.info import Planes
from nvcodec.workers.crew import Crew, Done, Work
from nvcodec.workers.foreman import Foreman
from nvcodec.workers.memory import check_memory
from nvcodec.workers.processes import ProcessCrew

Do = Callable[[SegmentTask, Sequence[Planes], Values | None], SegmentResult]


def results_in_order(
    works: Iterator[Work],
    crew: Crew | None,
    job: Job | None,
    do: Do,
    should_stop: Callable[[], bool],
    on_event: Callable[[Event], None],
) -> Generator[Done]:
    """Results of all works, each as soon as it is there and all before it were taken.

    Args:
        works: read one by one, when somebody is free.
        crew: who does them; None: one after the other, here.
        job: where results are kept that come before their turn.
        do: does one task here, where nobody else does; gets the values of the one before it.
        should_stop: asked often.
        on_event: told of progress.

    Raises:
        NvcError: as `segment_work.do`.
    """
    if crew is not None:
        yield from Foreman(crew, job, should_stop, on_event).results(works)
        return
    values: Values | None = None
    for work in works:
        result = do(work.task, work.planes, values)
        values = result.values
        yield Done(work.task, work.input_digest, result)


def crew_of(plan: EncodePlan) -> Crew | None:
    """The crew that the options ask for; None where one segment is done after the other, here.

    Raises:
        VideoError: there is no such crew.
        ToolMissingError: it needs a library that is not there.
    """
    asked = plan.options.workers
    if asked == 1:
        return None
    if isinstance(asked, int):
        if all(device in ("cpu", "auto") for device in plan.options.devices):
            check_memory(plan, asked)
        return ProcessCrew(asked, plan.options.devices, threads_each(asked))
    if asked != "ray" and not asked.startswith("ray://"):
        raise VideoError(f"workers {asked!r}; allowed are a number, ray, and ray://HOST:PORT")
    from nvcodec.distributed import RayCrew

    return RayCrew(asked, plan.options.devices, threads_told() or 1)


def threads_each(num_workers: int) -> int:
    """Threads of each of several workers: an even share of this process' or of the cores."""
    return max(1, (threads_told() or os.cpu_count() or 1) // num_workers)
