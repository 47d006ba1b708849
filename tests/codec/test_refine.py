"""Fitting a file further: from its own integers, at any lambda, and never for the worse."""

import signal
import subprocess
import time

import pytest

import nvcodec
from codec_helpers import (
    TESTS,
    TINY,
    TINY_LATENTS,
    TINY_NERV,
    TINY_NVRC,
    TINY_RAW,
    TINY_ROUND,
    decoded_planes,
    environment,
    nvc_command,
    write_y4m,
)
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.encode_types import SegmentRefined, SegmentStarted
from nvcodec.errors import InterruptedEncodeError, NvcError, OutputError, PresetError, VideoError
from nvcodec.original import Original, RefineSettings
from nvcodec.presets import load_preset
from nvcodec.recipe import shortened
from nvcodec.remark import maker_of, remark_of

GOLDEN = TESTS / "golden"
TINY_STEPS = str(TESTS / "presets" / "tiny-steps.toml")
TOO_FAST = ["stages.0.learning_rate_scale=1000", "fitting.clip_norm=1000"]


@pytest.fixture(scope="module")
def make(clip, tmp_path_factory):
    """Gives a file of a preset, in two segments of 4 frames, made once."""
    made = {}

    def encoded_by(preset):
        if preset not in made:
            made[preset] = tmp_path_factory.mktemp("original") / "in.nvc"
            nvcodec.encode(clip, made[preset], preset, segment_frames=4)
        return made[preset]

    return encoded_by


def segments(path):
    with NvcReader(path) as reader:
        return list(reader.segments())


def refine(path, clip, target, preset=None, **settings):
    """What was told of each segment."""
    told = []
    nvcodec.refine(
        path, clip, target, preset, on_event=lambda e: told.append(e), device="cpu", **settings
    )
    return [event for event in told if isinstance(event, SegmentRefined)]


@pytest.mark.parametrize(
    "preset",
    [
        TINY,
        TINY_RAW,
        TINY_NVRC,
        pytest.param(TINY_NERV, marks=pytest.mark.slow),
        pytest.param(TINY_ROUND, marks=pytest.mark.slow),
        pytest.param(TINY_STEPS, marks=pytest.mark.slow),
        pytest.param(TINY_LATENTS, marks=pytest.mark.slow),
    ],
)
def test_stopped_again_and_again_it_becomes_the_same_better_file(clip, make, tmp_path, preset):
    original, whole, target = make(preset), tmp_path / "whole.nvc", tmp_path / "x.nvc"
    before = original.read_bytes()
    told = refine(original, clip, whole, preset)
    assert [event.number for event in told] == [0, 1]
    assert any(event.is_better for event in told) or preset == TINY_STEPS
    num_stops = 0

    def should_stop():
        nonlocal count
        count -= 1
        return count < 0

    while not target.exists():
        count = 14 + 10 * num_stops
        try:
            refine(original, clip, target, preset, should_stop=should_stop)
        except InterruptedEncodeError:
            num_stops += 1
        assert num_stops < 50
    assert num_stops >= 2
    assert target.read_bytes() == whole.read_bytes()
    assert original.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"whole.nvc", "x.nvc"}
    with NvcReader(original) as reader, NvcReader(target) as other:
        assert other.head == reader.head
    assert len(decoded_planes(target)) == 8


def test_one_segment_alone(clip, make, tmp_path):
    """Others stay byte for byte, and so does what the file says about itself."""
    original, target = make(TINY_NVRC), tmp_path / "x.nvc"
    (told,) = refine(original, clip, target, TINY_NVRC, segment=1, lmbda=50)
    assert told.number == 1
    (first, second), (kept, changed) = segments(original), segments(target)
    assert kept.pack() == first.pack()
    assert (changed.digest != second.digest) == told.is_better
    with NvcReader(original) as reader, NvcReader(target) as other:
        assert other.head == reader.head


def test_what_does_not_get_better_stays(clip, make, tmp_path, call):
    original, target = make(TINY), tmp_path / "x.nvc"
    words = [word for change in TOO_FAST for word in ("--set", change)]
    done = call("refine", original, clip, "-o", target, "-p", TINY, *words)
    assert done.code == 0, done.stderr
    assert done.stderr.count("is no better, and stays as it was") == 2
    assert target.read_bytes() == original.read_bytes()


def test_another_lambda(clip, make, tmp_path):
    """It is in the file, for the next time."""
    original, target = make(TINY_NVRC), tmp_path / "x.nvc"
    told = refine(original, clip, target, TINY_NVRC, lmbda=5.0, epochs=12)
    assert sum(event.bytes_after for event in told) < sum(event.bytes_before for event in told)
    with NvcReader(target) as reader:
        assert maker_of(reader.head.remark) == ("tiny-nvrc", 5.0)
    again = Original.read(target, DEFAULT_LIMITS).preset(RefineSettings(TINY_NVRC))
    assert {stage.lmbda for stage in again.stages} == {5.0}
    nvcodec.encode(clip, tmp_path / "y.nvc", TINY_NVRC, lmbda=5.0, epochs=4, frames=slice(0, 1))
    with NvcReader(tmp_path / "y.nvc") as reader:
        assert maker_of(reader.head.remark) == ("tiny-nvrc", 5.0)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            {"preset": None},
            PresetError,
            r"'nvcodec .* tiny #.*', which is no preset known here; preset",
        ),
        ({"preset": TINY_RAW}, PresetError, "representation: channels is 8, the file has 12"),
        (
            {"preset": TINY, "overrides": ["scheme.bits=5"]},
            PresetError,
            "bits is 5, the file has 6",
        ),
        ({"preset": TINY, "lmbda": 3.0}, PresetError, "no stage has one"),
        ({"preset": TINY, "epochs": 1}, PresetError, "at least 2, one a stage"),
        ({"preset": TINY, "segment": 2}, VideoError, "segment 2: .* has 0 to 1"),
        ({"preset": TINY, "frames": slice(0, 7)}, VideoError, "frames 7; .* has 8; frames"),
        ({"preset": TINY, "scale": (48, 32)}, VideoError, "width 48; .* has 32; scale"),
    ],
)
def test_what_is_refused(clip, make, tmp_path, settings, error, said):
    with pytest.raises(error, match=said):
        refine(make(TINY), clip, tmp_path / "x.nvc", **settings)
    assert not list(tmp_path.iterdir())


def test_no_file_is_replaced(clip, make, tmp_path, call):
    original, other = make(TINY), tmp_path / "other.nvc"
    other.write_bytes(original.read_bytes())  # as complete as what an encoding leaves
    before = original.read_bytes()
    with pytest.raises(OutputError, match="is the source itself"):
        refine(original, clip, original, TINY, overwrite=True)
    for target in (other, clip):
        with pytest.raises(OutputError, match="exists"):
            refine(original, clip, target, TINY)
        assert call("refine", original, clip, "-o", target, "-p", TINY).code == 4
    assert original.read_bytes() == other.read_bytes() == before
    assert refine(original, clip, other, TINY, overwrite=True)
    assert other.read_bytes() != before


def test_a_pipe_that_ends_early_is_refused(clip, make, tmp_path):
    short = write_y4m(tmp_path / "short.y4m", num_frames=6)
    with open(short, "rb") as stream, pytest.raises(VideoError, match=r"6 frames; .* has 8"):
        refine(make(TINY), stream, tmp_path / "x.nvc", TINY)


def test_a_pipe_with_more_is_refused_before_its_end_is_fitted(clip, make, tmp_path):
    long, told = write_y4m(tmp_path / "long.y4m", num_frames=9), []
    with (
        open(long, "rb") as stream,
        pytest.raises(VideoError, match=r"more than the 8 frames of .*in\.nvc"),
    ):
        nvcodec.refine(make(TINY), stream, tmp_path / "x.nvc", TINY, on_event=told.append)
    assert {event.number for event in told if isinstance(event, SegmentStarted)} == {0}


def test_a_damaged_file_is_refused(clip, make, tmp_path):
    damaged = tmp_path / "damaged.nvc"
    damaged.write_bytes(make(TINY).read_bytes()[:-100])
    with pytest.raises(NvcError, match=r"damaged\.nvc: .*the file ends"):
        refine(damaged, clip, tmp_path / "x.nvc", TINY)


def test_several_videos_stay_several(clip, tmp_path):
    other = write_y4m(tmp_path / "other.y4m", num_frames=3, seed=1)
    nvcodec.encode([clip, other], tmp_path / "in.nvc", TINY)
    refine(tmp_path / "in.nvc", [clip, other], tmp_path / "x.nvc", TINY)
    with NvcReader(tmp_path / "in.nvc") as reader, NvcReader(tmp_path / "x.nvc") as refined:
        assert list(refined.ancillary_chunks()) == list(reader.ancillary_chunks())
        assert refined.parts == reader.parts
        assert [part.name for part in refined.parts] == ["clip", "other"]


def test_chunks_that_nobody_knows_are_carried_over(clip, make, tmp_path):
    """Each at its place, between segments too; also where the work is stopped between them."""
    original, target, places = make(TINY), tmp_path / "x.nvc", {0: b"first", 1: b"", 2: b"last"}
    with NvcReader(original) as reader, NvcWriter(tmp_path / "in.nvc", reader.head) as writer:
        for number, segment in enumerate(reader.segments()):
            writer.copy("note", places[number])
            writer.write_segment(segment)
        writer.copy("note", places[2])
        writer.finish()

    def stop_between(event):
        if isinstance(event, SegmentStarted) and event.number == 1:
            raise InterruptedEncodeError("here")

    with pytest.raises(InterruptedEncodeError):
        nvcodec.refine(tmp_path / "in.nvc", clip, target, TINY, on_event=stop_between)
    refine(tmp_path / "in.nvc", clip, target, TINY)
    with NvcReader(target) as reader:
        assert list(reader.ancillary_chunks()) == [(n, "note", data) for n, data in places.items()]


def test_events_and_time(clip, make, tmp_path, call):
    """All there is to fit, in a time that includes everything."""
    done = call(
        "refine", make(TINY), clip, "-o", tmp_path / "x.nvc", "-p", TINY, "--max-time", "2s",
        "--segment", 0, "--json",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    kinds = [record["event"] for record in done.records]
    assert kinds[0] == "segment"
    assert "fit" in kinds
    assert kinds[-1] == "done"
    (told,) = [record for record in done.records if record["event"] == "refined"]
    assert told["segment"] == 0
    assert done.records[-1]["size_bytes"] == (tmp_path / "x.nvc").stat().st_size


@pytest.mark.slow
def test_however_little_time_there_is_a_pass_is_whole(clip, make, tmp_path):
    """Frames that there is no time for keep their motion, under the references as they are now."""
    (told,) = refine(make(TINY_LATENTS), clip, tmp_path / "x.nvc", TINY_LATENTS,
                     segment=0, max_time=0.1)  # fmt: skip
    assert told.bytes_after != told.bytes_before
    assert abs(told.psnr_after_db - told.psnr_before_db) < 0.5


@pytest.mark.slow
def test_killed_and_continued(clip, make, tmp_path):
    original, whole, target = make(TINY), tmp_path / "whole.nvc", tmp_path / "x.nvc"
    refine(original, clip, whole, TINY, epochs=60)
    command = nvc_command(
        "refine", original, clip, "-o", target, "-p", TINY, "--epochs", 60, "--device", "cpu"
    )
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    while not (tmp_path / "x.nvc.part").exists():
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    subprocess.run(command, env=environment(), check=True, stderr=subprocess.DEVNULL)
    assert target.read_bytes() == whole.read_bytes()


def test_recipes():
    """What is left of each family's stages, and at which rates."""
    kinds = {
        "hinerv-tiny": ["fit", "round"],
        "nvrc-tiny": ["rate_distortion"],
        "latents": ["analysis"],
        "weightstep-mlp-two-stage": ["weight_steps"],
        "coin-mlp": ["fit", "quant_noise"],
        "paper/nerv-bunny-s": ["fit"],
        "paper/hinerv-uvg-s": ["fit", "quant_noise"],
        "paper/nvrc-uvg-s2": ["rate_distortion", "rate_distortion"],
    }
    for name, expected in kinds.items():
        preset = load_preset(name)
        recipe = shortened(preset)
        assert [stage.kind for stage in recipe.stages] == expected
        assert recipe.representation == preset.representation
        assert sum(s.epochs for s in recipe.stages) < sum(s.epochs for s in preset.stages)
    soft = shortened(load_preset("paper/nvrc-uvg-s2")).stages[0]
    assert soft.temperature == (0.3, 0.3)


@pytest.mark.parametrize(
    ("text", "maker"),
    [
        (remark_of("nvrc-tiny"), ("nvrc-tiny", None)),
        (remark_of("my own", 0.125), ("my own", 0.125)),
        ("nvcodec 9.9 paper/x lmbda=1e+03", ("paper/x", 1000.0)),
        ("nvcodec 9.9 x lmbda=1.2.3", None),
        ("made by hand", None),
        ("", None),
    ],
)
def test_remarks(text, maker):
    assert maker_of(text) == maker
