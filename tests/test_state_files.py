"""State that is read back: damaged in any way it is refused, or exactly what was written."""

import io
import random

import numpy as np
import pytest
import torch

from codec_helpers import TINY, video_info
from nvcodec.encode_plan import plan_encoding
from nvcodec.encode_types import EncodeOptions
from nvcodec.errors import ResumeError
from nvcodec.fitting.checkpoints import CheckpointStore
from nvcodec.job import Job
from nvcodec.presets import load_preset
from nvcodec.state_files import TornError, read_state, write_state


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content cut, flipped, overwritten, repeated, or grown."""
    data = bytearray(content)
    at = rng.randrange(len(data))
    kind = rng.randrange(6)
    if kind == 0:
        del data[at:]
    elif kind == 1:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 2:
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif kind == 3:
        data += data[at:]
    elif kind == 4:
        data[at:at] = rng.randbytes(rng.randrange(1, 40))
    else:
        del data[at : at + rng.randrange(1, 40)]
    return bytes(data)


def states(tmp_path):
    """A checkpoint, values and a job, each with a way to read it as plain content."""
    plan = plan_encoding(video_info(), load_preset(TINY), EncodeOptions())
    job = Job(tmp_path / "x.nvc.job", plan.job_settings(), tmp_path / "x.nvc")
    store = job.checkpoints(0, "ab")
    tensors = {"weight": torch.arange(600.0), "step": 3}
    store.save(tensors)
    store.previous.unlink(missing_ok=True)
    job.keep_values(0, {"weight": np.arange(300, dtype=np.float16)})

    def checkpoint():
        return {name: np.asarray(value).tolist() for name, value in (store.load() or {}).items()}

    def values():
        return {name: array.tolist() for name, array in job.kept_values(0).items()}

    def state():
        again = Job(tmp_path / "x.nvc.job", plan.job_settings(), tmp_path / "x.nvc")
        return again.digests, again.is_resumed

    folder = tmp_path / "x.nvc.job"
    return [
        (folder / "segment-0.ckpt", checkpoint),
        (folder / "segment-0.npz", values),
        (folder / "job.json", state),
    ]


def check(tmp_path, num_runs, seed):
    rng = random.Random(seed)
    num_refused = 0
    for path, read in states(tmp_path):
        whole, content = path.read_bytes(), read()
        for _ in range(num_runs):
            path.write_bytes(damaged(whole, rng))
            try:
                assert read() == content
            except ResumeError:
                num_refused += 1
        path.write_bytes(whole)
        assert read() == content
    assert num_refused > 2.9 * num_runs


def test_damage_is_refused(tmp_path):
    check(tmp_path, 100, seed=0)


@pytest.mark.slow
def test_damage_is_refused_2000_times(tmp_path):
    check(tmp_path, 667, seed=1)


def test_the_checkpoint_before_is_taken_whatever_befell_the_newest(tmp_path):
    store = CheckpointStore(tmp_path, "fit", "digest")
    for step in (1, 2):
        store.save({"step": step})
    whole = store.path.read_bytes()
    for length in range(0, len(whole), 37):
        store.path.write_bytes(whole[:length])
        assert store.load()["step"] == 1


@pytest.mark.parametrize("content", [[1], "text", 3, {"format": 4}, None, {1: 2}])
def test_a_checkpoint_that_holds_something_else_is_refused(tmp_path, content):
    store = CheckpointStore(tmp_path, "fit", "digest")
    data = io.BytesIO()
    torch.save(content, data)
    write_state(store.path, data.getvalue())
    with pytest.raises(ResumeError):
        store.load()


@pytest.mark.parametrize(
    "content", ['"abc"', "[1]", "{}", "[" * 100_000, '{"output": "x", "settings": {}}', "", "null"]
)
def test_a_job_that_holds_something_else_is_refused(tmp_path, content):
    folder = tmp_path / "job"
    Job(folder, {}, tmp_path / "x.nvc")
    write_state(folder / "job.json", content.encode())
    with pytest.raises(ResumeError, match="is not a job's state"):
        Job(folder, {}, tmp_path / "x.nvc")


def test_a_link_is_not_read(tmp_path):
    write_state(tmp_path / "a", b"state")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert read_state(tmp_path / "a") == b"state"
    with pytest.raises(TornError):
        read_state(tmp_path / "b")
