"""Stopping an encoding by signal, by kill -9, and going on with the same command."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from codec_helpers import TINY, environment, nvc, nvc_command, write_y4m
from nvcodec.cli.process import Stopper
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.container.reader import NvcReader


def start(*words: object) -> subprocess.Popen:
    return subprocess.Popen(
        nvc_command(*words),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip


def wait_for(process, event):
    for line in process.stdout:
        record = json.loads(line)
        if record["event"] == event:
            return record
    raise AssertionError(process.stderr.read())


def test_signals_save_and_the_same_command_continues(clip, tmp_path):
    target = tmp_path / "x.nvc"
    words = ("encode", clip, "-o", target, "-p", TINY, "--epochs", 50_000, "--json")
    with start(*words, "--restart") as process:
        assert wait_for(process, "segment")["resumed"] is False
        first = wait_for(process, "fit")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "saving; once more stops at once" in said
    assert "continue with: nvc encode" in said
    assert "--restart" not in said
    assert not target.exists()
    assert (tmp_path / "x.nvc.job" / "segment-0.ckpt").exists()
    with start(*words) as process:
        assert wait_for(process, "segment")["resumed"] is True
        assert wait_for(process, "fit")["step"] > first["step"]
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 143
    assert "continue with: nvc encode" in said


def test_a_signal_while_decoding_leaves_nothing_half_written(encoded, tmp_path):
    """SIGTERM while the decoder waits for a pipe that gives no more."""
    with subprocess.Popen(
        nvc_command("decode", "-", "-o", tmp_path / "x.y4m"),
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        process.stdin.write(encoded.read_bytes()[:-10])
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode()
    assert process.returncode == 143
    assert said.splitlines()[-1] == "nvc: terminated"
    assert not list(tmp_path.iterdir())


def test_the_second_signal_stops_at_once(monkeypatch, capsys):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    before = signal.getsignal(signal.SIGINT)
    stopper = Stopper()
    with stopper.listening():
        assert not stopper()
        signal.raise_signal(signal.SIGTERM)
        assert stopper()
        assert stopper.exit_code == 143
        assert codes == []
        signal.raise_signal(signal.SIGINT)
    assert codes == [130]
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err.startswith("nvc: saving; once more stops at once\n")


@pytest.mark.slow
def test_kill_at_any_moment_and_continue(tmp_path):
    """Five kills: it finishes, no whole segment is done twice, and the bytes are the same."""
    clip = write_y4m(tmp_path / "clip.y4m", num_frames=12)
    options = ("-p", TINY, "--epochs", 60, "--segment-frames", 2, "--json")
    whole = nvc("encode", clip, "-o", tmp_path / "whole.nvc", *options)
    assert whole.code == 0, whole.stderr
    target = tmp_path / "killed.nvc"
    part = tmp_path / "killed.nvc.part"
    rng = random.Random(1)
    num_kills = 0
    while num_kills < 5:
        num_whole, kept = whole_segments(part)
        with start("encode", clip, "-o", target, *options) as process:
            first = wait_for(process, "segment")
            assert first["segment"] == num_whole
            time.sleep(rng.uniform(0.0, 1.2))
            process.kill()
        assert process.returncode == -signal.SIGKILL, "it finished before it could be killed"
        assert not target.exists()
        assert part.read_bytes().startswith(kept)
        num_kills += 1
    num_whole, kept = whole_segments(part)
    done = nvc("encode", clip, "-o", target, *options)
    assert done.code == 0, done.stderr
    started = [r["segment"] for r in done.records if r["event"] == "segment"]
    assert started == list(range(num_whole, 6))
    assert target.read_bytes().startswith(kept)
    assert target.read_bytes() == (tmp_path / "whole.nvc").read_bytes()
    report, other = done.records[-1], whole.records[-1]
    assert report["psnr_planes_db"] == pytest.approx(other["psnr_planes_db"], abs=1e-9)
    assert {p.name for p in tmp_path.iterdir()} == {"clip.y4m", "whole.nvc", "killed.nvc"}


def whole_segments(part) -> tuple[int, bytes]:
    """How many segments of an unfinished file are whole, and the bytes up to their end."""
    if not part.exists() or not part.stat().st_size:
        return 0, b""
    with NvcReader(part, limits=DEFAULT_LIMITS, keep_going=True) as reader:
        infos = reader.index
        end = infos[-1].offset + infos[-1].length if infos else reader.head_end
    return len(infos), part.read_bytes()[:end]
