"""Audio, subtitles, chapters, attachments and times: into a file and back, as they were."""

import json
import shutil
import subprocess
import warnings
from dataclasses import replace
from fractions import Fraction

import pytest

import nvcodec
from codec_helpers import TINY_LATENTS, TINY_NERV, write_y4m
from independent.container import read_file
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError, VideoError
from nvcodec.goals import Goal
from nvcodec.presets import load_preset
from nvcodec.processes import ffmpeg_path
from nvcodec.video import VideoWarning

WORDS = ("-p", TINY_NERV, "--epochs", 2)
SUBTITLES = "1\n00:00:00,100 --> 00:00:00,300\none\n\n2\n00:00:00,600 --> 00:00:00,900\ntwo\n"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/10\nSTART={5 * n}\nEND={5 * n + 5}\ntitle={n}\n" for n in range(2)
)


def ffmpeg(*words: object) -> bytes:
    command = [ffmpeg_path(), "-v", "error", "-y", "-nostdin", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def hashes(path, kinds="a s") -> list[str]:
    """A hash over all packets of each stream."""
    maps = [word for kind in kinds.split() for word in ("-map", f"0:{kind}?")]
    lines = ffmpeg("-i", path, *maps, "-c", "copy", "-f", "streamhash", "-").decode().splitlines()
    return [line.split("=")[1] for line in lines]


def packets(path, *words, kind="a") -> list[tuple[Fraction, str]]:
    """When each packet begins, and its hash."""
    words = ("-map", f"0:{kind}", *(words or ("-c", "copy")), "-f", "framehash", "-hash", "md5")
    lines = ffmpeg("-copyts", "-i", path, *words, "-").decode().splitlines()
    base = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    return [(int(row[2]) * base, row[5].strip()) for row in rows]


def shown_ms(path) -> list[int]:
    """When each frame is shown, by ffmpeg alone."""
    words = ("-fps_mode", "passthrough", "-enc_time_base", "1/1000")
    return [int(1000 * time) for time, _ in packets(path, *words, kind="v")]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A second of 10 uneven frames, with audio, subtitles, two chapters and an attachment."""
    folder = tmp_path_factory.mktemp("source")
    for name, text in (("s.srt", SUBTITLES), ("c.txt", CHAPTERS), ("font.ttf", "letters")):
        (folder / name).write_text(text)
    frames = r"testsrc=s=32x32:r=10:d=1,format=yuv420p,settb=1/1000,setpts=N*100+mod(N\,2)*20"
    ffmpeg(
        "-f", "lavfi", "-i", frames, "-f", "lavfi", "-i", "anoisesrc=d=1:r=8000:seed=1",
        "-i", folder / "s.srt", "-i", folder / "c.txt", "-map", "0", "-map", "1", "-map", "2",
        "-map_metadata", "3", "-attach", folder / "font.ttf",
        "-metadata:s:t", "mimetype=application/x-truetype-font", "-c:v", "ffv1", "-c:a", "aac",
        "-c:s", "srt", "-metadata:s:a", "language=eng", "-fps_mode", "passthrough",
        "-enc_time_base:v", "1/1000", folder / "in.mkv",
    )  # fmt: skip
    return folder / "in.mkv"


@pytest.fixture(scope="module")
def coded(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("coded") / "a.nvc"
    report = nvcodec.encode(source, path, preset=TINY_NERV)
    assert report.size_bytes + report.streams_bytes == path.stat().st_size
    assert report.rate_bpp == pytest.approx(8 * report.size_bytes / (10 * 32 * 32))
    return path


def test_a_size_asked_for_is_that_of_the_whole_file(source, coded, tmp_path):
    report = nvcodec.info(coded)
    beside = report.streams_bytes
    size_bytes, target = beside + 2500, tmp_path / "a.nvc"
    options = EncodeOptions(goal=Goal(size_bytes=size_bytes))
    encode(source, target, load_preset(TINY_LATENTS), options)
    assert size_bytes - 0.02 * 2500 <= target.stat().st_size <= size_bytes
    assert encode(source, target, load_preset(TINY_LATENTS), options).was_there
    options = EncodeOptions(goal=Goal(size_bytes=beside))
    with pytest.raises(
        VideoError, match=r"too few .* bytes of audio.*; audio=False leaves audio out"
    ):
        encode(source, tmp_path / "b.nvc", load_preset(TINY_LATENTS), options)


def test_everything_comes_back_in_matroska(source, coded, tmp_path, call):
    target = tmp_path / "out.mkv"
    done = call("decode", coded, "-o", target)
    assert done.code == 0, done.stderr
    assert "nvc:" not in done.stderr
    assert hashes(target, "a s t") == hashes(source, "a s t")
    assert len(hashes(source, "a s t")) == 3
    assert packets(target) == packets(source)
    assert ffmpeg("-i", target, "-f", "ffmetadata", "-").count(b"[CHAPTER]") == 2
    assert shown_ms(target) == shown_ms(source) == [100 * n + n % 2 * 20 for n in range(10)]


def test_what_a_container_cannot_hold_is_said(source, coded, tmp_path, call):
    done = call("decode", coded, "-o", tmp_path / "out.mp4", "--json")
    texts = [r["text"] for r in done.records if r["event"] == "warning"]
    assert texts == [
        f"{tmp_path}/out.mp4: not in it: subtitle subrip, attachment ttf; .mkv keeps all"
    ]
    assert hashes(tmp_path / "out.mp4", "a") == hashes(source, "a")
    done = call("decode", coded, "-o", tmp_path / "out.y4m")
    assert "not in it: 1 audio stream, 1 subtitle stream, 1 attachment stream, 2 chapters" in (
        done.stderr
    )
    assert "keeps no times of frames" in done.stderr
    done = call("decode", coded, "-o", tmp_path / "silent.mp4", "--no-audio")
    assert "not in it" not in done.stderr
    assert hashes(tmp_path / "silent.mp4", "v a")[1:] == []


def test_the_independent_reader_finds_the_same_times(coded):
    with nvcodec.open(coded) as video:
        assert read_file(coded.read_bytes()).times == [video.times]


def test_what_info_says(coded, call):
    text = call("info", coded).stdout.decode()
    assert "variable rate, mean 9.804 frames/s" in text
    assert "stream 0        audio aac eng" in text
    record = json.loads(call("info", coded, "--json").stdout)
    assert [s["kind"] for s in record["streams"]] == ["audio", "subtitle", "attachment"]
    assert record["chapters"] == 2
    chunk = next(e for e in record["bytes"] if e["kind"] == "mkvs")
    assert chunk["size"] == record["streams_bytes"]


def test_a_cut_takes_the_audio_along(source, coded, tmp_path, call):
    """From the source, and from the file: the same packets, as far from the frames as before."""
    cut = tmp_path / "cut.nvc"
    words = ("--start", "0.45", "--end", "0:00.8")
    assert call("encode", source, "-o", cut, *WORDS, *words).code == 0
    assert call("decode", cut, "-o", tmp_path / "a.mkv").code == 0
    assert call("decode", coded, "-o", tmp_path / "b.mkv", *words).code == 0
    expected = {d: t - Fraction(52, 100) for t, d in packets(source)}  # frame 5 is the first
    for name in ("a.mkv", "b.mkv"):
        assert shown_ms(tmp_path / name) == [0, 80, 200]
        seen = packets(tmp_path / name)
        assert seen[0][0] < Fraction(13, 100)
        assert all(abs(t - expected[d]) <= Fraction(1, 1000) for t, d in seen)
    assert call("verify", cut, "--against", source, *words).code == 0
    with nvcodec.open(coded, between=(Fraction(45, 100), None)) as video:
        assert video.num_selected == 5
        assert video.times[:3] == [0, Fraction(12, 100), Fraction(2, 10)]


def test_one_frame_by_its_own_time(coded, tmp_path, call):
    """Alone it needs no time and no sound."""
    done = call("decode", coded, "-o", tmp_path / "f.png", "--at", "0.31")
    assert done.code == 0, done.stderr
    assert "nvc:" not in done.stderr
    with nvcodec.open(coded) as video:
        assert [video.frame_at(s) for s in (0, 0.119, 0.12, 0.31, 0.325, 0.95)] == [
            0,
            0,
            1,
            2,
            3,
            9,
        ]
        with pytest.raises(VideoError, match=r"1\.5 seconds: not in the video, shown from 0 to"):
            video.frame_at(1.5)


def test_segments_that_are_extracted_take_theirs_along(source, tmp_path, call):
    whole, cut = tmp_path / "whole.nvc", tmp_path / "cut.nvc"
    nvcodec.encode(source, whole, preset=TINY_NERV, epochs=2, segment_frames=5)
    done = call("extract", whole, "-o", cut, "--frames", "5:10")
    assert done.code == 0, done.stderr
    assert "cannot be cut" not in done.stderr
    with nvcodec.open(whole, frames=slice(5, 10)) as video, nvcodec.open(cut) as alone:
        assert alone.frame_times() == video.frame_times()
        assert alone.streams() == video.streams()


def test_refined_it_keeps_them(source, coded, tmp_path):
    target = tmp_path / "x.nvc"
    report = nvcodec.refine(coded, source, target, TINY_NERV, epochs=4)
    assert report.size_bytes + report.streams_bytes == target.stat().st_size
    assert report.streams_bytes > 0
    assert nvcodec.info(target).ancillary == nvcodec.info(coded).ancillary


def test_stopped_and_continued_it_is_the_same_file(source, coded, tmp_path):
    target, preset = tmp_path / "x.nvc", load_preset(TINY_NERV)
    asked = iter([False] * 30)
    with pytest.raises(InterruptedEncodeError):
        encode(source, target, preset, should_stop=lambda: next(asked, True))
    encode(source, target, preset)
    assert target.read_bytes() == coded.read_bytes()
    again = encode(source, target, preset)
    assert again.was_there
    assert again.size_bytes + again.streams_bytes == coded.stat().st_size


def said(source, target, **options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", VideoWarning)
        encode(source, target, load_preset(TINY_NERV, epochs=2), EncodeOptions(**options))
    texts = [str(w.message) for w in seen if w.category is VideoWarning]
    return texts, nvcodec.info(target).ancillary.keys()


def test_what_is_not_kept_is_said(source, tmp_path):
    limits = replace(DEFAULT_LIMITS, segment_bytes=70_000)
    for number, (given, options, text) in enumerate([
        (source, {"limits": limits}, "more than the 70,000 bytes of a chunk"),
        (source, {"audio": False}, None),
        ([source, source], {}, "of several videos none is kept"),
        (source.open("rb"), {}, "from a pipe"),
        (source, {"frame_rate": Fraction(5)}, "under another frame rate"),
    ]):  # fmt: skip
        texts, kinds = said(given, tmp_path / f"{number}.nvc", **options)
        assert "mkvs" not in kinds
        assert ("tstm" in kinds) == ("frame_rate" not in options)
        assert [text is not None and text in t for t in texts] == [True] * (text is not None)


def test_a_file_from_a_pipe_tells_too_late(coded, tmp_path, call):
    import io
    import sys

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(Pipe(coded.read_bytes()))
    try:
        done = call("decode", "-", "-o", tmp_path / "out.mkv")
    finally:
        sys.stdin = stdin
    assert done.code == 0, done.stderr
    assert "times of frames not written" in done.stderr
    assert "audio and other streams not written" in done.stderr


@pytest.mark.parametrize(
    "words", ["--start 1:", "--end x", "--start 2 --end 1", "--start 1 --frames 0:2"]
)
def test_times_that_are_none(tmp_path, call, words):
    clip = write_y4m(tmp_path / "a.y4m")
    assert call("encode", clip, "-o", tmp_path / "x.nvc", *WORDS, *words.split()).code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix"),
    [("bigbuckbunny.mp4", ".mp4"), ("bigbuckbunny.mp4", ".mkv"),
     ("formats/nasa_multistream.mp4", ".mp4"), ("formats/vfr_rot180_fire.mp4", ".mov"),
     ("formats/livephoto_hevc_rot90.mov", ".mp4"), ("formats/mjpeg422_vga.avi", ".mkv"),
     ("formats/mjpeg422_vga.avi", ".mov")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_packets_of_real_files_come_back(clips, tmp_path, call, name, suffix):
    coded, target = tmp_path / "a.nvc", tmp_path / f"out{suffix}"
    assert call("encode", clips / name, "-o", coded, *WORDS, "--scale", "32x32").code == 0
    assert call("decode", coded, "-o", target).code == 0
    assert hashes(target) == hashes(clips / name) != []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    "name", ["vfr_rot180_fire.mp4", "livephoto_hevc_rot90.mov", "mjpeg422_vga.avi"]
)
@pytest.mark.filterwarnings("ignore")
def test_times_of_real_files_are_exact_by_ffprobe(clips, tmp_path, call, name, suffix):
    """In Matroska they are whole milliseconds, as everywhere there."""
    if shutil.which("ffprobe") is None:
        pytest.skip("no ffprobe on PATH")
    coded, target = tmp_path / "a.nvc", tmp_path / f"out{suffix}"
    source = clips / "formats" / name
    assert call("encode", source, "-o", coded, *WORDS, "--scale", "32x32").code == 0
    assert call("decode", coded, "-o", target).code == 0
    old, new = probed(source), probed(target)
    if suffix == ".mkv":
        old = [Fraction(int(1000 * time + Fraction(1, 2)), 1000) for time in old]
    assert new == old


def probed(path) -> list[Fraction]:
    """When frames are shown, by ffprobe."""
    words = "-v error -select_streams v:0 -show_entries stream=time_base:frame=pts -of json"
    done = subprocess.run(["ffprobe", *words.split(), path], check=True, capture_output=True)
    seen = json.loads(done.stdout)
    base = Fraction(seen["streams"][0]["time_base"])
    return [frame["pts"] * base for frame in seen["frames"]]
