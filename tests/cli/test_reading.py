"""A `.nvc` file read like a video: one frame, some, as pictures; and what is there of one begun."""

import subprocess
from fractions import Fraction

import pytest

from codec_helpers import assert_same_frames, decoded_planes, nvc
from nvcodec.container.reader import inspect
from nvcodec.decoder import Decoder
from nvcodec.processes import ffmpeg_path
from nvcodec.video import open_video
from nvcodec.video.color import picture_planes


@pytest.fixture
def part(encoded, tmp_path):
    """`encoded` as an encoding left it that had two segments of three, and some of the third."""
    path = tmp_path / "clip.nvc.part"
    path.write_bytes(encoded.read_bytes()[: inspect(encoded).segments[2].offset + 200])
    return path


@pytest.mark.parametrize(
    ("words", "frame"),
    [
        (["--at", "0"], 0),
        (["--at", "0.2"], 5),  # its first moment, at 25 frames a second
        (["--at", "0:00:0.119"], 2),
        (["--frames", "7"], 7),
        (["--frames", "3:4"], 3),
    ],
)
def test_one_frame_as_a_picture(call, encoded, tmp_path, words, frame):
    done = call("decode", encoded, "-o", tmp_path / "f.png", *words)
    assert done.code == 0, done.stderr
    assert "1 frame in" in done.stderr
    with open_video(tmp_path / "f.png", frame_rate=Fraction(25)) as video:
        (seen,) = video
    with Decoder(encoded, device="cpu") as decoder:
        expected = picture_planes(list(decoder.planes())[frame], decoder.info)
    assert_same_frames([seen], [expected])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "f.png"], 3, "f.png: holds one frame, there are 8 frames; f/ or f%03d.png"),
        (["-o", "f.jpg", "--frames", "2:5"], 3, "there are 3 frames"),
        (["-o", "f.png", "--at", "0.32"], 3, "0.32 seconds: not in the video, which lasts 0.32"),
        (["-o", "f.png", "--at", "1h"], 2, "--at '1h': expected seconds or h:m:s"),
        (
            ["-o", "f.png", "--at", "0", "--frames", "0:1"],
            2,
            "--at and --frames, --start or --end: one of them",
        ),
        (["-o", "f.png", "--frames", "8"], 3, "no frames in 8:9"),
        (["-o", "f.png", "--crf", "3"], 3, "f.png: crf is for movies only"),
    ],
)
def test_what_is_no_picture_is_said(call, encoded, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    done = call("decode", encoded, *words)
    assert (done.code, done.stdout) == (code, b"")
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_gif_and_a_small_movie_from_a_process(encoded, tmp_path):
    words = ["-o", tmp_path / "a.gif", "-q"]
    done = nvc("decode", encoded, *words)
    assert (done.code, done.stderr) == (0, "")
    command = [ffmpeg_path(), "-nostdin", "-i", tmp_path / "a.gif", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, check=True).stderr.decode()
    assert "frame=    8" in said


def test_a_movie_as_it_is_asked_for(call, encoded, tmp_path):
    for crf in (1, 50):
        words = ["--codec", "x265", "--crf", crf, "--speed", "ultrafast"]
        assert call("decode", encoded, "-o", tmp_path / f"{crf}.mov", *words).code == 0
    assert (tmp_path / "50.mov").stat().st_size < (tmp_path / "1.mov").stat().st_size


def test_an_unfinished_file_gives_what_is_there(call, encoded, part, tmp_path):
    done = call("decode", part, "-o", tmp_path / "a.y4m")
    assert done.code == 0
    warning, summary = done.stderr.splitlines()[0], done.stderr.splitlines()[-1]
    assert warning == f"nvc: {part}: unfinished, 5 of 8 frames are there"
    assert summary.startswith("5 frames in ")
    with open_video(tmp_path / "a.y4m") as video:
        assert_same_frames(list(video), decoded_planes(encoded)[:5])
    part = part.rename(tmp_path / "other.nvc.part")  # Python says the same thing once
    done = call("decode", part, "-o", tmp_path / "b.y4m", "--json", "--frames", "3:9")
    assert [record["event"] for record in done.records] == ["warning", "done"]
    assert (done.records[1]["frames"], done.records[1]["damage"]) == (2, [])


def test_an_unfinished_file_with_nothing_or_with_damage(call, encoded, part, tmp_path):
    data, out = part.read_bytes(), tmp_path / "a.y4m"
    first, second = (segment.offset for segment in inspect(encoded).segments[:2])
    part.write_bytes(data[: first + 9])
    done = call("decode", part, "-o", out)
    assert done.code == 6
    assert done.stderr == f"nvc: {part}: cut off or unfinished: no segment is finished yet\n"
    part.write_bytes(data[: second + 50] + b"no" + data[second + 52 :])
    assert call("decode", part, "-o", out).code == 5
    assert not out.exists()
    part.write_bytes(encoded.read_bytes())  # stopped just before its renaming
    assert call("decode", part, "-o", out, "-q").stderr == ""
