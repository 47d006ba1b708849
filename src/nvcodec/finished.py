"""An output that is complete already: recognised, measured against its source, and left as it is.

A command that was killed in its very last moment, and one that is given twice, end well so.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.encode_plan import EncodePlan
from nvcodec.errors import BitstreamError, OutputError
from nvcodec.job import OVERWRITE, job_folder
from nvcodec.job_folder import JobFolder
from nvcodec.job_state import STATE_NAME
from nvcodec.metrics.quality import NEAR_DB, QualityMeter, flat_psnr_db
from nvcodec.segment_decoder import SegmentDecoder, select_device
from nvcodec.segment_values import SegmentValues
from nvcodec.segment_work import Show, measure
from nvcodec.tally import Tally
from nvcodec.video.info import Planes


def is_complete(path: Path, plan: EncodePlan) -> bool:
    """Whether a whole file with the plan's HEAD has the name, with no job beside it."""
    options = plan.options
    if options.overwrite or options.restart or not plan.is_anew:
        return False
    if not path.is_file() or part_path(path).exists():
        return False
    if (job_folder(path, options.workdir) / STATE_NAME).exists():
        return False
    try:
        with NvcReader(path, limits=options.limits) as reader:
            num_frames = sum(segment.num_frames for segment in reader.segments())
            head = reader.head
    except (BitstreamError, OSError):
        return False
    expected = plan.head(plan.info.num_frames or head.num_frames)
    return head == expected and num_frames == (head.num_frames or num_frames)


def stored_streams_bytes(path: Path, limits: Limits) -> int:
    """Bytes of a file that are copied streams."""
    with NvcReader(path, limits=limits) as reader:
        return sum(entry.size for entry in reader.chunk_map() if entry.kind == "mkvs")


def recall(
    path: Path,
    plan: EncodePlan,
    segments: Iterable[Sequence[Planes]],
    tally: Tally,
    should_stop: Callable[[], bool],
    show: Show | None = None,
) -> int:
    """Count the file's segments, each compared with the source; gives its size in bytes.

    Raises:
        OutputError: it was made of another source, or in other segments.
    """
    other = OutputError(f"{path}: exists, and was made of another source", OVERWRITE)
    device = select_device(plan.options.device)
    with NvcReader(path, limits=plan.options.limits) as reader:
        stored = reader.segments()
        values = SegmentValues(reader.head, plan.options.limits, reader.find_segment)
        for planes in segments:
            coded = next(stored, None)
            if coded is None or coded.num_frames != len(planes):
                raise other
            decoder = SegmentDecoder(
                reader.head, coded, device, limits=plan.options.limits, values=values
            )
            meter = QualityMeter(plan.info)
            measure(decoder, planes, meter, should_stop, show)
            psnr_db = meter.quality().psnr_rgb_db
            if psnr_db < NEAR_DB and psnr_db < flat_psnr_db(planes, plan.info):
                raise other
            measured = {"digest": coded.digest.hex(), "fit_s": 0.0, "spent_s": 0.0}
            tally.recall({**measured, "quality": meter.state()}, len(planes))
        if next(stored, None) is not None:
            raise other
    folder = JobFolder(job_folder(path, plan.options.workdir))
    if folder.is_ours:
        folder.remove([])
    return path.stat().st_size
