"""What an encoding expects, checks and refuses before it fits anything."""

import contextlib
import io
import json
import warnings
from dataclasses import replace

import pytest

from codec_helpers import (
    TINY,
    TINY_NVRC,
    TINY_RAW,
    TINY_ROUND,
    moving_frames,
    video_info,
    write_video,
    write_y4m,
)
from nvcodec import encoder
from nvcodec.container.reader import NvcReader
from nvcodec.encode_types import EncodeOptions, SegmentStarted
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, OutputError, UnsupportedVideoError, VideoError
from nvcodec.presets import load_preset
from nvcodec.samples import Samples
from nvcodec.time_budget import TimeBudget, TimeWarning
from nvcodec.video import VideoReader


def first_event(clip, target, preset, **settings):
    """What is announced before the first step."""
    seen = []
    with pytest.raises(InterruptedEncodeError):
        encode(
            clip, target, load_preset(preset), EncodeOptions(**settings),
            should_stop=lambda: bool(seen), on_event=seen.append,
        )  # fmt: skip
    assert isinstance(seen[0], SegmentStarted)
    return seen[0]


@pytest.mark.parametrize(
    ("preset", "bits"),
    [
        (TINY_RAW, 16),
        (TINY, 5.04),
        (TINY_NVRC, 3),
        (TINY_ROUND, 4.2),
    ],
)
def test_the_predicted_size_goes_by_the_scheme_and_the_last_stage(clip, tmp_path, preset, bits):
    event = first_event(clip, tmp_path / "x.nvc", preset)
    assert event.expected.size_bytes == round(event.expected.num_parameters * bits / 8)


def test_limits_are_those_of_the_decoder_to_come(clip, tmp_path, call):
    words = ("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY_RAW, "--epochs", 1, "-q")
    for limit, said in (
        ("parameters=10", "parameters"),
        ("memory_bytes=1k", "bytes of memory"),
        ("macs_per_frame=1k", "multiply-adds"),
        ("frames=7", "frames"),
    ):
        done = call(*words, "--limit", limit)
        assert done.code == 10
        assert said in done.stderr
        assert not list(tmp_path.iterdir())
    assert call(*words, "--limit", "dimension=20000").code == 0


def test_the_largest_seed(clip, tmp_path, call):
    words = ("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY_RAW, "--epochs", 1, "-q")
    assert call(*words, "--seed", 2**63).code == 2
    done = call(*words, "--seed", 2**63 - 1, "--segment-frames", 4)
    assert done.code == 0, done.stderr


def test_a_time_instead_of_epochs(clip, tmp_path, call):
    """However short, there is a whole file; bytes go by the clock, so only that is checked here."""
    target = tmp_path / "x.nvc"
    words = ("encode", clip, "-o", target, "-p", TINY_NVRC, "--segment-frames", 4, "-y")
    for time in ("0.1s", "0h0m3s"):
        done = call(*words, "--max-time", time, "--json")
        assert done.code == 0, done.stderr
        fits = [
            event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "fit"
        ]
        assert {event["segment"] for event in fits} == {0, 1}
        assert fits[-1]["step"] == fits[-1]["num_steps"]
        assert call("verify", target).code == 0
    for wrong in ("0s", "5x", "m", ""):
        assert call(*words, "--max-time", wrong).code == 2
    both = call(*words, "--max-time", "3s", "--epochs", 3)
    assert both.code == 2
    assert "only one of them" in both.stderr


def test_a_time_that_was_not_kept_is_said():
    with pytest.warns(TimeWarning, match=r"took 12.\d s instead of 10.0 s"):
        TimeBudget(10, before_s=12).say_if_late()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TimeBudget(10, before_s=10.5).say_if_late()


def test_a_time_needs_to_know_how_much_is_to_come(clip, tmp_path):
    target = tmp_path / "x.nvc"
    settings = EncodeOptions(max_time_s=1.0, segment_frames=4)
    with (
        clip.open("rb") as stream,
        pytest.raises(VideoError, match=r"how many frames .*; frames names them"),
    ):
        encode(stream, target, load_preset(TINY_RAW), settings)
    assert not target.exists()


@pytest.mark.parametrize("samples", [Samples.RGB, Samples.YUV444])
def test_a_matrix_without_a_conversion_is_refused_before_any_work(
    clip, tmp_path, monkeypatch, samples
):
    info = video_info()
    info = replace(info, color=replace(info.color, matrix=8))  # YCgCo
    video = VideoReader(info, iter(moving_frames(info, 2)), "clip", contextlib.ExitStack())
    monkeypatch.setattr(encoder, "open_videos", lambda *_, **__: video)
    settings = EncodeOptions(samples=samples)
    with pytest.raises(UnsupportedVideoError, match="colour matrix 8"):
        encode(clip, tmp_path / "x.nvc", load_preset(TINY), settings, on_event=pytest.fail)
    assert not list(tmp_path.iterdir())


def test_an_output_is_never_its_source(tmp_path, call, monkeypatch):
    source = write_y4m(tmp_path / "a.y4m", num_frames=2)
    (tmp_path / "soft.nvc").symlink_to(source)
    (tmp_path / "hard.nvc").hardlink_to(source)
    part = write_y4m(tmp_path / "b.y4m", num_frames=2).rename(tmp_path / "b.nvc.part")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for given, target in (
        (source, source),
        (source, tmp_path / "soft.nvc"),
        (source, tmp_path / "hard.nvc"),
        (tmp_path / "soft.nvc", source),
        (part, tmp_path / "b.nvc"),
    ):
        done = call("encode", given, "-o", target, "-p", TINY_RAW, "-y")
        assert done.code == 4
        assert "is the source itself" in done.stderr
    with source.open("rb") as stream:
        with pytest.raises(OutputError, match="is the source itself"):
            encode(stream, source, load_preset(TINY_RAW), EncodeOptions(overwrite=True))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        assert call("encode", "-", "-o", source, "-p", TINY_RAW, "-y").code == 4
        assert call("decode", source, "-o", tmp_path / "soft.nvc", "-y").code == 4
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_output_among_the_pictures_of_its_source(tmp_path, call):
    info = video_info(16, 16, "rgb")
    folder = tmp_path / "pictures"
    write_video(folder, info, moving_frames(info, 2))
    picture = sorted(folder.iterdir())[0]
    words = ("-p", TINY_RAW, "--set", "fitting.patch_size=[8,8]", "--epochs", 1, "-q", "-y")
    content = picture.read_bytes()
    for given in (folder, folder / "%05d.png"):
        done = call("encode", given, "-o", picture, *words)
        assert done.code == 4
        assert "is the source itself" in done.stderr
    assert picture.read_bytes() == content
    (folder / "x.nvc").write_bytes(b"old")
    done = call("encode", folder, "-o", folder / "x.nvc", *words)
    assert done.code == 0, done.stderr


def test_segments_begin_at_cuts(tmp_path, call):
    info = video_info()
    frames = moving_frames(info, 8)
    frames += [tuple(255 - plane for plane in planes) for planes in moving_frames(info, 13)]
    clip, target = write_video(tmp_path / "a.y4m", info, frames), tmp_path / "x.nvc"
    words = ("encode", clip, "-o", target, "-p", TINY_RAW, "--epochs", 1, "--segment-frames", 16)
    words += ("--json", "--segments")
    foreseen = call(*words, "auto", "--dry-run")
    assert foreseen.code == 0, foreseen.stderr
    assert foreseen.records[-1]["segments"] == 2
    assert call(*words, "auto").code == 0
    with NvcReader(target) as reader:
        assert [s.num_frames for s in reader.segments()] == [8, 13]
    assert call(*words, "auto").records[-1]["was_there"]
    assert call(*words, "even").code == 4  # other segments than those that are there
    assert call(*words, "cuts").code == 2
    with (
        clip.open("rb") as stream,
        pytest.raises(VideoError, match="neither a stream nor arrays; leave at_cuts out"),
    ):
        encode(stream, tmp_path / "y.nvc", load_preset(TINY_RAW), EncodeOptions(at_cuts=True))
