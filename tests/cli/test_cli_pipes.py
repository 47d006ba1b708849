"""Pipes, full disks and exit codes, with real processes where they are the point."""

import os
import resource
import subprocess

import pytest
import torch

from codec_helpers import (
    TINY,
    assert_same_frames,
    decoded_planes,
    environment,
    nvc,
    nvc_command,
)
from nvcodec import errors
from nvcodec.cli import console
from nvcodec.cli.console import exit_code
from nvcodec.cli.process import Signalled
from nvcodec.container.header import DEFAULT_LIMITS
from nvcodec.container.reader import NvcReader
from nvcodec.errors import VerificationError
from nvcodec.outputs import check_written
from nvcodec.processes import ffmpeg_path
from nvcodec.video import open_video

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full here")


def psnr_by_ffmpeg(decoded: bytes, reference) -> list[float]:
    """PSNR of Y, U and V, as the `psnr` filter has it."""
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", "-i", "pipe:0", "-i", str(reference)]
    command[1:2] = []  # it does read standard input here
    command += ["-lavfi", "psnr", "-f", "null", "-"]
    done = subprocess.run(command, input=decoded, capture_output=True, check=True, timeout=60)
    line = done.stderr.decode().split("PSNR y:")[1]
    words = ("y:" + line).split()[:3]
    return [float(word.split(":")[1]) for word in words]


def test_the_quality_printed_is_what_ffmpeg_measures_on_the_decoded_video(clip, encoding):
    encoded, records = encoding
    done = nvc("decode", "-", "-o", "-", "-q", stdin=encoded.read_bytes())
    assert (done.code, done.stderr) == (0, "")
    measured = psnr_by_ffmpeg(done.stdout, clip)
    assert records[-1]["psnr_planes_db"] == pytest.approx(measured, abs=0.02)
    y, u, v = measured
    assert records[-1]["psnr_yuv_db"] == pytest.approx((6 * y + u + v) / 8, abs=0.02)


def test_json_lines_of_an_encoding(encoding):
    encoded, records = encoding
    segments = [r for r in records if r["event"] == "segment"]
    assert [r["frames"] for r in segments] == [[0, 2], [2, 5], [5, 8]]  # even lengths
    assert all(
        set(r)
        == {
            "event", "segment", "frames", "parameters", "gmac_per_frame", "predicted_bytes",
            "predicted_memory_bytes", "resumed",
        }
        for r in segments
    )  # fmt: skip
    fits = [r for r in records if r["event"] == "fit"]
    assert {"segment", "stage", "step", "num_steps", "loss", "eta_s", "psnr_db"} <= set(fits[-1])
    done = records[-1]
    assert done["event"] == "done"
    assert done["size_bytes"] == encoded.stat().st_size
    assert done["rate_bpp"] == pytest.approx(8 * encoded.stat().st_size / (8 * 32 * 32))
    assert {"num_frames", "num_segments", "bitrate_kbps", "fit_s", "decode_s"} <= set(done)
    assert {"psnr_rgb_db", "psnr_planes_db", "psnr_yuv_db", "ms_ssim_rgb"} <= set(done)


def test_both_ends_of_encode_may_be_pipes(call, clip, tmp_path):
    """And the bytes are those that another process writes to a file."""
    done = nvc("encode", "-", "-o", "-", "-p", TINY, "--json", stdin=clip.read_bytes())
    assert done.code == 0, done.stderr
    assert '"event": "done"' in done.stderr.splitlines()[-1]
    assert call("encode", clip, "-o", tmp_path / "file.nvc", "-p", TINY, "-q").code == 0
    assert done.stdout == (tmp_path / "file.nvc").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"file.nvc"}


def test_decode_to_files(call, encoded, tmp_path):
    frames = decoded_planes(encoded)
    done = call("decode", encoded, "-o", tmp_path / "out.y4m", "--json")
    assert done.records == [
        {"event": "done", "frames": 8, "elapsed_s": done.records[0]["elapsed_s"], "damage": []}
    ]
    with open_video(tmp_path / "out.y4m") as video:
        assert_same_frames(list(video), frames)
    assert call("decode", encoded, "-o", tmp_path / "out_32x32_25fps.yuv", "-q").code == 0
    with open_video(tmp_path / "out_32x32_25fps.yuv") as video:
        assert_same_frames(list(video), frames)
    assert call("decode", encoded, "-o", tmp_path / "pictures", "-q").code == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 8
    assert call("decode", encoded, "-o", tmp_path / "pictures", "-q").code == 4
    assert call("decode", encoded, "-o", tmp_path / "pictures", "-q", "-y").code == 0
    assert call("decode", encoded, "-o", tmp_path / "out.xyz").code == 3


def test_a_reader_that_leaves_ends_the_decoding_quietly(encoded):
    with subprocess.Popen(
        nvc_command("decode", encoded, "-o", "-"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 4
    assert "Traceback" not in said
    assert "Broken" not in said


@needs_full
def test_a_full_disk_behind_standard_output(encoded):
    with open(FULL, "wb") as full:
        done = nvc("info", encoded, stdout=full)
        assert done.code == 4
        assert "No space left" in done.stderr
        assert "Traceback" not in done.stderr
        done = nvc("decode", encoded, "-o", "-", "-q", stdout=full)
    assert done.code == 4
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@needs_full
def test_a_full_device_as_output(call, clip):
    done = call("encode", clip, "-o", FULL, "-p", TINY, "--epochs", 3, "-q")
    assert done.code == 4
    assert "No space left" in done.stderr
    assert "continue" not in done.stderr
    assert not os.path.exists(f"{FULL}.job")


def test_a_disk_that_is_full_and_then_has_room(call, clip, encoded, tmp_path):
    """A limit on the size of files stands for the disk; the same command goes on where it was."""
    target, room = tmp_path / "x.nvc", encoded.stat().st_size - 500
    words = ("encode", clip, "-o", target, "-p", TINY, "--segment-frames", 3, "--json")
    done = nvc(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    assert done.code == 4
    assert "File too large" in done.stderr
    assert "continue with: nvc encode" in done.stderr
    assert not target.exists()
    part, job = tmp_path / "x.nvc.part", tmp_path / "x.nvc.job"
    assert job.is_dir()
    kept = part.read_bytes()
    assert len(kept) > 2000  # whole segments
    done = call(*words)
    assert done.code == 0
    assert [r["segment"] for r in done.records if r["event"] == "segment"] == [2]
    assert target.read_bytes().startswith(kept)
    assert target.read_bytes() == encoded.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"x.nvc"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a bug"), 1),
        (errors.DivergedError("x"), 1),
        (errors.PresetError("x"), 2),
        (errors.ResumeError("x"), 2),
        (errors.UnsupportedVideoError("x"), 3),
        (errors.FfmpegError("x"), 3),
        (errors.ToolMissingError("x"), 3),
        (errors.OutputError("x"), 4),
        (BrokenPipeError(), 4),
        (OSError(28, "No space left on device"), 4),
        (errors.NotAnNvcFileError("x"), 5),
        (errors.ChecksumError("x"), 5),
        (errors.MalformedError("x"), 5),
        (errors.TruncatedError("x"), 6),
        (MemoryError(), 7),
        (torch.OutOfMemoryError("CUDA out of memory"), 7),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 7),
        (errors.VerificationError("x"), 8),
        (errors.UnsupportedVersionError("x"), 9),
        (errors.LimitError("x"), 10),
        (KeyboardInterrupt(), 130),
        (Signalled(15), 143),
        (Signalled(1), 129),
    ],
)
def test_every_error_has_its_exit_code(error, code, capsys):
    assert console.exit_code(error) == code
    if isinstance(error, RuntimeError) and code == 1:
        with pytest.raises(RuntimeError):
            console.report(error)
    else:
        assert console.report(error) == code
        assert capsys.readouterr().err.count("\n") == (not isinstance(error, BrokenPipeError))


def test_an_internal_error_ends_with_1(call, clip, tmp_path):
    rate = "fitting.optimizer.learning_rate=1e30"
    done = call("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY, "--set", rate, "-q")
    assert done.code == 1
    assert "lower the learning rate" in done.stderr
    assert not (tmp_path / "x.nvc").exists()


def test_memory_that_is_not_there_ends_with_7(call, clip, tmp_path, monkeypatch):
    from nvcodec import segment_encoder

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(segment_encoder, "build", fail)
    done = call("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY, "-q")
    assert (done.code, done.stderr) == (7, "nvc: MemoryError\n")


def test_a_file_that_lost_its_integers_ends_with_8(encoded):
    with NvcReader(encoded) as reader:
        digests = [segment.digest for segment in reader.segments()]
    check_written(encoded, digests, 8, DEFAULT_LIMITS)
    for wrong, count in (([b"0" * 16, *digests[1:]], 8), (digests[:-1], 8), (digests, 9)):
        with pytest.raises(VerificationError, match="does not hold the") as caught:
            check_written(encoded, wrong, count, DEFAULT_LIMITS)
        assert exit_code(caught.value) == 8
