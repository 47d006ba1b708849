"""Results of segments that were done before their turn, kept in the job until then.

OUT.nvc.job/segment-N.done      a line of JSON, then the payload of SEGM
"""

import contextlib
import json

from nvcodec.container.chunk_payloads import parse_segment
from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.errors import BitstreamError
from nvcodec.job import Job
from nvcodec.segment_work import SegmentResult
from nvcodec.state_files import read_state

_TIMES = ("fit_s", "decode_s", "spent_s")


def keep_result(job: Job, number: int, input_digest: str, result: SegmentResult) -> None:
    """Store a result, without values.

    Raises:
        OutputError: it cannot be written.
    """
    told = {"digest": job.digest(input_digest, number), "quality": result.quality}
    told |= {name: getattr(result, name) for name in _TIMES}
    path = job.result_path(number)
    content = json.dumps(told).encode() + b"\n" + result.coded.pack()
    job.write(path, content)


def kept_result(
    job: Job, number: int, input_digest: str, limits: Limits = DEFAULT_LIMITS
) -> SegmentResult | None:
    """A stored result of the same settings and frames, whose work was all in earlier runs."""
    try:
        head, _, payload = read_state(job.result_path(number)).partition(b"\n")
        told = json.loads(head)
        if told["digest"] != job.digest(input_digest, number):
            return None
        coded = parse_segment(payload, "SEGM", limits)
        times = {name: float(told[name]) for name in _TIMES}
        return SegmentResult(
            coded=coded, values={}, quality=told["quality"], before_s=times["spent_s"], **times
        )
    except (OSError, ValueError, KeyError, TypeError, BitstreamError):
        return None


def forget_result(job: Job, number: int) -> None:
    """Remove a stored result, whose segment is in the file."""
    with contextlib.suppress(OSError):
        job.result_path(number).unlink(missing_ok=True)
