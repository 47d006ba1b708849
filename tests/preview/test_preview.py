"""The picture of an encoding at work: what is in it, when it is replaced, and when it cannot be."""

import warnings

import numpy as np
import pytest

import nvcodec
from codec_helpers import TINY, TINY_LATENTS, write_y4m
from nvcodec.encode_types import FrameShown, SegmentFitting
from nvcodec.errors import InterruptedEncodeError, OutputError
from nvcodec.png import png
from nvcodec.preview import MARK, Preview, PreviewWarning, check_preview
from nvcodec.preview.drawing import difference, fitted, plot, text_width, write
from nvcodec.video import open_video


def read(path):
    """A picture as ffmpeg reads it."""
    folder = path.with_suffix(".pictures")
    folder.mkdir(exist_ok=True)
    (folder / "0.png").write_bytes(path.read_bytes())
    with open_video(folder) as video:
        (planes,) = list(video)
    return np.stack(planes, axis=-1) if len(planes) == 3 else planes[0]


@pytest.mark.parametrize("size", [(1, 1), (17, 31)])
def test_others_read_our_png(tmp_path, size):
    picture = np.random.default_rng(0).integers(0, 256, (16 * size[0], 16 + size[1], 3), np.uint8)
    (tmp_path / "a.png").write_bytes(png(picture, MARK))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), picture)


def test_pictures_are_made_to_fit():
    small, large = np.zeros((16, 40, 3), np.uint8), np.full((1000, 300, 3), 7, np.uint8)
    assert fitted(small, 100).shape == (32, 80, 3)
    assert fitted(large, 480).shape == (333, 100, 3)
    assert (fitted(large, 480) == 7).all()


@pytest.mark.parametrize(("error", "times"), [(1, 16), (4, 8), (100, 1)])
def test_a_difference_says_how_much_it_is_amplified(error, times):
    source = np.full((8, 8, 3), 100, np.uint8)
    picture, seen = difference(source, source + np.uint8(error))
    assert seen == times
    assert (picture == min(128 + times * error, 255)).all()


def test_words_and_curves_are_cut_off_where_there_is_no_room():
    canvas = np.zeros((120, 300, 3), np.uint8)
    write(canvas, 290, 110, "frame 7: 31.20 dB")
    assert canvas.any()
    assert text_width("dB") == 24
    for points in ([], [(0.0, 30.0)], [(1.0, 20.0), (500.0, 31.25), (7000.0, 31.5)]):
        plot(canvas, points, "s", "PSNR")


def test_a_picture_appears_and_only_ours_is_replaced(clip, tmp_path):
    path, seen = tmp_path / "p.png", []
    check_preview(path, overwrite=False)
    preview = Preview(path)

    def watch(event):
        preview(event)
        seen.append(event)

    report = nvcodec.encode(clip, tmp_path / "a.nvc", TINY, show_frames=True, on_event=watch)
    shown = [event for event in seen if isinstance(event, FrameShown)]
    assert {event.frame for event in shown if not event.is_final} == {4}
    final = [event for event in shown if event.is_final]
    assert [event.frame for event in final] == list(range(8))
    assert [event.psnr_db for event in final] == list(report.frames_psnr_db)
    for event in shown:
        assert event.source.shape == event.decoded.shape == (32, 32, 3)
        assert event.source.dtype == event.decoded.dtype == np.uint8
    # What is shown at the end of fitting is what is decoded in the end.
    np.testing.assert_array_equal(shown[-9].decoded, final[4].decoded)
    picture = read(path)
    assert picture.shape == (480 + 280, 3 * 492 + 12, 3)
    panel = picture[68 : 68 + 480, 12 : 12 + 480]
    np.testing.assert_array_equal(panel[::15, ::15], final[4].source)
    check_preview(path, overwrite=False)
    path.write_bytes(png(picture))
    with pytest.raises(OutputError, match="exists"):
        check_preview(path, overwrite=False)


def test_nobody_asked_nobody_is_shown(clip, tmp_path):
    seen = []
    nvcodec.encode(clip, tmp_path / "a.nvc", TINY, on_event=seen.append)
    assert not [event for event in seen if isinstance(event, FrameShown)]


def test_an_encoding_is_not_lost_with_its_picture(clip, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    preview, seen = Preview(folder / "p.png"), []

    def watch(event):
        if isinstance(event, SegmentFitting) and folder.exists():
            folder.rmdir()
        seen.append(event)
        preview(event)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = nvcodec.encode(
            clip, tmp_path / "a.nvc", TINY, segment_frames=4, show_frames=True, on_event=watch
        )
    assert report.num_frames == 8
    ours = [w for w in caught if issubclass(w.category, PreviewWarning)]
    assert len(ours) == 1
    assert "cannot be written: No such file" in str(ours[0].message)


@pytest.mark.slow
def test_frame_by_frame_the_frame_at_work_is_shown(tmp_path):
    clip, seen = write_y4m(tmp_path / "two.y4m", num_frames=2), []

    def stop():
        return any(isinstance(event, FrameShown) for event in seen)

    with pytest.raises(InterruptedEncodeError):
        nvcodec.encode(
            clip, tmp_path / "a.nvc", TINY_LATENTS, overrides=["stages.0.epochs=1"],
            show_frames=True, should_stop=stop, on_event=seen.append,
        )  # fmt: skip
    (shown,) = [event for event in seen if isinstance(event, FrameShown)]
    assert shown.frame == 1  # coded last
