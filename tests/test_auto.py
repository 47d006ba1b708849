"""The preset that is chosen where none is named: by which facts, measured how, and told to whom."""

import io
from dataclasses import replace

import numpy as np
import pytest

import nvcodec
from codec_helpers import assert_same_frames, moving_frames, nvc, video_info, write_video, write_y4m
from nvcodec import auto
from nvcodec.auto import AutoPreset, Choice, Facts, choose, look, sized
from nvcodec.encode_types import EncodeOptions, PresetChosen
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, PresetError
from nvcodec.goals import Goal
from nvcodec.presets import load_preset, preset_names
from nvcodec.survey import Survey, survey
from nvcodec.video import open_video
from nvcodec.video.motion import LOOKED_FRAMES, motion

HD = (1920, 1080)


@pytest.mark.parametrize(
    ("facts", "preset", "said"),
    [
        (Facts(176, 144, 48, 0.0), "latents", "176x144 is small, up to 640x360"),
        (Facts(640, 360, 9000, 0.0), "latents", "640x360 is small"),
        (Facts(*HD, 300, 0.0), "latents", "300 frames of 1920x1080 are few, up to 300"),
        (Facts(*HD, 600, 0.2), "latents", "1920x1080 changes by 0.20 of its detail a frame"),
        (Facts(176, 144, 48, 0.5), "latents-moving", "176x144 is small, up to 640x360; changes by"),
        (Facts(*HD, 600, 0.41), "latents-moving", "0.41 of its detail a frame, over 0.4 is fast"),
        (Facts(*HD, 600, 0.15), "nvrc-mini", "600 frames of 1920x1080 are many, and nearly still"),
        (Facts(640, 360, 600, 0.0, has_gpu=True), "latents", "small"),
        (Facts(*HD, 30, 0.0, has_gpu=True), "latents", "few"),
        (Facts(*HD, 150, 0.9, has_gpu=True), "nvrc-s1", "150 frames of 1920x1080 are many"),
        (Facts(*HD, 600, 0.9, has_gpu=True), "nvrc-s2", "on a GPU"),
    ],
)  # fmt: skip
def test_the_choice(facts, preset, said):
    choice = choose(facts)
    assert choice.preset == preset
    assert said in choice.reason


def test_every_choice_is_a_preset_with_a_lambda():
    assert all(load_preset(name, lmbda=100.0).has_lmbda for name in auto.CHOICES)
    assert "auto" not in preset_names()
    with pytest.raises(PresetError, match="'auto' is unknown"):
        load_preset("auto")


def test_the_documented_limits_are_those_of_the_code():
    text = choose.__doc__
    limits = [pixels for pixels, _ in auto.NETWORKS_OF_GPU[:-1]]
    assert [round(pixels / 1e6) for pixels in (auto.LARGE_PIXELS, *limits)] == [69, 311]
    assert f"motion over {auto.STILL_MOTION}" in text
    assert f"motion over {auto.FAST_MOTION}" in text
    assert f"up to {auto.SHORT_FRAMES} frames" in text
    assert auto.SMALL_PIXELS == 640 * 360
    assert all(name.removeprefix("nvrc") in text for name in auto.CHOICES)


@pytest.mark.parametrize(
    ("begun", "size_bytes", "has_gpu", "preset"),
    [
        ("nvrc-s2", 10**6, True, "nvrc-s1"),
        ("nvrc-s2", 12 * 10**6, True, "nvrc-s4"),
        ("nvrc-s2", 10**9, True, "nvrc-xxl"),
        ("nvrc-mini", 10**5, False, "nvrc-tiny"),
        ("nvrc-mini", 10**7, False, "nvrc-mini"),
        ("latents", 10**7, True, "latents"),
    ],
)
def test_a_size_chooses_the_network(begun, size_bytes, has_gpu, preset):
    info, choice = video_info(*HD), Choice(begun, "why")
    seen = Survey(1200, info.frame_rate, beside_bytes=1000)
    options = EncodeOptions(goal=Goal(size_bytes=2 * size_bytes + 1000))
    found = sized(choice, info, seen, options, has_gpu)
    assert found.preset == preset
    if begun != "latents":
        assert f"kB a segment, nearest to {size_bytes / 1e3:,.0f} kB" in found.reason
    assert sized(choice, info, seen, EncodeOptions(goal=Goal(psnr_db=38)), has_gpu) is choice
    assert sized(choice, info, replace(seen, num_frames=None), options, has_gpu) is choice


def noise(height, width, seed=0):
    """A picture with detail of every size."""
    random, picture = np.random.default_rng(seed), np.zeros((height, width))
    for size in (1, 4, 16, 32):
        cells = random.uniform(0, 60, (-(-height // size), -(-width // size)))
        picture += np.kron(cells, np.ones((size, size)))[:height, :width]
    return picture.astype(np.uint8)


def gray(pictures):
    height, width = pictures[0].shape
    return motion([(picture,) for picture in pictures], video_info(width, height, "gray"))


def test_motion_is_what_the_best_shift_leaves():
    picture = noise(180, 320)
    still = gray([picture] * 9)
    panned = gray([np.roll(picture, 6 * t, axis=1) for t in range(9)])
    halves = gray(
        [np.vstack([np.roll(picture[:90], 6 * t, 1), np.roll(picture[90:], -6 * t, 1)])
         for t in range(9)]
    )  # fmt: skip
    assert still == 0
    assert panned < 0.1 < 0.5 < halves
    assert gray([p // 2 for p in [picture, np.roll(picture, 6, axis=0)]]) < 0.1


def test_motion_of_what_has_none():
    assert gray([noise(90, 160)]) == 0
    assert motion([], video_info()) == 0
    assert gray([np.full((90, 160), 16, np.uint8)] * 3) == 0
    for size in ((1, 1), (3, 1000), (17, 16)):
        assert gray([np.zeros(size, np.uint8), np.full(size, 255, np.uint8)]) > 1


@pytest.mark.parametrize("chroma", ["420", "444", "rgb", "gray"])
def test_looking_takes_no_frame_away(tmp_path, chroma):
    info = video_info(64, 48, chroma)
    frames = moving_frames(info, 40)
    path = write_video(tmp_path / ("pictures" if chroma == "rgb" else "clip.y4m"), info, frames)
    with open_video(path) as video:
        facts = look(video, 600, has_gpu=False)
        assert_same_frames(list(video), frames)
    assert (facts.size, facts.num_frames) == ("64x48", 40)
    assert facts.motion > 0.1


@pytest.mark.parametrize(("size", "matters"), [((64, 48), False), ((656, 368), True)])
def test_a_pipe_is_seen_as_its_file_is(tmp_path, size, matters):
    """Read no further than a segment, and that only where its length matters."""
    info = video_info(*size)
    path = write_video(tmp_path / "clip.y4m", info, moving_frames(info, 1) * 50)
    for segment_frames in (600, 40, 8):
        with open_video(path) as file, open_video(io.BytesIO(path.read_bytes())) as pipe:
            assert pipe.info.num_frames is None
            facts = look(pipe, segment_frames, has_gpu=False)
            expected = look(file, segment_frames, has_gpu=False)
            assert facts.depends_on_length == matters
            assert choose(facts) == choose(expected)
            assert expected.num_frames == min(50, segment_frames)
            assert facts.num_frames == min(50 if matters else LOOKED_FRAMES, segment_frames)
            assert len(list(pipe)) == 50


def test_a_video_of_ffmpeg(tmp_path):
    info = video_info(96, 64)
    path = write_video(tmp_path / "clip.mp4", info, moving_frames(info, 12))
    with open_video(path) as video:
        choice = choose(look(video, 600, has_gpu=False))
        assert len(list(video)) == 12
    assert choice.preset == "latents-moving"
    assert choice.reason.startswith("96x64 is small, up to 640x360; changes by ")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """One frame, which any preset codes in a moment."""
    return write_y4m(tmp_path_factory.mktemp("auto") / "one.y4m", 16, 16, num_frames=1)


def test_the_command_says_what_it_chose(call, picture, tmp_path):
    said = "preset latents: 16x16 is small, up to 640x360\n"
    words = ("encode", picture, "--epochs", 1)
    done = call(*words, "-o", tmp_path / "a.nvc")
    assert done.code == 0, done.stderr
    assert done.stderr.count("preset") == done.stderr.count(said) == 1
    again = call(*words, "-o", tmp_path / "a.nvc")
    assert "is there already and complete" in again.stderr
    done = call(*words, "-o", tmp_path / "b.nvc", "-p", "auto", "--json")
    reason = "16x16 is small, up to 640x360"
    assert done.records[0] == {"event": "preset", "preset": "latents", "reason": reason}
    done = call(*words, "-o", tmp_path / "c.nvc", "-q")
    assert (done.code, done.stderr, done.stdout) == (0, "", b"")
    assert call(*words, "-o", tmp_path / "d.nvc", "-p", "latents").code == 0
    assert len({path.read_bytes() for path in tmp_path.glob("?.nvc")}) == 1


def test_through_pipes_it_is_the_same_file(picture, tmp_path):
    nvcodec.encode(picture, tmp_path / "file.nvc", epochs=1)
    done = nvc("encode", "-", "-o", "-", "--epochs", 1, "-q", stdin=picture.read_bytes())
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == (tmp_path / "file.nvc").read_bytes()


def test_a_file_of_another_preset_is_in_the_way(call, picture, tmp_path):
    target = tmp_path / "x.nvc"
    assert call("encode", picture, "-o", target, "-p", "hinerv-tiny", "--epochs", 2).code == 0
    done = call("encode", picture, "-o", target, "--epochs", 1)
    assert (done.code, "exists; -y overwrites it" in done.stderr) == (4, True)
    assert call("encode", picture, "-o", target, "--epochs", 1, "-y").code == 0
    assert "latents" in nvcodec.info(target).head.remark


def test_what_cannot_be_changed_is_said_of_the_chosen_preset(call, picture, tmp_path):
    done = call("encode", picture, "-o", tmp_path / "x.nvc", "--set", "scheme.bits=5")
    assert done.code == 2
    assert "preset latents, scheme: bits: no such field" in done.stderr
    assert list(tmp_path.iterdir()) == []


def stopped(clip, target, preset, after, **settings):
    """Encode until stopped at the n-th time of asking; gives what was chosen."""
    asked, chosen = [], []

    def should_stop():
        asked.append(None)
        return len(asked) > after

    def note(event):
        chosen.extend([event] if isinstance(event, PresetChosen) else [])

    options = EncodeOptions(segment_frames=4, **settings)
    encode(clip, target, preset, options, should_stop=should_stop, on_event=note)
    return chosen


def test_what_was_begun_goes_on_with_its_preset(clip, tmp_path, monkeypatch):
    """Whatever would be chosen by now: on a machine without the GPU, for example."""
    stopped(clip, tmp_path / "whole.nvc", load_preset("hinerv-tiny", epochs=4), 10**9)
    target, preset = tmp_path / "x.nvc", AutoPreset(epochs=4)
    with monkeypatch.context() as patch:
        patch.setattr(auto, "choose", lambda facts: Choice("hinerv-tiny", "so be it"))
        with pytest.raises(InterruptedEncodeError):
            stopped(clip, target, preset, 20)
    (event,) = stopped(clip, target, preset, 10**9)
    assert event == PresetChosen("hinerv-tiny", "the unfinished file has it")
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()


def test_restart_chooses_anew(clip, tmp_path):
    target = tmp_path / "x.nvc"
    with pytest.raises(InterruptedEncodeError):
        stopped(clip, target, load_preset("hinerv-tiny", epochs=4), 20)
    chosen = []
    with open_video(clip) as video:
        for restart in (False, True):
            options = EncodeOptions(restart=restart)
            seen = survey(video.info, [clip], options)
            AutoPreset().chosen_for(video, seen, target, options, False, chosen.append)
    assert [event.preset for event in chosen] == ["hinerv-tiny", "latents-moving"]
