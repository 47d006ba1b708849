"""Frames by several threads: those of one, in order, errors in their turn."""

import sys
import threading
from functools import partial

import pytest
import torch

from codec_helpers import decoded_planes, write_y4m
from nvcodec.decoder import Decoder
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import ChecksumError
from nvcodec.frame_threads import SMALL_MACS, in_order, useful_threads
from nvcodec.presets import load_preset
from nvcodec.representations import build, load_config
from nvcodec.samples import VideoShape


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
    seen = []
    threading.Thread(target=lambda: seen.append(torch.get_num_threads())).run()
    assert seen == [2]


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


@pytest.mark.filterwarnings("ignore::nvcodec.segment_work.FlatWarning")
@pytest.mark.parametrize("name", ["tiny", "tiny-steps", "tiny-latents"])
def test_frames_are_those_of_one_thread(name, tmp_path, two_threads, request):
    preset = load_preset(str(request.config.rootpath / "tests" / "presets" / f"{name}.toml"))
    source = write_y4m(tmp_path / "in.y4m", num_frames=7)
    encode(source, tmp_path / "a.nvc", preset, EncodeOptions(segment_frames=4))
    several = decoded_planes(tmp_path / "a.nvc")
    with Decoder(tmp_path / "a.nvc", device="cpu") as video:
        alone = [video[t] for t in range(7)]
        assert len(several) == 7
        for one, other in zip(alone, video, strict=True):
            assert abs(one.astype(int) - other).max() <= 1
        assert len(list(video)) == 7


def test_threads_do_not_mix_up_sums_of_steps():
    base = {"kind": "coin_mlp", "axes": "yx", "width": 16, "layers": 2}
    network = build(load_config({"kind": "weightstep", "base": base}), VideoShape(40, 8, 8, 3))
    network.requires_grad_(False)
    with torch.no_grad():
        for steps in network.step:
            steps.normal_()
    exact = [[one[:t].double().sum(0) for one in network.step] for t in range(40)]
    order = [t for _ in range(20) for t in range(40)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for t, sums in zip(
            order, in_order((partial(network._sums, t) for t in order), 4), strict=True
        ):
            for one, other in zip(sums, exact[t], strict=True):
                torch.testing.assert_close(one, other)
    finally:
        sys.setswitchinterval(interval)
