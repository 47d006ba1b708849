"""Bright, flat content is fitted; a picture that stays without content is said and tried again."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from codec_helpers import TINY
from nvcodec import segment_work
from nvcodec.container.chunks import FRAMING_SIZE
from nvcodec.container.reader import NvcReader
from nvcodec.encode_types import EncodeOptions
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError
from nvcodec.goals import Goal
from nvcodec.metrics.quality import flat_psnr_db
from nvcodec.presets import load_preset
from nvcodec.samples import Chroma
from nvcodec.segment_work import FlatWarning
from nvcodec.video import create_video
from nvcodec.video.info import ColorTags, VideoInfo

INFO = VideoInfo(48, 32, Chroma.YUV444, num_frames=4, color=ColorTags("full"))
GRAY = np.full((32, 48), 128, np.uint8)


def frames(kind):
    found = []
    for t in range(4):
        luma = np.full((32, 48), 0 if kind == "dots" else 255, np.uint8)
        if kind == "title":
            luma[8:24, 6 + 2 * t : 36 + 2 * t] = 0
        elif kind == "text":
            luma[4:28:4, 5 + t : 38 + t] = 20
        elif kind == "dots":
            luma[4:28:8, 6 + t : 44 : 8] = 255
            luma[5:29:8, 6 + t : 44 : 8] = 255
        found.append((luma, GRAY, GRAY))
    return found


def write(path, planes):
    with create_video(path, INFO) as video:
        for frame in planes:
            video.write(frame)
    return path


CASES = [
    *(("hinerv-tiny", kind, 40) for kind in ("title", "text", "dots")),
    *(("nerv-tiny", kind, 60) for kind in ("title", "text", "dots")),
    *(("coin-mlp", kind, 100) for kind in ("title", "text", "dots")),
    # Plain networks are slow to learn what is small; white strokes were never learned before.
    *(("weightstep-cnn-single-stage", kind, 120) for kind in ("title", "text")),
    *(("weightstep-mlp-single-stage", kind, 150) for kind in ("title", "text")),
    ("nvrc-tiny", "title", 60),
]


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "kind", "epochs"), CASES)
def test_every_family_fits_what_is_bright_or_black(tmp_path, preset, kind, epochs):
    planes = frames(kind)
    clip = write(tmp_path / "a.y4m", planes)
    report = encode(clip, tmp_path / "a.nvc", load_preset(preset, [], epochs), EncodeOptions())
    assert report.quality.psnr_rgb_db >= flat_psnr_db(planes, INFO) + 5


def noise():
    generator = np.random.default_rng(0)
    return [(generator.integers(0, 256, (32, 48), np.uint8), GRAY, GRAY) for _ in range(4)]


@pytest.mark.slow
def test_a_flat_picture_is_said_and_tried_again(tmp_path):
    clip = write(tmp_path / "a.y4m", noise())
    loaded = load_preset(TINY, [], 130)
    with pytest.warns(
        FlatWarning, match=r"segment 0: .* without content has .*; it is tried again"
    ):
        encode(clip, tmp_path / "whole.nvc", loaded, EncodeOptions())
    # The second fitting survives a stop too, with the same bytes.
    stops, count = 0, 0

    def should_stop():
        nonlocal count
        count += 1
        return count > 420

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FlatWarning)
        while not (tmp_path / "b.nvc").exists():
            count = 0
            try:
                encode(clip, tmp_path / "b.nvc", loaded, EncodeOptions(), should_stop=should_stop)
            except InterruptedEncodeError:
                stops += 1
    assert stops >= 1
    assert (tmp_path / "b.nvc").read_bytes() == (tmp_path / "whole.nvc").read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"a.y4m", "b.nvc", "whole.nvc"}
    with NvcReader(tmp_path / "b.nvc") as reader:
        assert len(list(reader.segments())) == 1


def test_a_short_fitting_is_only_said(tmp_path):
    clip = write(tmp_path / "a.y4m", noise())
    with pytest.warns(FlatWarning) as seen:
        encode(clip, tmp_path / "a.nvc", load_preset(TINY, [], 4), EncodeOptions())
    assert "tried again" not in str(seen[0].message)


@pytest.mark.parametrize(("limit", "kept"), [(150, 20), (250, 30), (50, 20), (None, 30)])
def test_of_two_tries_one_within_the_size_counts(limit, kept, monkeypatch):
    monkeypatch.setattr(segment_work, "_psnr_db", lambda _, result: result.psnr_db)
    task = SimpleNamespace(goal=limit and Goal(size_bytes=limit + FRAMING_SIZE))
    tries = [
        SimpleNamespace(psnr_db=20, coded=SimpleNamespace(pack=lambda: bytes(100))),
        SimpleNamespace(psnr_db=30, coded=SimpleNamespace(pack=lambda: bytes(200))),
    ]
    assert max(tries, key=lambda one: segment_work._worth(task, one)).psnr_db == kept


def test_a_constant_source_is_no_fault(tmp_path):
    clip = write(tmp_path / "a.y4m", [(GRAY + 100, GRAY, GRAY)] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FlatWarning)
        encode(clip, tmp_path / "a.nvc", load_preset("coin-mlp", [], 60), EncodeOptions())
