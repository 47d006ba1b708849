"""Several segments at once: the same bytes as one after the other, whoever is lost on the way."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_NVRC,
    TINY_ROUND,
    environment,
    nvc_command,
    write_y4m,
)
from nvcodec.encode_plan import WorkersWarning
from nvcodec.encode_types import EncodeOptions, SegmentFitting, SegmentStarted
from nvcodec.encoder import encode
from nvcodec.errors import (
    FitMemoryError,
    InterruptedEncodeError,
    NvcError,
    VideoError,
    WorkerLostError,
)
from nvcodec.goals import Goal
from nvcodec.presets import load_preset
from nvcodec.workers import memory
from nvcodec.workers.processes import ProcessCrew

pytestmark = pytest.mark.filterwarnings("ignore::nvcodec.segment_work.FlatWarning")
SEGMENT_FRAMES = 2  # of 8


def run(source, target, workers, **options):
    return encode(
        source, target, load_preset(options.pop("preset", TINY), options.pop("overrides", ())),
        EncodeOptions(segment_frames=SEGMENT_FRAMES, workers=workers, **options),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory):
    """The clip as one process makes it."""
    path = tmp_path_factory.mktemp("whole") / "a.nvc"
    run(clip, path, 1)
    return path.read_bytes()


def children() -> list[int]:
    """Worker processes of this one."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as line:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
                    if parent == os.getpid() and "nvcodec.workers.process" in line.read():
                        found.append(int(entry))
            except OSError:
                pass
    return found


def test_two_workers_make_the_file_of_one(clip, whole, tmp_path):
    target, events = tmp_path / "a.nvc", []
    report = encode(
        clip, target, load_preset(TINY), EncodeOptions(segment_frames=2, workers=2),
        on_event=events.append,
    )  # fmt: skip
    assert target.read_bytes() == whole
    assert report.num_segments == 4
    assert report.quality is not None
    numbers = [event.number for event in events if isinstance(event, SegmentStarted)]
    assert numbers == [0, 1, 2, 3]
    assert {e.number for e in events if isinstance(e, SegmentFitting)} == {0, 1, 2, 3}
    assert [path.name for path in tmp_path.iterdir()] == ["a.nvc"]
    assert not children()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "options"),
    [
        (TINY_LATENTS, {}),
        (TINY_LATENTS, {"goal": Goal(size_bytes=2000)}),
        (TINY_NVRC, {"verify": False}),
    ],
)
def test_other_presets_and_goals_too(clip, tmp_path, preset, options):
    for workers in (1, 3):
        run(clip, tmp_path / str(workers), workers, preset=preset, **options)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


def kill_some(num_kills: int, seed: int, stop: threading.Event, killed: list[int]) -> None:
    """Kill workers at random moments, one at a time."""
    draw = random.Random(seed)
    while len(killed) < num_kills and not stop.wait(draw.uniform(2, 6)):
        if found := children():
            killed.append(draw.choice(found))
            os.kill(killed[-1], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_kills", "seed"),
    [(4, seed) for seed in range(5)],
)
def test_killed_workers_are_replaced(clip, tmp_path, monkeypatch, num_kills, seed):
    monkeypatch.setattr("nvcodec.workers.foreman.MAX_LOST", num_kills + 1)
    longer = ("stages.0.epochs=250",)
    run(clip, tmp_path / "1", 1, overrides=longer)
    stop, killed = threading.Event(), []
    killer = threading.Thread(target=kill_some, args=(num_kills, seed, stop, killed))
    killer.start()
    try:
        run(clip, tmp_path / "2", 2, overrides=longer)
    finally:
        stop.set()
        killer.join()
    assert killed
    assert (tmp_path / "2").read_bytes() == (tmp_path / "1").read_bytes()


def test_a_segment_that_takes_every_worker_along_is_given_up(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("nvcodec.workers.processes.sys.executable", "/bin/false")
    with pytest.raises(WorkerLostError, match="4 workers were lost at it; the last: ended with"):
        run(clip, tmp_path / "a.nvc", 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_command_goes_on(clip, tmp_path):
    longer = ("--set", "stages.0.epochs=150", "--segment-frames", "2", "-q")
    words = ["encode", clip, "-o", tmp_path / "a.nvc", "-p", TINY, "--workers", 2, *longer]
    alone = ["encode", clip, "-o", tmp_path / "b.nvc", "-p", TINY, *longer]
    subprocess.run(nvc_command(*alone), env=environment(), check=True)
    draw, kills = random.Random(3), 0
    while not (tmp_path / "a.nvc").exists():
        with subprocess.Popen(nvc_command(*words), env=environment()) as process:
            try:
                process.wait(timeout=draw.uniform(5, 9) if kills < 5 else None)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
    assert kills >= 2
    assert (tmp_path / "a.nvc").read_bytes() == (tmp_path / "b.nvc").read_bytes()
    deadline = time.monotonic() + 20
    while (left := workers_left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left


def workers_left() -> list[str]:
    """Worker processes whose parent is gone."""
    lines = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True).stdout
    return [x for x in lines.splitlines() if "nvcodec.workers.process" in x and x.split()[0] == "1"]


def test_a_stop_keeps_what_is_done(clip, tmp_path):
    target, longer = tmp_path / "a.nvc", ("stages.0.epochs=60",)
    seen = set()

    def note(event):
        if isinstance(event, SegmentFitting) and event.record.step > 2:
            seen.add(event.number)

    with pytest.raises(InterruptedEncodeError, match="everything up to here is saved"):
        encode(
            clip, target, load_preset(TINY, longer), EncodeOptions(segment_frames=2, workers=2),
            should_stop=lambda: bool(seen), on_event=note,
        )  # fmt: skip
    assert list((tmp_path / "a.nvc.job").glob("segment-?.ckpt"))
    assert not children()
    run(clip, target, 2, overrides=longer)
    run(clip, tmp_path / "b.nvc", 1, overrides=longer)
    assert target.read_bytes() == (tmp_path / "b.nvc").read_bytes()


def test_results_before_their_turn_are_kept(clip, whole, tmp_path, monkeypatch):
    from nvcodec.workers import foreman
    from nvcodec.workers.crew import Failed, do_work

    class Backwards(ProcessCrew):
        """All work is done here, the last first; the first one fails."""

        def __init__(self, *_):
            self.size, self.given = 4, []

        def start(self, work):
            self.given.append(work)

        def messages(self, timeout_s):
            work = self.given.pop()
            if work.number == 0:
                return [Failed(0, VideoError("the first fails"))]
            return [do_work(work, lambda: False, lambda message: None)]

        def stop(self):
            pass

        def close(self):
            pass

    monkeypatch.setattr("nvcodec.workers.results.ProcessCrew", Backwards)
    target = tmp_path / "a.nvc"
    with pytest.raises(VideoError, match="the first fails"):
        run(clip, target, 4)
    kept = sorted(path.name for path in (tmp_path / "a.nvc.job").glob("*.done"))
    assert kept == ["segment-1.done", "segment-2.done", "segment-3.done"]
    torn = tmp_path / "a.nvc.job" / "segment-2.done"
    torn.write_bytes(torn.read_bytes()[:-3])
    monkeypatch.undo()
    begun = []
    begin = foreman.Foreman._begin

    def noted(self, work):
        begin(self, work)
        begun.append((work.number, work.number in self._at_work))

    monkeypatch.setattr(foreman.Foreman, "_begin", noted)
    run(clip, target, 2)
    assert begun == [(0, True), (1, False), (2, True), (3, False)]
    assert target.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["a.nvc"]


def test_a_cluster_shares_the_time_too(clip, tmp_path, monkeypatch):
    from nvcodec.workers.crew import Failed

    limits_s = []

    class Cluster(ProcessCrew):
        """Room for two at once, who fail."""

        def __init__(self, *_):
            self.size = 2

        def start(self, work):
            limits_s.append(work.task.time_limit_s)

        def messages(self, timeout_s):
            return [Failed(number, VideoError("it fails")) for number in range(2)]

        def stop(self):
            pass

        def close(self):
            pass

    monkeypatch.setattr("nvcodec.distributed.RayCrew", Cluster)
    with pytest.raises(VideoError, match="it fails"):
        run(clip, tmp_path / "a.nvc", "ray", max_time_s=100.0)
    # Four segments, two rounds: half of the time is there for each of the first two.
    assert limits_s == pytest.approx([50, 50], abs=5)


def test_who_is_lost_is_replaced(clip, whole, tmp_path, monkeypatch):
    from nvcodec.workers.crew import Lost, do_work

    class Losing(ProcessCrew):
        """Each segment's first worker is lost."""

        def __init__(self, *_):
            self.size, self.given, self.seen = 2, [], []

        def start(self, work):
            self.given.append(work)

        def messages(self, timeout_s):
            given, self.given = self.given, []
            lost = [work for work in given if work.number not in self.seen]
            self.seen += [work.number for work in lost]
            done = [do_work(w, lambda: False, lambda m: None) for w in given if w not in lost]
            return [*(Lost(work.number, "gone") for work in lost), *done]

        def stop(self):
            pass

        def close(self):
            pass

    monkeypatch.setattr("nvcodec.workers.results.ProcessCrew", Losing)
    run(clip, tmp_path / "a.nvc", 2)
    assert (tmp_path / "a.nvc").read_bytes() == whole


def test_what_a_worker_cannot_do_is_said_here(clip, tmp_path, monkeypatch):
    with pytest.raises(NvcError, match="device 'cuda:7' cannot be used"):
        run(clip, tmp_path / "a.nvc", 2, device="cpu,cuda:7")
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 1 << 30)
    with pytest.raises(FitMemoryError, match=r"9 workers .* 1.1 GB are free.* \(2 here\)"):
        run(clip, tmp_path / "a.nvc", 9)
    with pytest.raises(VideoError, match="workers 'many'; allowed are a number, ray"):
        run(clip, tmp_path / "a.nvc", "many")
    assert not list(tmp_path.iterdir())


def test_segments_that_begin_with_the_one_before_have_one_worker(clip, tmp_path):
    warm = ("fitting.warm_start=true",)
    run(clip, tmp_path / "1", 1, overrides=warm)
    with pytest.warns(WorkersWarning, match="one worker alone"):
        run(clip, tmp_path / "2", 2, overrides=warm)
    assert (tmp_path / "2").read_bytes() == (tmp_path / "1").read_bytes()


@pytest.mark.parametrize("settings", [{"workers": 2}, {"gop": 3, "preset": TINY_ROUND}])
def test_a_single_segment_is_said(clip, tmp_path, settings):
    preset = load_preset(settings.pop("preset", TINY))
    with pytest.warns(WorkersWarning, match="all 8 frames are one segment; shorter segments"):
        encode(clip, tmp_path / "a.nvc", preset, EncodeOptions(**settings))


def test_memory_that_nobody_tells(tmp_path):
    assert memory.free_memory_bytes(tmp_path / "a", tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    assert memory.free_memory_bytes(tmp_path / "meminfo", tmp_path) == 2 << 20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert memory.free_memory_bytes(tmp_path / "meminfo", tmp_path) == 2 << 20
    (tmp_path / "memory.max").write_text("1100\n")
    assert memory.free_memory_bytes(tmp_path / "meminfo", tmp_path) == 1000


@pytest.mark.slow
def test_the_time_is_kept(tmp_path):
    source = write_y4m(tmp_path / "in.y4m", num_frames=12)
    started = time.monotonic()
    words = ["encode", source, "-o", tmp_path / "a.nvc", "-p", TINY, "--segment-frames", 4]
    command = nvc_command(*words, "--workers", 2, "--max-time", "40s", "--json")
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    # Shared between two for two rounds: as if each round had it all, it were 80 s.
    assert 20 <= time.monotonic() - started <= 60
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["segment"] for record in steps if record["event"] == "fit"} == {0, 1, 2}


def test_the_command_says_what_it_cannot(clip, tmp_path, call):
    for words, said in (
        (["--workers", "0"], "expected a number above 0, ray"),
        (["--workers", "2", "--preview", tmp_path / "p.png"], "leave --workers out"),
    ):
        done = call("encode", clip, "-o", tmp_path / "a.nvc", *words)
        assert done.code == 2
        assert said in done.stderr


def test_python_without_a_main_guard_has_workers_too(clip, whole, tmp_path):
    script = (
        f"import nvcodec; nvcodec.encode({str(clip)!r}, {str(tmp_path / 'a.nvc')!r}, "
        f"preset={TINY!r}, segment_frames=2, workers=2)"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True)
    assert (tmp_path / "a.nvc").read_bytes() == whole
