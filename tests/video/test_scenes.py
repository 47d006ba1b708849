"""Where scenes change, and segments that begin there."""

import itertools
import tempfile

import pytest
from video_helpers import make_info, smooth_frames

from nvcodec.errors import FfmpegError
from nvcodec.samples import Chroma
from nvcodec.segments import Segment, segments_at_cuts
from nvcodec.video.scenes import SceneDetector


def scenes(info, *lengths):
    """Smooth motion, in other light in each scene."""
    frames = []
    for number, length in enumerate(lengths):
        for planes in smooth_frames(info, length):
            frames.append(tuple((plane // 2 if number % 2 else plane) for plane in planes))
    return frames


@pytest.mark.parametrize(
    ("chroma", "depth"),
    [(Chroma.YUV420, 8), (Chroma.YUV444, 10), (Chroma.RGB, 8), (Chroma.GRAY, 8)],
)
def test_cuts_are_found_where_they_are(chroma, depth):
    info = make_info(66, 34, chroma, depth=depth)
    with SceneDetector(info) as detector:
        for planes in scenes(info, 7, 5, 9):
            detector.add(planes)
        found = detector.changes()
    assert [change.frame for change in found] == [7, 12]
    assert all(change.score >= 8 for change in found)


def test_motion_is_no_cut(tmp_path, monkeypatch):
    odd = tmp_path / "a,b;c[d]'e:f"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    info = make_info(66, 34)
    with SceneDetector(info) as detector:
        for planes in scenes(info, 20):
            detector.add(planes)
        assert detector.changes() == []


def test_an_ffmpeg_that_fails_is_said():
    info = make_info(66, 34)
    with SceneDetector(info, threshold=1000) as detector, pytest.raises(FfmpegError):
        fill(detector, info)


def fill(detector, info):
    for planes in smooth_frames(info, 400):
        detector.add(planes)
    detector.changes()


def test_an_ended_detector_leaves_nothing():
    with SceneDetector(make_info(66, 34)) as detector:
        child, folder = detector._child, detector._path.parent
    assert child.exit_code is not None
    assert not folder.exists()


@pytest.mark.parametrize(
    ("cuts", "longest", "lengths"),
    [
        ([], 40, [34, 33, 33]),
        ([30, 60], 40, [30, 30, 40]),
        ([30, 60], 100, [30, 30, 40]),
        ([60, 30, 35], 40, [30, 30, 40]),  # the less important one gives way
        ([2, 97, 50], 40, [25, 25, 25, 25]),  # too near to an end
        ([50], 8, [8, 7, 7, 7, 7, 7, 7] * 2),
        ([0, 100, 120, 50], 60, [50, 50]),
        ([1, 2, 3], 1, [1] * 100),
    ],
)
def test_segments_begin_at_cuts(cuts, longest, lengths):
    segments = segments_at_cuts(100, cuts, longest)
    assert sorted(s.num_frames for s in segments) == sorted(lengths)
    assert segments[0].start == 0
    assert segments[-1].stop == 100
    assert all(a.stop == b.start for a, b in itertools.pairwise(segments))
    kept = {s.start for s in segments}
    assert not cuts or kept & set(cuts) or min(cuts) < longest // 4


def test_of_several_cuts_the_most_important_count():
    assert segments_at_cuts(20, [9, 7, 12], 16) == [Segment(0, 9), Segment(9, 20)]
