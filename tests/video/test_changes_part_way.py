"""Ranges are counted over the whole source; what changes part way is refused with its number."""

import os
import subprocess
import warnings

import numpy as np
import pytest

from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.processes import ffmpeg_path
from nvcodec.video import VideoWarning, open_video

HALF = 6
"""Frames before a change, and after it; the luma of frame n is 20 + 10 n."""


def part(path, start, size="64x48", tags="range=tv", *encoder):
    """Frames from `start` on, each of one luma."""
    luma = f"geq=lum='{20 + 10 * start}+10*N':cb=128:cr=128"
    source = f"color=black:s={size}:r=25:d={HALF / 25},format=yuv420p,{luma},setparams={tags}"
    command = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", source, *encoder, str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


BT709 = "range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
BT601 = "range=tv:colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"
X264 = ("-c:v", "libx264", "-qp", "0", "-g", "1")
INTERLACED = (*X264, "-flags", "+ildct+ilme")
TFF, BFF = "range=tv:field_mode=tff", "range=tv:field_mode=bff"
FIRST = {
    "matrix": BT709,
    "range": BT709,
    "primaries": BT709,
    "transfer": BT709,
    "hd": BT709,
    "tagged": BT601,
    "full": BT601,
}
SECOND = {
    "same": ("64x48", "range=tv", *X264),
    "size": ("96x72", "range=tv", *X264),
    "matrix": ("64x48", BT601, *X264),
    "range": ("64x48", BT709.replace("range=tv", "range=pc"), *X264),
    "scan": ("64x48", TFF, *INTERLACED),
}
MORE = {
    "wider": ("96x48", "range=tv", *X264),
    "higher": ("64x96", "range=tv", *X264),
    "smaller": ("32x24", "range=tv", *X264),
    "turned": ("48x64", "range=tv", *X264),
    "square": ("64x64", "range=tv", *X264),
    "much larger": ("192x144", "range=tv", *X264),
    "bottom first": ("64x48", BFF, *INTERLACED),
    "larger interlaced": ("96x72", TFF, *INTERLACED),
    "primaries": ("64x48", BT709.replace("primaries=bt709", "primaries=bt470bg"), *X264),
    "transfer": ("64x48", BT709.replace("trc=bt709", "trc=smpte170m"), *X264),
    "hd": ("96x72", BT601, *X264),
    "tagged": ("64x48", BT709, *X264),
    "full": ("64x48", BT601.replace("range=tv", "range=pc"), *X264),
    "full and larger": ("96x72", "range=pc", *X264),
    "tagged and smaller": ("32x24", BT601, *X264),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("changes")
    found = {}
    for name, (size, tags, *encoder) in (SECOND | MORE).items():
        first = FIRST.get(name, "range=tv")
        path = folder / f"{name}.ts"
        path.write_bytes(
            part(folder / "1.ts", 0, "64x48", first, *X264)
            + part(folder / "2.ts", HALF, size, tags, *encoder)
        )
        found[name] = path
    return found


def lumas(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        with open_video(path, **options) as video:
            return [round((float(np.mean(planes[0])) - 20) / 10) for planes in video]


RANGES = (slice(0, 4), slice(2, 5), slice(0, HALF), slice(5, 6), slice(1, 2))


@pytest.mark.parametrize("name", list(SECOND))
def test_a_range_before_the_change(sources, name):
    for frames in RANGES:
        assert lumas(sources[name], frames=frames) == list(range(frames.start, frames.stop))


@pytest.mark.parametrize("name", ["size", "matrix", "range", "scan"])
def test_a_range_over_the_change_is_refused_with_its_number(sources, name):
    for frames in (None, slice(2, 9), slice(0, HALF + 1), slice(HALF + 2, None)):
        number = HALF if frames is None or frames.start < HALF else frames.start
        with pytest.raises(UnsupportedVideoError, match=f"frame {number} (is|has)"):
            lumas(sources[name], frames=frames)


@pytest.mark.parametrize("name", list(MORE))
def test_every_change_is_seen(sources, name):
    """Twenty sources in all: a range before it is right, one over it is refused."""
    for frames in (slice(0, HALF), slice(3, 5)):
        assert lumas(sources[name], frames=frames) == list(range(frames.start, frames.stop))
    with pytest.raises(UnsupportedVideoError, match=f"frame {HALF} (is|has)"):
        lumas(sources[name], frames=slice(2, 9))


def test_sizes_that_change_can_be_scaled_to_one(sources):
    for frames in (slice(2, 9), slice(8, 10), slice(0, 12)):
        found = lumas(sources["size"], frames=frames, scale=(32, 32))
        assert found == list(range(frames.start, frames.stop))


def test_ranges_of_what_does_not_change(sources):
    assert lumas(sources["same"]) == list(range(2 * HALF))
    for frames in (slice(2, 9), slice(8, 10), slice(7, None), slice(0, 99)):
        expected = list(range(2 * HALF))[frames]
        assert lumas(sources["same"], frames=frames) == expected
    with pytest.raises(VideoError, match="none in the range"):
        lumas(sources["same"], frames=slice(12, 14))


def test_by_pipe(sources):
    with sources["size"].open("rb") as stream:
        assert lumas(stream, frames=slice(2, 5)) == [2, 3, 4]
    with (
        sources["scan"].open("rb") as stream,
        pytest.raises(UnsupportedVideoError, match="frame 6"),
    ):
        lumas(stream)


def test_the_line_that_deinterlaces_can_be_pasted(sources, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "ffmpeg").symlink_to(ffmpeg_path())
    with pytest.raises(UnsupportedVideoError, match="interlaced") as refused:
        lumas(sources["scan"])
    line = str(refused.value).partition("first: ")[2]
    subprocess.run(line, shell=True, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert len(lumas(tmp_path / "progressive.mkv")) >= 12


def said(path, **options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", VideoWarning)
        with open_video(path, **options) as video:
            count = len(list(video))
    return count, [str(w.message) for w in seen]


def test_metadata_that_looks_like_a_log(tmp_path):
    path = tmp_path / "meta.mkv"
    words = ["-metadata", "title=[error] all is lost", "-metadata", "comment=Stream #0:7: Audio: x"]
    part(path, 0, "64x48", "range=tv", "-c:v", "ffv1", *words)
    assert said(path) == (HALF, [])


@pytest.mark.parametrize("name", ["a.pgm", "a.tif", "a.avi", "a.png"])
def test_grey_is_full_range_where_nothing_else_is_stated(tmp_path, name):
    ramp = "nullsrc=s=64x48:d=0.04,format=gray,geq=lum='X*4'"
    words = ["-c:v", "rawvideo"] if name.endswith("avi") else []
    command = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", ramp, "-frames:v", "1", *words]
    subprocess.run([*command, str(tmp_path / name)], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        with open_video(tmp_path / name) as video:
            (planes,) = video
    assert video.info.color.range == "full"
    assert planes[0][0].tolist() == list(range(0, 256, 4))


def test_pictures_by_themselves(tmp_path):
    """Hidden ones are left out, a bad one is named, gaps are told."""
    for number in (1, 2, 5):
        part(tmp_path / f"f{number:03}.png", number, "64x48", "range=tv", "-frames:v", "1")
    (tmp_path / "._f001.png").write_bytes(b"\0\5\x16\7" + bytes(28))
    count, texts = said(tmp_path)
    assert count == 3
    assert texts == [
        f"{tmp_path}: 2 numbers left out",
        f"{tmp_path}: no frame rate given, taken as 25",
    ]
    whole = (tmp_path / "f002.png").read_bytes()
    for content, why in ((b"", "is empty"), (whole[:-20], "is cut off"), (b"GIF89a", "no picture")):
        (tmp_path / "f002.png").write_bytes(content)
        with pytest.raises(VideoError, match=rf"f002\.png: is {why}|f002\.png: {why}"):
            lumas(tmp_path)


def test_descriptors_as_names(sources):
    with sources["same"].open("rb") as stream:
        assert lumas(f"/dev/fd/{stream.fileno()}") == list(range(2 * HALF))
    ends = os.pipe()
    with open(ends[1], "wb") as end:
        end.write(sources["same"].read_bytes())
    assert lumas(f"/dev/fd/{ends[0]}") == list(range(2 * HALF))
    os.close(ends[0])
