"""When frames are shown: read exactly, cut exactly, written as exactly as a container can."""

import subprocess
import warnings
from fractions import Fraction

import pytest
from video_helpers import make_frames, make_info, smooth_frames

from nvcodec.errors import VideoError
from nvcodec.processes import ffmpeg_path
from nvcodec.samples import MasteringDisplay
from nvcodec.times import FrameTimes
from nvcodec.video import Chroma, ColorTags, VideoWarning, create_video, open_video, timed

MS = Fraction(1, 1000)
UNEVEN = [0, 40, 80, 120, 160, 200, 700, 1200, 1700, 2200]


def made(path, times, rate="25"):
    """A file whose frame N is shown at so many ms."""
    source = f"testsrc=s=32x32:r={rate}:d=0.4,settb=1/1000,setpts={times}"
    words = f"-v error -y -f lavfi -i {source} -fps_mode passthrough -copyts".split()
    words += ["-enc_time_base", "1/1000", "-c:v", "ffv1", str(path)]
    subprocess.run([ffmpeg_path(), *words], check=True, stdin=subprocess.DEVNULL)
    return path


def read(path, **options):
    """Number of frames, times, and the reader's cut."""
    with open_video(path, **options) as video:
        count = sum(1 for _ in video)
        ((num_frames, times),) = video.times
        assert num_frames == count
        return count, times, video.cut


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    times = r"if(lt(N\,5)\,N*40\,200+(N-5)*500)"
    return made(tmp_path_factory.mktemp("vfr") / "vfr.mkv", times)


@pytest.mark.parametrize(
    ("options", "expected", "cut"),
    [
        ({}, UNEVEN, None),
        ({"frames": slice(0, 3)}, None, (0, Fraction(12, 100))),
        ({"frames": slice(4, 7)}, [0, 40, 540], (Fraction(16, 100), Fraction(74, 100))),
        ({"between": (Fraction(16, 100), Fraction(12, 10))}, [0, 40, 540], None),
        ({"between": (Fraction(0), Fraction("0.201"))}, None, None),
        ({"between": (Fraction(1), None)}, [0, 500, 1000], None),
        ({"frame_rate": Fraction(10)}, None, None),
        ({"frame_rate": Fraction(10), "between": (Fraction(1, 2), Fraction(1))}, None, None),
        ({"scale": (16, 16)}, UNEVEN, None),
    ],
)
def test_times_are_read_exactly(uneven, options, expected, cut):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count, times, seen = read(uneven, **options)
    if expected is not None:
        assert (times.base, times.ticks.tolist(), count) == (MS, expected, len(expected))
    else:
        assert times is None
    if cut is not None:
        assert seen == cut


def test_what_is_even_pays_nothing(tmp_path):
    """A container's rounding is no time of its own, wherever the video is cut."""
    path = made(tmp_path / "a.mkv", "PTS", "30000/1001")
    for options in ({}, {"frames": slice(4, 8)}):
        with open_video(path, **options) as video:
            list(video)
            assert video.info.frame_rate == Fraction(30000, 1001)
            assert video.times[0][1] is None


def test_a_start_behind_that_of_the_file_is_kept(tmp_path):
    path = made(tmp_path / "a.mkv", "N*40+500")
    late = tmp_path / "late.mkv"
    words = f"-v error -y -copyts -i {path} -f lavfi -i sine=d=1 -map 0 -map 1 -c:v copy {late}"
    subprocess.run([ffmpeg_path(), *words.split()], check=True, stdin=subprocess.DEVNULL)
    _, times, _ = read(late)
    assert times.ticks.tolist() == [500 + 40 * n for n in range(10)]
    _, times, cut = read(late, frames=slice(1, 3))
    assert (times, cut) == (None, (Fraction(54, 100), Fraction(62, 100)))


def test_times_of_a_raw_video_are_those_of_its_rate(tmp_path):
    info = make_info(16, 16, frame_rate=Fraction(10))
    with create_video(tmp_path / "a.y4m", info) as video:
        for planes in smooth_frames(info, 10):
            video.write(planes)
    assert read(tmp_path / "a.y4m", between=(Fraction(3, 10), Fraction("0.61"))) == (4, None, None)
    with pytest.raises(VideoError, match="frames 20:30 asked for, it has 10"):
        read(tmp_path / "a.y4m", between=(Fraction(2), Fraction(3)))


TIMES = FrameTimes.of(Fraction(1, 600), [5, 20, 40, 61, 100, 101, 150], 10)


@pytest.mark.parametrize(
    ("name", "codec", "chroma", "base"),
    [
        ("a.mp4", None, Chroma.YUV420, TIMES.base),
        ("a.mov", None, Chroma.YUV444, TIMES.base),
        ("a.mkv", "ffv1", Chroma.RGB, MS),
        ("a.mkv", "ffv1", Chroma.GRAY, MS),
        ("a.mp4", "svt-av1", Chroma.YUV420, TIMES.base),
        ("a.webm", None, Chroma.YUV422, MS),
    ],
)
def test_times_are_written_as_exactly_as_the_container_can(tmp_path, name, codec, chroma, base):
    info = make_info(64, 64, chroma)
    with create_video(tmp_path / name, info, codec=codec, times=TIMES) as video:
        for planes in smooth_frames(info, len(TIMES)):
            video.write(planes)
    # Its own start is the file's, and ffmpeg counts from there: the first time is looked up apart.
    with open_video(tmp_path / name) as video:
        assert len(list(video)) == len(TIMES)
        ((_, times),) = video.times
    assert times.base == base
    first = round(TIMES.seconds_at(0) / base)
    assert times.ticks.tolist() == [round(s / base) - first for s in TIMES.seconds()]


def test_times_and_hdr_go_together(tmp_path):
    display = MasteringDisplay(34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10000000, 50)
    color = ColorTags("limited", 9, 16, 9)
    info = make_info(64, 64, depth=10, color=color, mastering_display=display)
    with create_video(tmp_path / "a.mp4", info, codec="x265", times=TIMES) as video:
        for planes in make_frames(info, len(TIMES)):
            video.write(planes)
    with open_video(tmp_path / "a.mp4") as video:
        assert len(list(video)) == len(TIMES)
        assert video.info.mastering_display == display
        ((_, times),) = video.times
    assert (times.base, times.ticks) == (TIMES.base, TIMES.from_first().ticks)


@pytest.mark.parametrize("name", ["a.y4m", "a.avi", "folder"])
def test_what_cannot_keep_times_says_so(tmp_path, name):
    info = make_info(64, 64)
    with pytest.warns(VideoWarning, match=f"{name}: keeps no times of frames"):
        video = create_video(tmp_path / name, info, times=TIMES)
    with video:
        for planes in smooth_frames(info, len(TIMES)):
            video.write(planes)


@pytest.mark.parametrize("sign", [1, -1])
def test_times_beyond_64_bits_are_refused(sign):
    ticks = sorted(sign * n for n in (2**52, 2**52 + 1))
    far = timed.headers(make_info(64, 64), FrameTimes.of(Fraction(2**31 - 1, 3), ticks))
    with pytest.raises(VideoError, match=r"times of up to 3.22e\+24 s"):
        next(far)
