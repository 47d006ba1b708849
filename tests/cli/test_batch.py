"""Many videos by one command, each into a file of its own."""

import json
import os
import signal
import subprocess

import pytest

from codec_helpers import TINY, TINY_NERV, environment, nvc, nvc_command, write_y4m

DETAILS = ("fit", "warning")
WORDS = ("-p", TINY_NERV, "--epochs", 2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """`clips/` with two videos, one below it, and the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, frames in (("clips/a2.y4m", 2), ("clips/a10.y4m", 3), ("clips/deep/b.y4m", 2)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_y4m(path, num_frames=frames, seed=frames)
    (tmp_path / "clips" / "notes.txt").write_text("mine")
    return tmp_path


def files(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_a_folder_of_videos_and_the_same_command_again(call, folder):
    """Each has its file, the tree is kept; the second time all are recognised."""
    for is_again in (False, True):
        done = call("encode", "clips/", "-o", "out/", "-p", TINY)
        assert done.code == 0, done.stderr
        assert files(folder / "out") == ["a10.nvc", "a2.nvc", "deep/b.nvc"]
        lines = done.stderr.splitlines()
        order = [line.split()[1] for line in lines if line.startswith("[")]
        assert order == ["clips/a2.y4m", "clips/a10.y4m", "clips/deep/b.y4m"]
        assert lines[-1].startswith("3 there already; " if is_again else "3 encoded; ")
        assert sum("was there already" in line for line in lines) == 3 * is_again


def test_events_name_their_input(call, folder):
    (folder / "out").mkdir()
    (folder / "out" / "b.nvc").write_bytes(b"mine")
    words = ("clips/a2.y4m", "clips/deep/b.y4m", "-o", "out", "--skip-existing", "--json", *WORDS)
    records = call("encode", *words).records
    assert {r["input"] for r in records[:-1]} == {"clips/a2.y4m", "clips/deep/b.y4m"}
    ends = [(r["event"], r["output"]) for r in records if r["event"] in ("done", "skipped")]
    assert ends == [("done", "out/a2.nvc"), ("skipped", "out/b.nvc")]
    counts = {"done": 1, "there": 0, "skipped": 1, "failed": 0, "left": 0}
    assert records[-1] == {
        "event": "batch", **counts, "size_bytes": (folder / "out/a2.nvc").stat().st_size
    }  # fmt: skip
    assert (folder / "out" / "b.nvc").read_bytes() == b"mine"


@pytest.mark.parametrize(("words", "left"), [([], 2), (["--keep-going"], 0)])
def test_one_that_fails(call, folder, words, left):
    (folder / "clips" / "a1.y4m").write_bytes(b"YUV4MPEG2 W0\n")
    done = call("encode", "clips", "-o", "out/", *WORDS, *words, "--json")
    assert done.code == 3
    assert done.stderr.startswith("nvc: clips/a1.y4m: ")
    (error,) = (r for r in done.records if r["event"] == "error")
    assert (error["input"], error["code"]) == ("clips/a1.y4m", 3)
    assert (done.records[-1]["failed"], done.records[-1]["left"]) == (1, 3 if left else 0)
    assert len(files(folder / "out")) == (0 if left else 3)


def test_what_is_there_is_told_before_any_work(call, folder):
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "deep" / "b.nvc").write_bytes(b"mine")
    done = call("encode", "clips", "-o", "out", *WORDS)
    assert done.code == 4
    assert "out/deep/b.nvc: exists; -y overwrites it" in done.stderr
    assert files(folder / "out") == ["deep/b.nvc"]


def test_a_picture_of_each_but_no_page(call, folder):
    words = ("clips/", "-o", "out/", "-p", TINY)
    refused = call("encode", *words, "--report", "p.html")
    assert (refused.code, (folder / "out").exists()) == (2, False)
    assert "--report: a page is about one video" in refused.stderr
    done = call("encode", *words, "--preview", "p.png")
    assert done.code == 0, done.stderr
    assert (folder / "p.png").exists()


def test_a_folder_of_pictures_is_one_video(call, folder):
    """Named alone, or found in another folder."""
    (folder / "shots").mkdir()
    assert call("encode", "clips/a2.y4m", "-o", "x.nvc", *WORDS).code == 0
    assert call("decode", "x.nvc", "-o", "shots/one").code == 0
    for source in ("shots", "shots/one"):
        done = call("encode", source, "-o", f"{source}-out/", *WORDS)
        assert done.code == 0, done.stderr
        assert files(folder / f"{source}-out") == ["one.nvc"]


def test_two_of_one_name_are_refused(call, folder):
    (folder / "clips" / "a2.mkv").write_bytes(b"")
    done = call("encode", "clips", "-o", "out/", *WORDS)
    assert done.code == 2
    assert "clips/a2.mkv and clips/a2.y4m would both become out/a2.nvc" in done.stderr
    assert not (folder / "out").exists()


def test_a_signal_saves_the_one_at_work(folder):
    words = ("clips/", "-o", "out/", "-p", TINY_NERV, "--json")
    command = nvc_command("encode", *words, "--set", "stages.0.epochs=20000")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        while (record := json.loads(process.stdout.readline()))["event"] != "fit":
            pass
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert record["input"] == "clips/a2.y4m"
    assert "continue with: nvc encode clips/ -o out/" in said
    assert json.loads(rest.splitlines()[-1])["left"] == 3
    assert os.listdir("out/a2.nvc.job")


def test_events_go_on_after_one_that_cannot_be_written(folder):
    (folder / "out").mkdir()
    (folder / "out" / "a2.nvc").write_bytes(b"mine")
    words = ("clips/a2.y4m", "clips/deep/b.y4m", "-o", "out/", "--keep-going", "--json", *WORDS)
    done = nvc("encode", *words)
    assert done.code == 4
    ends = [(r["event"], r.get("code")) for r in done.records if r["event"] not in DETAILS]
    assert ends == [("error", 4), ("segment", None), ("done", None), ("batch", None)]
    assert (folder / "out" / "a2.nvc").read_bytes() == b"mine"


def test_files_made_with_other_settings_are_no_answer(call, folder):
    words = ("encode", "clips/a2.y4m", "-o", "a.nvc", "-p", TINY)
    assert call(*words).code == 0
    assert "is there already and complete" in call(*words).stderr
    for other in (["--epochs", 9], ["--seed", 5], ["--no-audio"]):
        done = call(*words, *other)
        assert done.code == 4, (other, done.stderr)
        assert "a.nvc: exists; -y overwrites it" in done.stderr


def test_a_folder_that_cannot_be_made(call, folder):
    (folder / "out").mkdir()
    (folder / "out" / "deep").write_text("a file")
    done = call("encode", "clips/", "-o", "out/", *WORDS, "--keep-going")
    assert done.code == 4
    assert "out/deep: cannot be made" in done.stderr
    assert files(folder / "out") == ["a10.nvc", "a2.nvc", "deep"]
