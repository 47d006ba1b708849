"""Standard streams that are closed or gone, names that nobody expects, signals."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from codec_helpers import TINY, environment, nvc_command, write_y4m
from nvcodec.cli.process import STOPPING, Signalled, Stopper


def shell(command, *words, **options):
    """A shell's command, in which {} stands for `nvc` with the words."""
    line = command.replace("{}", shlex.join(nvc_command(*words)))
    env = {**environment(), **options.pop("env", {})}
    return subprocess.run(["bash", "-c", line], capture_output=True, env=env, **options)


def test_closed_streams(encoded, tmp_path):
    """Nothing of ours takes the place of a closed stream, and a result is not lost silently."""
    out = tmp_path / "o.y4m"
    done = shell("{} --json 2>&- > " + str(out), "decode", encoded, "-o", "-")
    whole = shell("{}", "decode", encoded, "-o", "-")
    assert (done.returncode, whole.returncode) == (0, 0)
    assert out.read_bytes() == whole.stdout
    done = shell("{} >&-", "decode", encoded, "-o", tmp_path / "f.y4m")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "f.y4m").read_bytes() == whole.stdout
    for command in ("{} >&-", "{} 2>&- >&-"):
        assert shell(command, "info", encoded).returncode == 4
    done = shell("{} <&-", "encode", "-", "-o", tmp_path / "x.nvc")
    assert done.returncode == 3
    assert b"standard input: nothing came in" in done.stderr
    done = shell("{} 2>&-", "info", tmp_path / "nowhere.nvc")
    assert (done.returncode, done.stdout) == (3, b"")


def test_a_reader_of_messages_that_leaves_changes_nothing(encoded, tmp_path):
    out = tmp_path / "f.y4m"
    done = shell("{ {}; echo $? > code; } 2> >(true)", "decode", encoded, "-o", out, cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "code").read_text() == "0\n"
    assert out.exists()


@pytest.mark.parametrize("spelling", ["utf-8:strict", "ascii"])
def test_names_that_cannot_be_written(encoded, tmp_path, spelling):
    for name in (b"b\xff.nvc", "ünï.nvc".encode()):
        path = os.fsencode(tmp_path) + b"/" + name
        with open(path, "wb") as file:
            file.write(encoded.read_bytes())
        for command in ("verify", "info"):
            done = shell("{}", command, os.fsdecode(path), env={"PYTHONIOENCODING": spelling})
            assert done.returncode == 0, done.stderr
            assert b".nvc" in done.stdout


def test_names_that_cannot_be_are_one_line(call, encoded, tmp_path):
    (tmp_path / "shut").mkdir()
    long = tmp_path / ("x" * 300 + ".mp4")
    for words, code in (
        (("encode", long, "-o", tmp_path / "x.nvc"), 3),
        (("decode", long, "-o", tmp_path / "x.y4m"), 3),
        (("info", long), 3),
        (("verify", encoded, "--against", long), 3),
        (("encode", "a\0b", "-o", tmp_path / "x.nvc"), 3),
        (("bench", long, "--out", tmp_path / "bench"), 3),
    ):
        done = call(*words)
        assert done.code == code, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("nvc: ")


def test_a_usage_error_is_one_line(call, clip):
    for words, said in (
        (("encode", clip, "-o", "x.nvc", "--epoch", 3), "--epoch"),
        (("encode", clip, "-o", "x.nvc", "--json", "--epochs", "x"), "--epochs"),
        (("encode", clip), "--output"),
    ):
        done = call(*words)
        assert done.code == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_name_that_promises_another_format(call, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.mp4", "x.Y4M"):
        done = call("encode", clip, "-o", name, "-p", TINY)
        assert done.code == 4
        assert f"then nvc decode x.nvc -o {name}" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["gpu", "opengl", "cuda:x", "CPU", "cuda:99"])
def test_a_device_that_is_not_there(call, encoded, tmp_path, name):
    done = call("decode", encoded, "-o", tmp_path / "x.y4m", "--device", name)
    assert done.code == 3
    if name != "cuda:99":
        assert "allowed are auto, cpu, cuda, cuda:N and mps" in done.stderr


def test_every_stopping_signal_is_heard(capsys):
    for number in STOPPING:
        stopper = Stopper()
        with stopper.listening():
            assert not stopper()
            signal.raise_signal(number)
            assert stopper()
            assert stopper.exit_code == 128 + number


def test_a_signal_before_anybody_asks_ends_the_command():
    stopper = Stopper()
    with stopper.listening(), pytest.raises(Signalled):
        signal.raise_signal(signal.SIGTERM)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stopper = Stopper()
        with stopper.listening():
            stopper()
            signal.raise_signal(signal.SIGHUP)
            assert not stopper()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_the_end_of_a_terminal_saves(tmp_path):
    clip = write_y4m(tmp_path / "clip.y4m")
    target = tmp_path / "x.nvc"
    words = ("encode", clip, "-o", target, "-p", TINY, "--epochs", 9999, "--json")
    process = subprocess.Popen(
        nvc_command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    while b"fit" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 129
    assert b"continue with" in said
    assert (tmp_path / "x.nvc.job" / "segment-0.ckpt").exists()


@pytest.mark.slow
def test_a_signal_ends_a_command_that_waits_to_open(tmp_path):
    os.mkfifo(tmp_path / "a.y4m")
    words = ("encode", tmp_path / "a.y4m", "-o", tmp_path / "x.nvc", "-p", TINY)
    process = subprocess.Popen(nvc_command(*words), stderr=subprocess.PIPE, env=environment())
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    assert process.returncode == 143


def test_nobody_is_told_to_install_a_strangers_package():
    """The name `nvcodec` on the index is not ours: hints work from a checkout or name others."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = subprocess.run(
        ["grep", "-rnE", r"pip install ['\"]?nvcodec(\[|'|\"|$| )", root + "/src", root + "/docs",
         root + "/README.md", root + "/benchmarks"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == ""


def test_a_process_that_ends_at_once_leaves_nothing_out():
    code = (
        "import atexit, sys, threading, time; from nvcodec.cli.process import end_process; "
        "sys.modules['torch'] = sys; atexit.register(print, 'asked for'); "
        "wait = lambda: (time.sleep(0.2), print('done')); threading.Thread(target=wait).start(); "
        "end_process(7)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split("\n")) == (7, ["done", "asked for", ""])
    assert done.stderr == ""
