"""Segments that are coded as changes of the one before: chains of them, and what they need."""

import io
import itertools

import numpy as np
import pytest

from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_ROUND,
    moving_frames,
    video_info,
    write_video,
)
from nvcodec.container.extract import Choice, extract
from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader
from nvcodec.decoder import Decoder
from nvcodec.encode_plan import WorkersWarning
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, LimitError, PresetError
from nvcodec.goals import Goal
from nvcodec.presets import load_preset
from nvcodec.refiner import refine

TINY_HINERV = "hinerv-tiny"
SMALLER = ["representation.channels=8", "representation.depths=[1,1]",
           "representation.grid_channels=1", "representation.local_channels=1"]  # fmt: skip
CHAINS = [(), (0,), (1,), (), (3,)]
"""What segments refer to in chains of three."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    info = video_info()
    return write_video(tmp_path_factory.mktemp("gop") / "a.y4m", info, moving_frames(info, 9))


@pytest.fixture(scope="module")
def chained(clip, tmp_path_factory):
    """Nine frames in segments of two, the third and fourth a frame shorter, in chains of three."""
    path = tmp_path_factory.mktemp("chained") / "a.nvc"
    encode(clip, path, load_preset(TINY_ROUND, epochs=20), options())
    return path


def options(gop=3, **settings):
    return EncodeOptions(segment_frames=2, gop=gop, **settings)


def frames_of(path, **settings):
    with Decoder(path, device="cpu", **settings) as decoder:
        return list(decoder)


def test_chains_are_in_the_file_and_bounded(chained, call):
    with NvcReader(chained) as reader:
        assert [segment.references for segment in reader.segments()] == CHAINS
    done = call("verify", chained)
    assert done.code == 0, done.stderr
    said = call("info", chained).stdout.decode()
    assert "segment 2, frames 3:5, needs segment 1" in said
    assert "any frame of a segment alone; a segment needs up to 2 before it" in said


def test_what_a_damaged_segment_takes_along_is_named(chained, tmp_path):
    with NvcReader(chained) as reader:
        second = reader.index[1]
    content = bytearray(chained.read_bytes())
    content[second.offset + second.length - 10] ^= 1
    damaged = tmp_path / "damaged.nvc"
    damaged.write_bytes(content)
    with Decoder(damaged, device="cpu", keep_going=True) as decoder:
        assert len(list(decoder)) == 9 - second.num_frames - 2
        assert sum("CRC" in text for text in decoder.damage) == 2
        assert any(text.startswith("frames 3:5 are lost: byte") for text in decoder.damage)


@pytest.mark.parametrize(
    ("preset", "overrides"), [(TINY_ROUND, []), pytest.param(TINY_HINERV, SMALLER)]
)
def test_it_is_measured_as_it_is_decoded(clip, tmp_path, preset, overrides):
    loaded = load_preset(preset, overrides, epochs=4)
    report = encode(clip, tmp_path / "a.nvc", loaded, options())
    from nvcodec.metrics.quality import QualityMeter
    from nvcodec.video import open_video

    with Decoder(tmp_path / "a.nvc", device="cpu") as decoder, open_video(clip) as video:
        meter = QualityMeter(decoder.info)
        for ours, theirs in zip(decoder.planes(), video, strict=True):
            meter.add(theirs, ours)
    assert meter.quality().psnr_rgb_db == pytest.approx(report.quality.psnr_rgb_db, abs=1e-9)


class Pipe(io.BytesIO):
    """Read forward only."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation


def test_the_same_command_twice_ends_well(tmp_path):
    info = video_info()
    clip = write_video(tmp_path / "a.y4m", info, moving_frames(info, 4))
    command = clip, tmp_path / "a.nvc", load_preset(TINY_ROUND, epochs=100), options()
    assert not encode(*command).was_there
    before = (tmp_path / "a.nvc").read_bytes()
    assert encode(*command).was_there
    assert (tmp_path / "a.nvc").read_bytes() == before


def test_back_at_the_start_nothing_is_decoded_twice(chained, monkeypatch):
    from nvcodec import segment_values

    seen, unpack = [], segment_values.unpack_segment

    def note(head, segment, limits):
        seen.append(segment.number)
        return unpack(head, segment, limits)

    monkeypatch.setattr(segment_values, "unpack_segment", note)
    with Decoder(chained, device="cpu") as decoder:
        for t in [*range(9), *range(9)]:
            decoder[t]
    assert seen == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@pytest.mark.slow
def test_what_fits_without_an_error_is_no_fault(tmp_path):
    info = video_info()
    white = tuple(np.full_like(plane, 128) for plane in moving_frames(info, 1)[0])
    clip = write_video(tmp_path / "a.y4m", info, [white] * 3)
    preset = load_preset(TINY_ROUND, ["fitting.optimizer.learning_rate=0.1"], epochs=600)
    how = EncodeOptions(segment_frames=1, gop=3)
    report = encode(clip, tmp_path / "a.nvc", preset, how)
    assert report.quality.psnr_rgb_db > 40


def test_any_frame_alone_is_the_one_in_order(chained):
    whole = frames_of(chained)
    with Decoder(chained, device="cpu") as decoder:
        for t in (8, 3, 0, 5, 4, 8):
            assert np.array_equal(decoder[t], whole[t])
    for start in (0, 4, 7):
        piped = frames_of(Pipe(chained.read_bytes()), frames=slice(start, 9))
        assert len(piped) == 9 - start
        assert all(map(np.array_equal, piped, whole[start:]))
    assert all(map(np.array_equal, frames_of(chained, frames=slice(4, 9)), whole[4:]))


@pytest.mark.slow
def test_changes_take_fewer_bits_than_values(clip, tmp_path):
    """Over three seeds: one fit of so small a network ends some dB above or below another."""
    sizes, psnr_db = {1: [], 3: []}, {1: [], 3: []}
    for seed, gop in itertools.product(range(3), (1, 3)):
        path, how = tmp_path / f"{seed}-{gop}.nvc", options(gop=gop, seed=seed)
        report = encode(clip, path, load_preset(TINY_ROUND, epochs=100), how)
        psnr_db[gop].append(report.quality.psnr_rgb_db)
        with NvcReader(path) as reader:
            sizes[gop].append([len(coded.sections["SYMB"]) for coded in reader.segments()])
    assert np.mean(psnr_db[3]) > np.mean(psnr_db[1])
    assert [each[0] for each in sizes[3]] == [each[0] for each in sizes[1]]
    assert np.sum(sizes[3]) < 0.9 * np.sum(sizes[1])


@pytest.mark.parametrize("goal", [None, Goal(size_bytes=9000)])
def test_stopped_again_and_again_it_comes_to_the_same_bytes(clip, tmp_path, goal):
    loaded, target, stops = load_preset(TINY_ROUND, epochs=6), tmp_path / "a.nvc", 0
    encode(clip, tmp_path / "whole.nvc", loaded, options(goal=goal))
    while not target.exists():
        left = [9 + 5 * stops]

        def should_stop(left=left):
            left[0] -= 1
            return left[0] < 0

        try:
            encode(clip, target, loaded, options(goal=goal), should_stop=should_stop)
        except InterruptedEncodeError:
            stops += 1
    assert stops > 3
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.nvc", "whole.nvc"}


def test_a_chain_is_copied_from_its_head_on(chained, tmp_path, call):
    done = call("extract", chained, "-o", tmp_path / "x.nvc", "--frames", "3:5")
    assert done.code != 0
    assert "is decoded with segment" in done.stderr
    with NvcReader(chained) as reader:
        start = reader.index[3].first_frame
    extract(chained, tmp_path / "y.nvc", Choice(frames=slice(start, 9)))
    assert all(map(np.array_equal, frames_of(tmp_path / "y.nvc"), frames_of(chained)[start:]))


def test_one_worker_does_a_chain(clip, tmp_path, chained):
    loaded = load_preset(TINY_ROUND, epochs=20)
    with pytest.warns(WorkersWarning, match="begins with the one before: one worker alone"):
        encode(clip, tmp_path / "a.nvc", loaded, options(workers=2))
    assert (tmp_path / "a.nvc").read_bytes() == chained.read_bytes()


@pytest.mark.parametrize("preset", [TINY, TINY_LATENTS, "coin-mlp-siren"])
def test_what_codes_no_changes_says_so(clip, tmp_path, preset):
    with pytest.raises(PresetError, match=r"codes every segment alone; hinerv-\* and nerv-\*"):
        encode(clip, tmp_path / "a.nvc", load_preset(preset), options())


def test_a_chain_is_no_longer_than_readers_take(clip, tmp_path):
    with pytest.raises(LimitError, match="chains of 3 segments, allowed up to 2; gop makes"):
        encode(clip, tmp_path / "a.nvc", load_preset(TINY_ROUND),
               options(limits=Limits(needed_segments=2)))  # fmt: skip


def test_a_chain_is_not_refined(clip, tmp_path, chained):
    with pytest.raises(PresetError, match="segment 1 is coded as a change of segment 0"):
        refine(chained, clip, tmp_path / "b.nvc")


@pytest.mark.parametrize("gop", [0, -1, 2.5, "3"])
def test_a_length_that_is_none(clip, tmp_path, gop):
    import nvcodec

    with pytest.raises((TypeError, ValueError)):
        nvcodec.encode(clip, tmp_path / "a.nvc", TINY_ROUND, gop=gop)


def test_a_chain_ends_at_a_cut(tmp_path):
    info = video_info()
    dark, light = moving_frames(info, 12), moving_frames(info, 14)
    frames = [*dark, *(tuple(plane // 4 for plane in planes) for planes in light)]
    clip = write_video(tmp_path / "a.y4m", info, frames)
    how = EncodeOptions(segment_frames=8, gop=3, at_cuts=True)
    encode(clip, tmp_path / "a.nvc", load_preset(TINY_ROUND, epochs=2), how)
    with NvcReader(tmp_path / "a.nvc") as reader:
        coded = list(reader.segments())
    assert [s.references for s in coded] == [(), (0,), (), (2,)]
    assert coded[2].first_frame == 12
