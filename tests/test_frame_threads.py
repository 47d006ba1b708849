"""Frames by several threads: those of one, in order, errors in their turn."""

import functools
import os
import sys
import threading
import warnings

import pytest
import torch

from codec_helpers import TESTS, write_y4m
from nvcodec.container.reader import NvcReader
from nvcodec.decoder import Decoder
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import ChecksumError, TruncatedError
from nvcodec.frame_threads import SMALL_MACS, in_order, useful_threads
from nvcodec.presets import load_preset

PRESETS = TESTS / "presets"


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_from_several_threads(two_threads):
    names, met = set(), threading.Barrier(2, timeout=10)

    def call(number):
        names.add(threading.current_thread().name)
        if number < 2:
            met.wait()  # both have to be at work at once
        assert torch.get_num_threads() == 1
        return number

    calls = (lambda n=n: call(n) for n in range(9))
    assert list(in_order(calls, 2)) == list(range(9))
    assert len(names) == 2
    assert torch.get_num_threads() == 2


def test_other_threads_are_left_alone(two_threads):
    seen = []

    def look():
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()

    for _ in in_order((lambda n=n: n for n in range(5)), 2):
        look()
    look()
    assert seen == 6 * [2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_error_comes_in_its_turn(count):
    def calls():
        yield lambda: 0
        yield lambda: 1
        raise ChecksumError("the third")

    def broken():
        yield lambda: 0
        yield lambda: 1 // 0
        yield lambda: 2

    found = []
    with pytest.raises(ChecksumError, match="the third"):
        found.extend(in_order(calls(), count))
    for expected, call in ((ZeroDivisionError, broken), (ChecksumError, calls)):
        results = in_order(call(), count)
        assert next(results) == 0
        with pytest.raises(expected):
            list(results)


def test_who_stops_early_leaves_no_thread():
    results = in_order((lambda n=n: n for n in range(100)), 3)
    assert next(results) == 0
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("frame")]


def test_how_many(two_threads):
    assert useful_threads(10**6, 1000, 1 << 30) == 2
    assert useful_threads(10**6, 1000, 1500) == 1
    assert useful_threads(int(2 * SMALL_MACS), 1000, 1 << 30) == 1
    torch.set_default_dtype(torch.float64)
    try:
        assert useful_threads(10**6, 1000, 1 << 30) == 1
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """Presets' files of 12 frames in three segments, by name."""
    folder = tmp_path_factory.mktemp("coded")
    source = write_y4m(folder / "in.y4m", 160, 96, num_frames=12)

    @functools.cache
    def path(name):
        preset = load_preset(str(PRESETS / f"{name}.toml"))
        with warnings.catch_warnings(action="ignore"):
            encode(source, folder / f"{name}.nvc", preset, EncodeOptions(segment_frames=4))
        return folder / f"{name}.nvc"

    return path


@pytest.mark.parametrize(
    ("name", "count"), [("tiny", 2), ("tiny-nerv", 2), ("tiny-steps", 1), ("tiny-latents", 1)]
)
def test_frames_are_those_of_one_thread(name, count, coded, two_threads):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Decoder(coded(name), device="cpu") as video:
            _, segment = next(iter(video.segments()))
            assert video._open_segment(segment).num_threads(1 << 30) == count
            alone = [video[t] for t in range(12)]
            for _ in range(3):
                for one, other in zip(alone, video, strict=True):
                    assert abs(one.astype(int) - other).max() <= 1
    finally:
        sys.setswitchinterval(interval)


def test_frames_before_an_early_end_are_given(coded, tmp_path, two_threads):
    data = coded("tiny").read_bytes()
    with NvcReader(coded("tiny")) as reader:
        third = reader.index[2].offset
    (tmp_path / "a.nvc").write_bytes(data[: third + 40])
    with Decoder(tmp_path / "a.nvc", device="cpu") as video:
        frames = iter(video)
        assert [len(next(frames)) for _ in range(8)] == 8 * [96]
        with pytest.raises(TruncatedError):
            next(frames)


def test_a_pipe_gives_a_segment_when_it_has_one(coded, two_threads):
    data = coded("tiny").read_bytes()
    with NvcReader(coded("tiny")) as reader:
        second = reader.index[1].offset
    ours, theirs = os.pipe()
    os.write(theirs, data[:second])
    with open(ours, "rb") as pipe, Decoder(pipe, device="cpu") as video:
        frames = iter(video)
        assert [len(next(frames)) for _ in range(4)] == 4 * [96]
        os.write(theirs, data[second:])
        os.close(theirs)
        assert len(list(frames)) == 8
