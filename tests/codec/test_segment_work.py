"""The work on a segment as data: it can be sent elsewhere, and its result comes back."""

import pickle

import numpy as np

from codec_helpers import TINY, moving_frames, video_info
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.encode_plan import plan_encoding
from nvcodec.encode_types import EncodeOptions
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.presets import load_preset
from nvcodec.segment_work import SegmentTask, do
from nvcodec.segments import Segment


def make_task(**more):
    info = video_info(32, 32)
    plan = plan_encoding(info, load_preset(TINY), EncodeOptions())
    task = SegmentTask(
        number=1, segment=Segment(4, 8), preset=plan.preset, head=plan.head(8), info=info, seed=5,
        device="cpu", limits=DEFAULT_LIMITS, verify=True, **more,
    )  # fmt: skip
    return task, moving_frames(info, 4)


def test_a_task_and_its_result_survive_pickling(tmp_path):
    task, planes = make_task(store=CheckpointStore(tmp_path, "segment-1", "d"))
    here = do(task, planes)
    task, planes = pickle.loads(pickle.dumps((task, planes)))
    there = pickle.loads(pickle.dumps(do(task, planes)))
    assert there.coded == here.coded
    assert there.coded.number == 1
    assert there.coded.first_frame == 4
    assert there.quality == here.quality
    assert len(here.quality) == 2 + 4  # PSNR-RGB, MS-SSIM, planes of every frame
    for name, values in here.values.items():
        np.testing.assert_array_equal(there.values[name], values)


def test_a_segment_may_begin_with_the_values_of_another():
    task, planes = make_task(begins_with=0)
    first = do(task, planes)
    again = do(task, planes, first.values)
    assert again.coded.sections != first.coded.sections
    assert np.mean(again.quality[0]) > np.mean(first.quality[0])  # half the work was done
