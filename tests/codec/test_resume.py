"""Stopping and going on inside one process: same bytes, and nothing changed behind one's back."""

import json

import pytest

from codec_helpers import (
    TINY,
    TINY_NVRC,
    TINY_RAW,
    moving_frames,
    video_info,
    write_video,
    write_y4m,
)
from nvcodec.encode_types import EncodeSettings, SegmentStarted
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, OutputError, PresetError, ResumeError
from nvcodec.presets import load_preset


class StopAfter:
    """Asks to stop at the n-th time it is asked."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self) -> bool:
        self.count -= 1
        return self.count < 0


def run(clip, target, preset=TINY, overrides=(), stop_after=10**9, **settings):
    """Encode, and give the numbers of the segments that were started."""
    started = []

    def note(event):
        if isinstance(event, SegmentStarted):
            started.append(event.number)

    chosen = EncodeSettings(**{"segment_frames": 3, **settings})
    loaded = load_preset(preset, overrides)
    encode(clip, target, loaded, chosen, should_stop=StopAfter(stop_after), on_event=note)
    return started


def stop(clip, target, stop_after, **settings):
    with pytest.raises(InterruptedEncodeError, match="everything up to here is saved"):
        run(clip, target, stop_after=stop_after, **settings)


@pytest.mark.parametrize("preset", [TINY, TINY_RAW, TINY_NVRC])
def test_stopped_again_and_again_it_becomes_the_same_file(clip, tmp_path, preset):
    """In every stage of fitting, while reading, and while measuring."""
    run(clip, tmp_path / "whole.nvc", preset)
    target = tmp_path / "stopped.nvc"
    num_stops, started = 0, []
    while not target.exists():
        try:
            started += run(clip, target, preset, stop_after=14 + 3 * num_stops)
        except InterruptedEncodeError:
            num_stops += 1
        assert num_stops < 50
    assert num_stops >= 2
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"whole.nvc", "stopped.nvc"}


def test_finished_segments_are_not_done_again(clip, encoded, tmp_path):
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=45)  # segment 0 takes 17, segment 1 takes 25
    kept = (tmp_path / "x.nvc.part").read_bytes()
    assert len(kept) > 1000
    assert run(clip, target)[0] >= 1
    assert target.read_bytes().startswith(kept)
    assert target.read_bytes() == encoded.read_bytes()


def test_changed_settings_are_refused_by_name(clip, tmp_path):
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=45)
    before = snapshot(tmp_path)
    for changes, said in [
        ({"overrides": ["stages.0.epochs=9"]}, r"stages.0.epochs was 4, is 9"),
        ({"overrides": ["scheme.bits=5"]}, r"scheme.bits was 6, is 5"),
        ({"seed": 3}, r"seed was 0, is 3"),
        ({"segment_frames": 4}, r"segment_frames was 3, is 4"),
        ({"frames": slice(0, 6)}, r"frames was null, is \[0, 6\]; num_frames was 8, is 6"),
        ({"scale": (48, 48)}, r"width was 32, is 48; height was 32, is 48"),
        ({"color": "yuv"}, r'color was "rgb", is "yuv"'),
        ({"preset": TINY_RAW}, r"representation.channels was 12, is 8; .* and [0-9]+ more"),
    ]:
        with pytest.raises(ResumeError, match=said) as caught:
            run(clip, target, **changes)
        assert "--restart" in str(caught.value)
        assert snapshot(tmp_path) == before  # a refusal costs nothing
    run(clip, target)
    assert target.exists()


def snapshot(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_restart_throws_the_job_away(clip, encoded, tmp_path):
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=45, seed=7)
    assert run(clip, target, restart=True) == [0, 1, 2]
    assert target.read_bytes() == encoded.read_bytes()


@pytest.mark.parametrize("num_steps", [5, 45])
def test_a_changed_input_is_refused(clip, tmp_path, num_steps):
    """Whether the stored segment is whole or at work."""
    source, target = tmp_path / "source.y4m", tmp_path / "x.nvc"
    source.write_bytes(clip.read_bytes())
    stop(source, target, stop_after=num_steps)
    write_y4m(tmp_path / "other.y4m", seed=1).replace(source)
    with pytest.raises(ResumeError, match=r"another input|input has changed"):
        run(source, target)
    source.write_bytes(clip.read_bytes())
    run(source, target)


def test_only_files_of_ours_are_ever_removed(clip, tmp_path):
    """A folder that the user names may hold anything."""
    workdir = tmp_path / "work"
    workdir.mkdir()
    (workdir / "precious.txt").write_text("mine")
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=5, workdir=workdir)
    assert (workdir / "segment-0.ckpt").exists()
    assert not (tmp_path / "x.nvc.job").exists()
    run(clip, target, workdir=workdir, restart=True)
    assert [p.name for p in workdir.iterdir()] == ["precious.txt"]


def test_a_part_without_its_job_is_not_overwritten_by_accident(clip, tmp_path):
    target, part = tmp_path / "x.nvc", tmp_path / "x.nvc.part"
    stop(clip, target, stop_after=45)
    for path in (tmp_path / "x.nvc.job").iterdir():
        path.unlink()
    (tmp_path / "x.nvc.job").rmdir()
    for _ in range(2):
        with pytest.raises(OutputError, match=r"without the job .* --restart throws it away"):
            run(clip, target)
        assert part.exists()
    run(clip, target, restart=True)


def test_a_kill_between_the_last_rename_and_the_clean_up(clip, tmp_path):
    """The file is whole; what is left of its job does not stand in the way of the next."""
    target, job = tmp_path / "x.nvc", tmp_path / "x.nvc.job"
    stop(clip, target, stop_after=45)
    stored = (job / "job.json").read_bytes()
    run(clip, target)
    job.mkdir()
    (job / "job.json").write_bytes(stored)
    with pytest.raises(OutputError, match="exists"):
        run(clip, target)
    run(clip, target, seed=5, overwrite=True)
    assert {p.name for p in tmp_path.iterdir()} == {"x.nvc"}


def test_an_existing_file_is_replaced_at_the_very_end(clip, tmp_path):
    target = tmp_path / "x.nvc"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        run(clip, target)
    stop(clip, target, stop_after=45, overwrite=True)
    assert target.read_bytes() == b"old"
    run(clip, target, overwrite=True)
    assert target.read_bytes() != b"old"


def test_a_damaged_job_is_refused(clip, tmp_path):
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=45)
    (tmp_path / "x.nvc.job" / "job.json").write_text("{")
    with pytest.raises(ResumeError, match=r"is not a job's state; --restart"):
        run(clip, target)


def test_quality_is_told_only_when_every_frame_was_measured(clip, tmp_path):
    target = tmp_path / "x.nvc"
    settings = {"segment_frames": 3}
    stop(clip, target, stop_after=45, verify=False)
    report = encode(clip, target, load_preset(TINY), EncodeSettings(**settings))
    assert report.quality is None
    assert report.num_frames == 8


def test_a_stream_cannot_be_continued(clip, tmp_path):
    with (
        open(tmp_path / "stream", "wb") as stream,
        pytest.raises(InterruptedEncodeError, match="nothing is kept"),
    ):
        run(clip, stream, stop_after=20)
    assert {p.name for p in tmp_path.iterdir()} == {"stream"}


def test_the_newest_whole_checkpoint_counts(clip, encoded, tmp_path):
    """A torn one is passed over; the one before it, or none, is used."""
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=8)
    stop(clip, target, stop_after=8)
    checkpoint = tmp_path / "x.nvc.job" / "segment-0.ckpt"
    assert checkpoint.with_suffix(".ckpt.1").exists()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    run(clip, target)
    assert target.read_bytes() == encoded.read_bytes()


def test_job_settings_are_plain_json(clip, tmp_path):
    target = tmp_path / "x.nvc"
    stop(clip, target, stop_after=45)
    stored = json.loads((tmp_path / "x.nvc.job" / "job.json").read_text())
    assert stored["settings"]["stages"][0]["kind"] == "fit"
    assert len(stored["segments"]) == 2


def test_a_preset_that_does_not_fit_leaves_nothing_behind(clip, tmp_path):
    with pytest.raises(PresetError, match=r"for 32x32: patch height 15 is not one of"):
        run(clip, tmp_path / "x.nvc", TINY_RAW, ["fitting.patch_size=[15, 16]"])
    assert not list(tmp_path.iterdir())


def test_two_at_once_do_not_disturb_each_other(clip, encoded, tmp_path):
    """The second is refused, and what the first has stored stays."""
    target = tmp_path / "x.nvc"

    def start_another(event):
        if isinstance(event, SegmentStarted) and event.number == 0:
            with pytest.raises(OutputError, match="another process is writing it"):
                run(clip, target)

    settings = EncodeSettings(segment_frames=3)
    encode(clip, target, load_preset(TINY), settings, on_event=start_another)
    assert target.read_bytes() == encoded.read_bytes()


def test_frames_that_come_without_their_number(tmp_path):
    """A stream is cut as it comes; a file of the same frames into even lengths."""
    info = video_info()
    path = write_video(tmp_path / "a.y4m", info, moving_frames(info, 4))
    with path.open("rb") as stream, (tmp_path / "a.nvc").open("wb") as out:
        frames = encode(
            stream_only(stream), out, load_preset(TINY_RAW), EncodeSettings(segment_frames=3)
        )
    assert (frames.num_frames, frames.num_segments) == (4, 2)


def stream_only(file):
    """A file that cannot seek, as a pipe."""
    import io

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            data = file.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)

    return io.BufferedReader(Pipe())
