"""`nvc decode --workers`: the same frames, by several processes; nothing is left behind."""

import tempfile

import pytest

from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_ROUND,
    moving_frames,
    video_info,
    write_video,
)
from nvcodec.cli import decode_workers
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.presets import load_preset


@pytest.fixture
def short_runs(monkeypatch, tmp_path):
    """Runs of two frames; whatever is begun lies in a folder of this test."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(decode_workers, "RUN_FRAMES", 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield
    assert list((tmp_path / "tmp").glob("nvc-*")) == []


def coded(folder, preset=TINY_ROUND, info=None, num_frames=9, **settings):
    info = info or video_info()
    clip = write_video(folder / "in.y4m", info, moving_frames(info, num_frames))
    how = EncodeOptions(**{"segment_frames": 4, "verify": False, **settings})
    encode(clip, folder / "in.nvc", load_preset(preset, epochs=3), how)
    return folder / "in.nvc"


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(
    ("preset", "depth", "settings", "words"),
    [
        (TINY_ROUND, 8, {"gop": 3}, ()),
        pytest.param(TINY_LATENTS, 8, {}, ("--frames", "2:8"), marks=pytest.mark.slow),
        pytest.param(TINY, 10, {"segment_frames": 9}, ("--start", "0.1"), marks=pytest.mark.slow),
    ],
)
def test_the_same_frames(tmp_path, call, preset, depth, settings, words):
    path = coded(tmp_path, preset, video_info(33, 18, depth=depth), **settings)
    one, two = tmp_path / "1.y4m", tmp_path / "2.y4m"
    assert call("decode", path, "-o", one, *words, "--threads", 1).code == 0
    done = call("decode", path, "-o", two, *words, "--workers", 2, "--threads", 2)
    assert done.code == 0, done.stderr
    assert two.read_bytes() == one.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("short_runs")
def test_damage_is_said_as_ever(tmp_path, call):
    path = coded(tmp_path)
    data = bytearray(path.read_bytes())
    data[-400] ^= 1  # in the last segment
    path.write_bytes(data)
    one = call("decode", path, "-o", tmp_path / "1.y4m", "-q")
    two = call("decode", path, "-o", tmp_path / "2.y4m", "-q", "--workers", 2)
    assert (two.code, two.stderr) == (one.code, one.stderr)
    assert two.code != 0
    assert not (tmp_path / "2.y4m").exists()


@pytest.mark.usefixtures("short_runs")
def test_what_one_process_decodes(tmp_path, call):
    path = coded(tmp_path, TINY, video_info(chroma="444"))
    for words in (["-o", tmp_path / "a.y4m", "--keep-going"],):
        done = call("decode", path, *words, "--workers", 2)
        assert done.code == 3
        assert "several workers decode whole files alone" in done.stderr


def test_runs_end_with_segments_or_inside_long_ones(monkeypatch, tmp_path):
    from nvcodec.decoder import Decoder

    monkeypatch.setattr(decode_workers, "RUN_FRAMES", 3)
    path = coded(tmp_path, TINY, num_frames=20, segment_frames=10)
    with Decoder(path) as decoder:
        runs = list(decode_workers._runs(decoder))
        assert [tuple(run) for run in runs] == [(0, 5), (5, 10), (10, 15), (15, 20)]
        decoder.select(slice(4, 11))
        runs = list(decode_workers._runs(decoder))
        assert [tuple(run) for run in runs] == [(4, 10), (10, 11)]
