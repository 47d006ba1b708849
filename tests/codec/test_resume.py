"""Stopping and going on inside one process: same bytes, and nothing changed behind one's back.

More than 400 lines: each way of stopping, side by side.
"""

import json
import os
import shutil

import pytest

from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_NERV,
    TINY_NVRC,
    TINY_RAW,
    TINY_ROUND,
    moving_frames,
    video_info,
    write_video,
    write_y4m,
)
from nvcodec.container.reader import NvcReader
from nvcodec.encode_types import EncodeOptions, SegmentStarted
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, OutputError, PresetError, ResumeError
from nvcodec.job import Job
from nvcodec.presets import load_preset
from nvcodec.samples import Samples
from nvcodec.state_files import read_state, write_state


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

    chosen = EncodeOptions(**{"segment_frames": 3, **settings})
    loaded = load_preset(preset, overrides)
    encode(clip, target, loaded, chosen, should_stop=StopAfter(stop_after), on_event=note)
    return started


def stop(clip, target, stop_after, **settings):
    with pytest.raises(InterruptedEncodeError, match="everything up to here is saved"):
        run(clip, target, stop_after=stop_after, **settings)


@pytest.mark.parametrize(
    "preset",
    [
        TINY,
        TINY_RAW,
        TINY_NERV,
        TINY_ROUND,
        TINY_NVRC,
        pytest.param(TINY_LATENTS, marks=pytest.mark.slow),
    ],
)
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


def test_a_warm_start_begins_with_the_segment_before(clip, encoded, tmp_path):
    """Also where an earlier run coded that one."""
    target, overrides = tmp_path / "x.nvc", ["fitting.warm_start=true"]
    run(clip, tmp_path / "whole.nvc", overrides=overrides)
    num_stops = 0
    while not target.exists():
        try:
            run(clip, target, overrides=overrides, stop_after=14 + 3 * num_stops)
        except InterruptedEncodeError:
            num_stops += 1
    assert num_stops >= 2
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()
    with NvcReader(target) as warm, NvcReader(encoded) as cold:
        one, two = ([s.digest for s in file.segments()] for file in (warm, cold))
    assert one[0] == two[0]
    assert one[1] != two[1]
    assert {p.name for p in tmp_path.iterdir()} == {"whole.nvc", "x.nvc"}


def test_a_warm_start_without_the_values_before_is_refused(clip, tmp_path):
    target, overrides = tmp_path / "x.nvc", ["fitting.warm_start=true"]
    with pytest.raises(InterruptedEncodeError):
        run(clip, target, overrides=overrides, stop_after=45)
    for path in (tmp_path / "x.nvc.job").glob("segment-*.npz"):
        path.write_bytes(b"PK")
    with pytest.raises(ResumeError, match=r"segment-1\.npz: is not to be read.*restart=True"):
        run(clip, target, overrides=overrides)


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
        ({"samples": Samples.YUV444}, r'samples was "rgb", is "yuv"'),
        ({"preset": TINY_RAW}, r"representation.channels was 12, is 8; .* and [0-9]+ more"),
    ]:
        with pytest.raises(ResumeError, match=said) as caught:
            run(clip, target, **changes)
        assert "restart=True throws the stored job away" in str(caught.value)
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
    for name in ("job.json", "segment-900.npz", "segment-7.ckpt.1", "segment-x.tmp"):
        (workdir / name).write_text("mine")
    before = snapshot(workdir)
    stop(clip, target, stop_after=5, workdir=workdir)
    job = workdir / "x.nvc.job"
    assert (job / "segment-0.ckpt").exists()
    assert not (tmp_path / "x.nvc.job").exists()
    (job / "segment-900.npz").write_text("mine")
    run(clip, target, workdir=workdir, restart=True)
    assert (job / "segment-900.npz").read_text() == "mine"
    shutil.rmtree(job)
    assert snapshot(workdir) == before


def test_a_folder_of_others_is_no_job(clip, encoded, tmp_path):
    """Neither used nor emptied, whatever the command; nor is one behind a link."""
    target, job, other = tmp_path / "x.nvc", tmp_path / "x.nvc.job", tmp_path / "other"
    other.mkdir()
    (other / "segment-0.ckpt").write_text("mine")
    for is_link in (False, True):
        if is_link:
            shutil.rmtree(job)
            job.symlink_to(other)
        else:
            shutil.copytree(other, job)
        before = snapshot(tmp_path)
        for settings in ({}, {"overwrite": True}, {"restart": True}):
            with pytest.raises(OutputError, match=r"was (not made|made by another)"):
                run(clip, target, **settings)
            assert snapshot(tmp_path) == before


def test_a_link_in_the_folder_is_not_followed(clip, encoded, tmp_path):
    target, secret = tmp_path / "x.nvc", tmp_path / "secret"
    secret.write_text("mine")
    stop(clip, target, stop_after=5)
    for name in ("job.json.tmp", "segment-0.ckpt.tmp"):
        (tmp_path / "x.nvc.job" / name).symlink_to(secret)
    run(clip, target)
    assert secret.read_text() == "mine"
    assert target.read_bytes() == encoded.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"x.nvc", "secret"}


def test_a_part_without_its_job_is_not_overwritten_by_accident(clip, tmp_path):
    target, part = tmp_path / "x.nvc", tmp_path / "x.nvc.part"
    stop(clip, target, stop_after=45)
    for path in (tmp_path / "x.nvc.job").iterdir():
        path.unlink()
    (tmp_path / "x.nvc.job").rmdir()
    for _ in range(2):
        with pytest.raises(OutputError, match=r"without the job .*; restart=True throws it away"):
            run(clip, target)
        assert part.exists()
    run(clip, target, restart=True)


def test_a_kill_between_the_last_rename_and_the_clean_up(clip, tmp_path):
    """The file is whole; what is left of its job does not stand in the way of the next."""
    target, job = tmp_path / "x.nvc", tmp_path / "x.nvc.job"
    stop(clip, target, stop_after=45)
    shutil.copytree(job, tmp_path / "kept")
    run(clip, target)
    (tmp_path / "kept").rename(job)
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
    with pytest.raises(ResumeError, match=r"is not a job's state; restart=True"):
        run(clip, target)


def test_quality_is_told_only_when_every_frame_was_measured(clip, tmp_path):
    target = tmp_path / "x.nvc"
    settings = {"segment_frames": 3}
    stop(clip, target, stop_after=45, verify=False)
    report = encode(clip, target, load_preset(TINY), EncodeOptions(**settings))
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
    stored = json.loads(read_state(tmp_path / "x.nvc.job" / "job.json"))
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

    settings = EncodeOptions(segment_frames=3)
    encode(clip, target, load_preset(TINY), settings, on_event=start_another)
    assert target.read_bytes() == encoded.read_bytes()


def test_frames_that_come_without_their_number(tmp_path):
    """A stream is cut as it comes; a file of the same frames into even lengths."""
    info = video_info()
    path = write_video(tmp_path / "a.y4m", info, moving_frames(info, 4))
    with path.open("rb") as stream, (tmp_path / "a.nvc").open("wb") as out:
        frames = encode(
            stream_only(stream), out, load_preset(TINY_RAW), EncodeOptions(segment_frames=3)
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


def test_restart_leaves_a_running_encoding_alone(clip, encoded, tmp_path):
    target = tmp_path / "x.nvc"

    def restart_another(event):
        if isinstance(event, SegmentStarted) and event.number == 1:
            before = snapshot(tmp_path)
            with pytest.raises(OutputError, match="another process is writing it"):
                run(clip, target, restart=True)
            assert snapshot(tmp_path) == before

    settings = EncodeOptions(segment_frames=3)
    encode(clip, target, load_preset(TINY), settings, on_event=restart_another)
    assert target.read_bytes() == encoded.read_bytes()


def finished_but_for_its_job(clip, target, job):
    """As a kill between the final rename and the removal of the job leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "remove", lambda self: None)
        run(clip, target)
    assert target.exists()
    assert (job / "job.json").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_kill_after_the_last_rename(clip, encoding, tmp_path, call, overwrite):
    """The same command measures nothing anew, reports, and cleans up."""
    target, job = tmp_path / "x.nvc", tmp_path / "x.nvc.job"
    finished_but_for_its_job(clip, target, job)
    written = target.stat()
    words = ("-p", TINY, "--segment-frames", 3, "--json", *["-y"] * overwrite)
    done = call("encode", clip, "-o", target, *words)
    assert done.code == 0, done.stderr
    assert [record["event"] for record in done.records] == ["done"]
    for name in ("psnr_planes_db", "num_frames", "num_segments", "size_bytes"):
        assert done.records[-1][name] == pytest.approx(encoding[1][-1][name])
    assert target.stat() == written
    assert {p.name for p in tmp_path.iterdir()} == {"x.nvc"}


def test_what_is_left_of_a_job_proves_nothing_about_another_command(clip, tmp_path):
    target, job = tmp_path / "x.nvc", tmp_path / "x.nvc.job"
    finished_but_for_its_job(clip, target, job)
    content = target.read_bytes()
    for changes in ({"seed": 1}, {"restart": True}):
        with pytest.raises(OutputError, match="exists; overwrite=True overwrites it"):
            run(clip, target, **changes)
    other = write_y4m(tmp_path / "other.y4m", seed=1)
    with pytest.raises(ResumeError, match="input has changed"):
        run(other, target, overwrite=True)
    target.write_bytes(content[:-1])
    with pytest.raises(OutputError, match="exists; overwrite=True overwrites it"):
        run(clip, target)
    assert (job / "job.json").exists()
    assert run(clip, target, overwrite=True) == [0, 1, 2]
    assert target.read_bytes() == content
    assert not job.exists()


def test_a_shared_workdir_is_refused(clip, tmp_path):
    one, two, work = tmp_path / "1" / "x.nvc", tmp_path / "2" / "x.nvc", tmp_path / "work"
    for path in (one, two):
        path.parent.mkdir()
    stop(clip, one, stop_after=45, workdir=work)
    two.write_bytes(b"old")
    before = snapshot(tmp_path)
    for changes in ({"overwrite": True}, {"overwrite": True, "restart": True}):
        with pytest.raises(
            ResumeError, match=r"holds the job of .*1.x\.nvc, not of .*2.x\.nvc; workdir names"
        ):
            run(clip, two, workdir=work, **changes)
    assert snapshot(tmp_path) == before
    assert run(clip, one, workdir=work)[0] >= 1
    run(clip, two, workdir=work, overwrite=True)


def test_an_output_may_be_moved_with_its_job(clip, encoded, tmp_path):
    (tmp_path / "a").mkdir()
    stop(clip, tmp_path / "a" / "x.nvc", stop_after=45)
    (tmp_path / "a").rename(tmp_path / "b")
    assert run(clip, tmp_path / "b" / "x.nvc")[0] >= 1
    assert (tmp_path / "b" / "x.nvc").read_bytes() == encoded.read_bytes()


def test_segments_that_the_job_lost_are_coded_again(clip, encoded, tmp_path):
    """A power cut may keep the file's last segment, and lose the job's last state."""
    target, state = tmp_path / "x.nvc", tmp_path / "x.nvc.job" / "job.json"
    stop(clip, target, stop_after=45)
    stored = json.loads(read_state(state))
    assert len(stored["segments"]) == 2
    stored["segments"].pop()
    write_state(state, json.dumps(stored).encode())
    assert run(clip, target) == [1, 2]
    assert target.read_bytes() == encoded.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_the_jobs_state_lasts(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd)) or fsync(fd))
    Job(tmp_path / "job", {}, tmp_path / "x.nvc")
    assert any(os.path.samestat(seen, (tmp_path / "job").stat()) for seen in synced)


def test_a_stream_has_no_job(clip, tmp_path):
    with (
        open(tmp_path / "stream", "wb") as stream,
        pytest.raises(OutputError, match=r"an output that is a stream .*; workdir is for files"),
    ):
        run(clip, stream, workdir=tmp_path / "work")
    assert not (tmp_path / "work").exists()
