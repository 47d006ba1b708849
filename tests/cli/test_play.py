"""A player is fed through a pipe: here a script that stands in its place on PATH."""

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from codec_helpers import (
    assert_same_frames,
    decoded_planes,
    environment,
    moving_frames,
    nvc_command,
    video_info,
)
from nvcodec.cli.player import play, player_command
from nvcodec.errors import FfmpegError
from nvcodec.video import open_video

CASES = {
    "reads all": ("cat > shown.y4m", 0, ""),
    "closed": ("exit 0", 0, ""),
    "fails": ("echo no screen >&2; exit 3", 3, "failed, exit code 3: no screen"),
}


@pytest.fixture
def player(tmp_path, monkeypatch):
    """Puts a script on PATH, as the only ffplay or mpv there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NVC_PLAYER", raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def make(script: str, name: str = "ffplay") -> Path:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" > words\n{script}\n')
        path.chmod(0o755)
        return path

    return make


def test_every_frame_reaches_the_player(call, encoded, player, tmp_path):
    player("cat > shown.y4m")
    done = call("play", encoded)
    assert (done.code, done.stdout, done.stderr) == (0, b"", "")
    with open_video(tmp_path / "shown.y4m") as video:
        assert_same_frames(list(video), decoded_planes(encoded))
    words = (tmp_path / "words").read_text()
    assert words == f"-loglevel error -autoexit -window_title {encoded} -\n"
    assert call("play", encoded, "--frames", "6:8").code == 0
    with open_video(tmp_path / "shown.y4m") as video:
        assert len(list(video)) == 2


@pytest.mark.parametrize("name", CASES)
def test_how_a_player_ends(call, encoded, player, name):
    script, code, said = CASES[name]
    player(script)
    done = call("play", encoded)
    assert done.code == code
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)


def test_a_closed_window_ends_what_has_no_end(player):
    info = video_info()
    frames = itertools.cycle(moving_frames(info, 1))
    path = player("head -c 100000 > /dev/null")
    assert play(frames, info, [str(path)]) > 50
    path = player("head -c 100000 > /dev/null; exit 4")
    with pytest.raises(FfmpegError, match="exit code 4"):
        play(frames, info, [str(path)])


def test_which_player(player, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    mpv = player("", "mpv")
    assert player_command("a b.nvc") == [str(mpv), "--really-quiet", "--title=a b.nvc", "-"]
    ffplay = player("")
    assert player_command("a.nvc")[0] == str(ffplay)
    monkeypatch.setenv("NVC_PLAYER", f"{player('', 'own')} --loop 'a b'")
    assert player_command("a.nvc") == [str(tmp_path / "bin" / "own"), "--loop", "a b", "-"]


def test_no_player_is_said_before_anything_else(call, encoded, player, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = call("play", encoded)
    assert (done.code, done.stderr.count("\n")) == (3, 1)
    assert "install ffmpeg or mpv" in done.stderr
    assert f"nvc decode {encoded} -o - | vlc -" in done.stderr
    monkeypatch.setenv("NVC_PLAYER", 'mpv "')
    assert "NVC_PLAYER is no command line" in call("play", encoded).stderr
    monkeypatch.setenv("NVC_PLAYER", "no-such-player --fast")
    assert "NVC_PLAYER is 'no-such-player'" in call("play", encoded).stderr


def test_ctrl_c_is_a_quiet_end(encoded, player, tmp_path):
    player("touch started; exec sleep 60")
    with subprocess.Popen(
        nvc_command("play", encoded), stderr=subprocess.PIPE, env=environment()
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")
