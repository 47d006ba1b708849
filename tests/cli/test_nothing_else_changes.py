"""Whatever lay in a folder and beside it before a command, save its output, lies there after it."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from codec_helpers import TINY, environment, nvc_command

OUTPUTS = ("out.y4m", "out.yuv", "out.mkv", "out", "out/f%03d.png", "deep/out/", ".")
NAMES = (
    "out.part.y4m", "out.y4m.part", "out.part.yuv", "out.part.mkv", "out.part/a/b.txt",
    "deep.part/a.txt", "deep/out.part/a.txt", "out.tmp", "here.part/a.txt", "out/notes.txt",
    "deep/notes.txt", "notes.txt", "00001.txt", "out.nvc.part", "out.nvc.tmp", "out.nvc.job/a.npz",
    "out.nvc.job/job.tmp", "out.nvc.job/segment-0.ckpt", "segment-1.npz", "job.json", "job.tmp",
)  # fmt: skip


def fill(root: Path) -> Path:
    """Files of somebody else at every name that could be guessed; gives the folder to work in."""
    here = root / "here"
    for folder in (root, here):
        for name in NAMES:
            path = folder / name
            if path.parent.is_file() or path.is_dir():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"mine: {name}")
    (here / "link.part.y4m").symlink_to(root / "notes.txt")
    return here


def content(root: Path) -> dict[str, bytes | str]:
    """Every file below `root`; links as what they point to."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def check(root: Path, before: dict[str, bytes | str]) -> None:
    after = content(root)
    lost = [name for name in before if after.get(name) != before[name]]
    assert not lost


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("damage", ["whole", "damaged"])
def test_decode(call, encoded, tmp_path, monkeypatch, output, damage):
    here = fill(tmp_path)
    data = bytearray(encoded.read_bytes())
    if damage == "damaged":
        data[len(data) // 2] ^= 1
    (here / "in.nvc").write_bytes(data)
    monkeypatch.chdir(here)
    before = content(tmp_path)
    done = call("decode", "in.nvc", "-o", output)
    assert done.code == (0 if damage == "whole" else 5), done.stderr
    check(tmp_path, before)
    if damage == "damaged":
        assert content(tmp_path) == before


@pytest.mark.parametrize("words", [[], ["-y"], ["--restart"], ["--workdir", "work"]])
@pytest.mark.parametrize("name", ["out.nvc", "free.nvc"])
def test_encode(call, clip, tmp_path, monkeypatch, words, name):
    here = fill(tmp_path)
    shutil.copytree(here, here / "work")
    monkeypatch.chdir(here)
    before = content(tmp_path)
    done = call("encode", clip, "-o", name, "-p", TINY, "--epochs", 3, *words)
    assert done.code in (0, 4), done.stderr
    assert done.code == 0 or name == "out.nvc"
    check(tmp_path, before)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_decode_and_encode_that_are_stopped(encoded, clip, tmp_path, number):
    here = fill(tmp_path)
    before = content(tmp_path)
    commands = (
        ("decode", encoded, "-o", "pictures"),
        ("encode", clip, "-o", "free.nvc", "-p", TINY, "--epochs", 9999),
    )
    for words in commands:
        process = subprocess.Popen(nvc_command(*words), cwd=here, env=environment())
        end = time.monotonic() + 60
        while content(tmp_path) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(60)
        check(tmp_path, before)


def test_pictures_replace_older_ones_in_place(call, encoded, tmp_path, monkeypatch):
    """New ones first, then the older ones that are left over; on one file system."""
    monkeypatch.chdir(tmp_path)
    assert call("decode", encoded, "-o", "out").code == 0
    names = sorted(os.listdir("out"))
    (tmp_path / "out" / "00099.png").write_bytes(b"old")
    removed, moved = [], []
    unlink, replace = Path.unlink, os.replace

    def note_unlink(path, **options):
        removed.append((path.name, len(moved)))
        unlink(path, **options)

    def note_replace(one, other):
        assert os.stat(Path(one).parent).st_dev == os.stat(Path(other).parent).st_dev
        assert Path(one).parent.parent == Path(other).parent
        moved.append(Path(other).name)
        replace(one, other)

    monkeypatch.setattr(Path, "unlink", note_unlink)
    monkeypatch.setattr(os, "replace", note_replace)
    assert call("decode", encoded, "-o", "out", "-y").code == 0
    assert moved == names
    assert removed == [("00099.png", len(names))]
    assert sorted(os.listdir("out")) == names


def test_pictures_into_a_folder_that_may_be_a_mount_point(call, encoded, tmp_path, monkeypatch):
    """Beside it is another file system then, so everything is made inside."""
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    made = []
    mkdir = Path.mkdir
    monkeypatch.setattr(
        Path, "mkdir", lambda path, *a, **k: (made.append(path), mkdir(path, *a, **k))[1]
    )
    assert call("decode", encoded, "-o", folder).code == 0
    assert all(path.parent == folder for path in made)
    assert (folder / "mine.txt").read_text() == "mine"


def test_names_too_long_and_folders_closed_are_one_line(call, encoded, clip, tmp_path):
    for name in ("x" * 251 + ".y4m", "x" * 250 + ".mkv"):
        assert call("decode", encoded, "-o", tmp_path / name).code == 0
    for words in (
        ("decode", encoded, "-o", tmp_path / ("x" * 300 + ".y4m")),
        ("decode", encoded, "-o", tmp_path / ("x" * 300)),
        ("decode", encoded, "-o", "/"),
        ("encode", clip, "-p", TINY, "--epochs", 3, "-o", tmp_path / ("x" * 251 + ".nvc")),
    ):
        done = call(*words)
        assert done.code in (0, 4), done.stderr
        assert "Traceback" not in done.stderr


def test_the_same_command_again_finds_its_file(call, clip, encoding, tmp_path):
    """Also when nothing is left of the job; another source, or other settings, are no match."""
    target = tmp_path / "clip.nvc"
    shutil.copy(encoding[0], target)
    words = ("-o", target, "-p", TINY, "--segment-frames", 3, "--json")
    done = call("encode", clip, *words)
    assert done.code == 0, done.stderr
    assert done.records[-1]["was_there"]
    for name in ("psnr_planes_db", "num_frames", "num_segments", "size_bytes"):
        assert done.records[-1][name] == pytest.approx(encoding[1][-1][name])
    assert target.read_bytes() == encoding[0].read_bytes()
    other = tmp_path / "other.y4m"
    data = bytearray(clip.read_bytes())
    for i in range(data.index(b"\n") + 1, len(data)):
        data[i] = (
            data[i] if data[i - 6 : i + 1] == b"FRAME\n" or data[i] in b"FRAME\n" else 255 - data[i]
        )
    other.write_bytes(data)
    for again in (
        (other, *words),
        (clip, *words, "--segment-frames", 4),
        (clip, *words, "--fps", 9),
    ):
        done = call("encode", *again)
        assert done.code == 4, done.stderr
        assert "exists" in done.stderr
