"""`nvc bench` from end to end on small clips, and what it does when something goes wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from codec_helpers import TINY, environment, moving_frames, nvc_command, video_info, write_video
from nvcodec.bench.baselines.aom import Aom
from nvcodec.bench.results import NAME
from nvcodec.errors import ToolMissingError

X264 = ["--baselines", "x264", "--rates", "x264=20,40"]


def lines(out):
    return [json.loads(line) for line in (out / NAME).read_text().splitlines()]


@pytest.fixture(scope="module")
def bench(clip, tmp_path_factory):
    """A folder with three points of one clip, measured by a process of its own."""
    out = tmp_path_factory.mktemp("bench") / "out"
    words = ["bench", clip, "-p", f"tiny={TINY}", *X264, "--out", out, "--json"]
    done = subprocess.run(
        nvc_command(*words), env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out, [json.loads(line) for line in done.stdout.splitlines()]


def test_every_point_is_stored_with_what_it_takes_to_trust_it(bench):
    out, printed = bench
    stored = lines(out)
    assert printed[:-1] == stored
    assert [(r["codec"], r["status"]) for r in stored] == [
        ("x264", "done"),
        ("x264", "done"),
        ("tiny", "done"),
    ]
    for record in stored:
        coded = out / "coded" / f"{record['key']}.{'nvc' if record['kind'] == 'nvc' else 'h264'}"
        assert coded.stat().st_size == record["size_bytes"]
        assert record["rate_bpp"] == pytest.approx(8 * record["size_bytes"] / (8 * 32 * 32))
        assert record["bitrate_kbps"] == pytest.approx(8 * record["size_bytes"] / 1000 / (8 / 25))
        quality = record["quality"]
        y, u, v = quality["psnr_planes_db"]
        assert quality["psnr_yuv_db"] == pytest.approx((6 * y + u + v) / 8)
        assert quality["ms_ssim_rgb"] is None  # too small for five scales
        assert abs(quality["psnr_rgb_db"] - quality["psnr_rgb_ffmpeg_db"]) < 1
        assert record["versions"]["ffmpeg"].startswith("ffmpeg version")
        assert record["encode_s"] > 0 < record["decode_frames_per_s"]
        assert {"commit", "date", "machine", "threads", "input_digest", "output_digest"} < set(
            record
        )
    assert stored[0]["versions"]["x264"].startswith("core ")
    assert stored[0]["size_bytes"] > stored[1]["size_bytes"]
    assert stored[2]["parameters"] > 100
    assert (stored[2]["seed"], stored[2]["device"], stored[2]["samples"]) == (0, "cpu", "rgb")
    assert sum(stored[2]["bytes_by_kind"].values()) == stored[2]["size_bytes"]
    assert stored[2]["encode_peak_bytes"] > 50_000_000
    assert not (out / "work").exists()


def test_the_report_follows(bench):
    out, printed = bench
    assert printed[-1]["event"] == "report"
    page = (out / "report" / "index.html").read_text()
    assert page.count('"data:image/') == 4  # the source's, and one for each point
    assert len(list((out / "frames").glob("*.png"))) == 4


def test_finished_points_are_not_redone(bench, clip, call):
    out, _ = bench
    before = (out / NAME).read_bytes()
    done = call("bench", clip, "-p", f"tiny={TINY}", *X264, "--out", out, "--no-report")
    assert done.code == 0
    assert "3 points are there already, 0 to go" in done.stderr
    assert (out / NAME).read_bytes() == before


def test_dry_run_lists_what_is_left(bench, clip, call):
    out, _ = bench
    words = ["bench", clip, "--baselines", "x264", "--rates", "x264=20,30", "--out", out]
    done = call(*words, "--dry-run", "--json")
    assert done.code == 0
    (job,) = done.records
    assert (job["codec"], job["point"]) == ("x264", "crf 30")
    assert job["predicted_s"] > 0
    assert "1 points to measure, about 0:0" in done.stderr
    assert "-crf 30" in call(*words, "--dry-run").stdout.decode()
    assert len(lines(out)) == 3


def test_psnr_is_that_of_ffmpegs_filter(bench, clip):
    out, _ = bench
    from nvcodec.processes import ffmpeg_path, run

    record = lines(out)[1]
    command = [ffmpeg_path(), "-nostdin", "-i", str(out / "coded" / f"{record['key']}.h264")]
    said = run([*command, "-i", str(clip), "-lavfi", "psnr", "-f", "null", "-"]).stderr
    summary = next(line for line in said if "PSNR y:" in line)
    for name, value in zip("yuv", record["quality"]["psnr_planes_db"], strict=True):
        assert f" {name}:" in summary
        measured = float(summary.split(f" {name}:")[1].split()[0])
        assert value == pytest.approx(measured, abs=0.01)


def test_a_failed_point_is_recorded_and_the_run_goes_on(tmp_path, call):
    info = video_info(31, 17)  # x264 takes no odd sizes in 4:2:0
    path = write_video(tmp_path / "odd.y4m", info, moving_frames(info, 3))
    out = tmp_path / "out"
    words = ["bench", path, "--baselines", "x264,x265", "--rates", "x264=30", "--rates", "x265=30"]
    words += ["--baseline-speed", "x265=ultrafast", "--out", out, "--no-report"]
    done = call(*words)
    assert done.code == 1
    first, second = lines(out)
    assert (first["status"], second["codec"]) == ("failed", "x265 ultrafast")
    assert "exit code" in first["error"]
    assert "x264  crf 30: failed" in done.stderr
    call(*words)
    assert [r["codec"] for r in lines(out)].count("x264") == 2  # tried again


def test_a_missing_encoder_is_reported(tmp_path, clip, call, monkeypatch):
    def missing(self):
        raise ToolMissingError("libaom-av1: not in this ffmpeg")

    from nvcodec.bench import provenance

    monkeypatch.setattr(Aom, "version", missing)

    provenance.encoder_version.cache_clear()
    words = [
        "bench",
        clip,
        "--baselines",
        "aom,x264",
        "--rates",
        "x264=30",
        "--out",
        tmp_path / "o",
    ]
    done = call(*words, "--no-report", "--no-pictures")
    assert done.code == 0
    assert "nvc: baseline aom left out: libaom-av1: not in this ffmpeg" in done.stderr
    assert [r["codec"] for r in lines(tmp_path / "o")] == ["x264"]


def test_pictures_as_a_source_and_several_jobs(tmp_path, call):
    info = video_info(32, 32, "rgb")
    write_video(tmp_path / "clip", info, moving_frames(info, 4))
    words = ["bench", tmp_path / "clip", *X264, "--jobs", 2, "--out", tmp_path / "out"]
    assert call(*words, "--no-report").code == 0
    records = lines(tmp_path / "out")
    assert {r["jobs"] for r in records} == {2}
    for record in records:
        assert record["chroma"] == "rgb"
        assert record["quality"]["psnr_yuv_db"] is None
        assert len(record["quality"]["psnr_planes_db"]) == 3
        assert 15 < record["quality"]["psnr_rgb_db"] < 60


def test_a_finished_encoding_is_not_redone(clip, tmp_path, call, monkeypatch):
    """The run ends between encoding and measuring."""
    from nvcodec.bench import point_work
    from nvcodec.errors import InterruptedEncodeError

    def stop(*_):
        raise InterruptedEncodeError("stopped")

    words = ["bench", clip, "--baselines", "x264", "--rates", "x264=30", "--out", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(point_work, "measure", stop)
        assert call(*words, "--no-report").code == 130
    (stored,) = tmp_path.glob("work/*/encoded.json")
    stored.write_text('{"ran": {"elapsed_s": 1234.5, "peak_bytes": 7}, "told": {}}')
    assert call(*words, "--no-report").code == 0
    (record,) = lines(tmp_path)
    assert (record["encode_s"], record["encode_peak_bytes"]) == (1234.5, 7)


@pytest.mark.slow
def test_pictures_coded_by_us(tmp_path, call):
    info = video_info(32, 32, "rgb")
    write_video(tmp_path / "clip", info, moving_frames(info, 4))
    words = ["bench", tmp_path / "clip", "--baselines", "", "-p", TINY, "--out", tmp_path / "out"]
    assert call(*words, "--no-report").code == 0
    (record,) = lines(tmp_path / "out")
    assert record["decode_command"].startswith("nvc decode out.nvc -o decoded ")
    assert len(record["quality"]["psnr_planes_db"]) == 3


def test_raw_files_named_as_uvgs(tmp_path, call):
    info = video_info(32, 16)
    for seed, name in enumerate(("Beauty", "Jockey")):
        path = tmp_path / "uvg" / f"{name}_32x16_120fps_420_8bit_YUV.yuv"
        path.parent.mkdir(exist_ok=True)
        write_video(path, info, moving_frames(info, 4, seed))
    out = tmp_path / "out"
    assert call("bench", tmp_path / "uvg", *X264, "--out", out, "--no-pictures").code == 0
    assert {r["frame_rate"] for r in lines(out)} == {"120/1"}
    assert len({r["input_digest"] for r in lines(out)}) == 2
    assert (out / "report" / "rd_average_psnr_rgb_db.svg").exists()
    path.write_bytes(path.read_bytes()[:-1])
    done = call("bench", tmp_path / "uvg", *X264, "--out", out)
    assert done.code == 3
    assert "3,071 bytes / 768 bytes a frame = 3.999 frames" in done.stderr


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_killed_and_started_again(clip, tmp_path, number):
    out = tmp_path / "out"
    words = ["bench", clip, *X264, "-p", f"tiny={TINY} --epochs 4000", "--out", out, "--no-report"]
    with subprocess.Popen(
        nvc_command(*words), env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if list(out.glob("work/*/out.nvc.job")):  # the two points before it are stored
                break
            time.sleep(0.05)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert "nvc: continue with: nvc bench" in said
        assert list(out.glob("work/*/out.nvc.job/*"))  # the encoding will continue
    stored = lines(out)
    assert [r["status"] for r in stored] == ["done", "done"]
    again = subprocess.run(
        nvc_command("bench", clip, *X264, "--out", out, "--no-report"),
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0
    assert lines(out) == stored


def test_what_is_unfinished_stays(clip, tmp_path, call):
    kept = tmp_path / "work" / "another-point" / "out.nvc.job"
    kept.mkdir(parents=True)
    words = ["bench", clip, "--baselines", "x264", "--rates", "x264=40,40", "--no-report"]
    assert call(*words, "--out", tmp_path, "--jobs", "2").code == 0
    assert len(lines(tmp_path)) == 1  # asked for twice
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["another-point"]
    assert kept.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--baselines", ""], 2, "neither a preset nor a baseline"),
        (["--baselines", "x266"], 2, "allowed are aom, svt-av1"),
        (["--rates", "x264=a"], 2, "expected numbers with commas"),
        (["--rates", "x264"], 2, "expected NAME=VALUE"),
        (["--dataset", "none"], 2, "data set 'none' is unknown"),
        (["-p", "hinervtiny"], 2, "did you mean"),
    ],
)
def test_refusals(clip, tmp_path, call, words, code, said):
    done = call("bench", clip, "--out", tmp_path / "out", *words)
    assert done.code == code
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_planning_loads_no_torch(clip, tmp_path):
    script = (
        "import sys\nfrom nvcodec.cli.app import app\n"
        f"sys.argv = ['nvc', 'bench', {str(clip)!r}, '-p', 'hinerv-tiny', '--dry-run', '--out', "
        f"{str(tmp_path)!r}]\n"
        "try:\n    app()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True,
        check=False, cwd=os.fspath(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_cluster_measures_the_same(bench, clip, tmp_path):
    pytest.importorskip("ray")
    out, _ = bench
    words = ["bench", clip, "-p", f"tiny={TINY}", *X264, "--out", tmp_path / "out", "--no-report"]
    done = subprocess.run(
        nvc_command(*words, "--jobs", "ray", "--no-pictures"),
        env=environment(), capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    def digests(folder):
        return {r["key"]: (r["coded_digest"], r["output_digest"]) for r in lines(folder)}

    assert digests(tmp_path / "out") == digests(out)
    assert {r["jobs"] for r in lines(tmp_path / "out")} == {"ray"}
    assert not (tmp_path / "out" / "work").exists()
