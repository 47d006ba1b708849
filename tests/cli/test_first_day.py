"""What people type on their first day, as they type it, in a shell; each works or says what to do.

Everything that is typed here runs on a clip of 21 frames of 64x48 with sound, one frame a second;
a file of defaults (`NVC_CONFIG`) makes it short.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codec_helpers import TINY, TINY_ROUND, environment
from nvcodec.processes import ffmpeg_path, run

pytestmark = pytest.mark.slow

DEFAULTS = f"""
[encode]
preset = "{TINY}"
[refine]
preset = "{TINY}"
"""
CUDA = "device 'cuda:1'"
STOPPED = (
    "rm -f log; nvc encode in.mp4 -o a.nvc --epochs 99999 2> log & "
    "until grep -q 'segment 0' log; do sleep 0.1; done; "
    "kill -TERM $!; wait $!; code=$?; cat log >&2; (exit $code)"
)
"""A background job of a script, which gets no Ctrl-C."""


def wish(name, typed, says="", code=0):
    """A wish, the line for it, what is said, and the exit code."""
    return pytest.param(typed, says, code, id=name)


WISHES = [
    wish("no options", "nvc encode in.mp4 -o out.nvc"),
    wish("two megabytes", f"nvc encode in.mp4 -o a.nvc --size 2MB -p {TINY_ROUND}"),
    wish("38 dB", f"nvc encode in.mp4 -o a.nvc --psnr 38 -p {TINY_ROUND}"),
    wish("a time", "nvc encode in.mp4 -o a.nvc --max-time 40s"),
    wish("what it would cost", "nvc encode in.mp4 -o a.nvc --dry-run", "about"),
    wish("a part", "nvc encode in.mp4 -o a.nvc --start 0:10 --end 0:20"),
    wish("half size", "nvc encode in.mp4 -o a.nvc --scale 1/2"),
    wish("by width", "nvc encode in.mp4 -o a.nvc --scale 32x-2"),
    wish("from a pipe", "ffmpeg -v error -i in.mp4 -f yuv4mpegpipe - | nvc encode - -o a.nvc"),
    wish("a folder of pictures", "nvc encode frames/ -o a.nvc", "frame rate given, taken as 25"),
    wish("a pattern", "nvc encode 'frames/f%03d.png' -o a.nvc"),
    wish("pictures of a shell", "nvc encode frames/*.png -o a.nvc", "frames of one video"),
    wish("stop", STOPPED, "continue with: nvc encode in.mp4 -o a.nvc", 143),
    wish("go on", f"{STOPPED}; {STOPPED}", "; continuing", 143),
    wish("more time later", "nvc refine x.nvc in.mp4 -o a.nvc"),
    wish("the sound", "nvc encode in.mp4 -o a.nvc && nvc decode a.nvc -o a.mp4 && "
         "ffmpeg -hide_banner -i a.mp4 -f null - 2>&1 | grep Audio:"),
    wish("HDR", "nvc encode hdr.mkv -o a.nvc && nvc info a.nvc | grep '10 bits'"),
    wish("variable rate", "nvc encode vfr.mkv -o a.nvc"),
    wish("a folder of clips", "nvc encode clips/ -o out/", "2 encoded"),
    wish("clips by name", "nvc encode clips/*.mp4 -o out/", "2 encoded"),
    wish("a folder of clips to a file", "nvc encode clips/ -o a.nvc", "with -o FOLDER/", 3),
    wish("one frame", "nvc decode x.nvc --at 1.5 -o f.png"),
    wish("MOV", "nvc decode x.nvc -o x.mov"),
    wish("WebM", "nvc decode x.nvc -o x.webm"),
    wish("a GIF", "nvc decode x.nvc -o x.gif"),
    wish("a smaller movie", "nvc decode x.nvc -o x.mp4 --crf 23"),
    wish("play", "nvc play --help"),
    wish("compare", "nvc compare in.mp4 x.nvc"),
    wish("the source", "nvc verify x.nvc --against in.mp4", "PSNR-RGB"),
    wish("what takes the bytes", "nvc info x.nvc", "SYMB"),
    wish("is it whole", "nvc verify x.nvc", "every hash matches"),
    wish("which presets fit", "nvc presets", "hinerv-mini"),
    wish("one thread", "nvc encode in.mp4 -o a.nvc --threads 1"),
    wish("another GPU", "nvc encode in.mp4 -o a.nvc --device cuda:1", CUDA, 3),
    wish("all cores", "nvc encode in.mp4 -o a.nvc --workers 2"),
    wish("for a script", "nvc encode in.mp4 -o a.nvc --json", '{"event": "done"'),
    wish("a movie's name", "nvc encode in.mp4 -o out.mp4", "then nvc decode out.nvc -o out.mp4", 4),
    wish("a name with a typo", "nvc encode in.mp5 -o a.nvc", "in.mp5: no such file", 3),
]  # fmt: skip
PYTHON = [
    wish("frames", "for frame in nvcodec.decode('x.nvc'): print(frame.shape)", "(48, 64, 3)"),
    wish("slices", "print(len(nvcodec.open('x.nvc')[4:8]))", "4"),
    wish("numpy", "nvcodec.encode(numpy.zeros((2, 64, 64, 3), 'uint8'), 'a.nvc', epochs=2)",
         "no frame rate given"),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of what people have, and the programs."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "bin").mkdir()
    (folder / "bin" / "ffmpeg").symlink_to(ffmpeg_path())
    program = folder / "bin" / "nvc"
    program.write_text(f"#!{sys.executable}\nfrom nvcodec.cli import main\nmain()\n")
    program.chmod(0o755)
    (folder / "defaults.toml").write_text(DEFAULTS)
    for name in ("clips", "frames"):
        (folder / name).mkdir()
    ffmpeg = [ffmpeg_path(), "-v", "error"]
    moving = "testsrc=size=64x48:rate=1:duration=21"
    sound = ["-f", "lavfi", "-i", "sine=duration=21", "-shortest"]
    run([*ffmpeg, "-f", "lavfi", "-i", moving, *sound, str(folder / "in.mp4")])
    for name in ("clips/a.mp4", "clips/b.mp4", "frames/f%03d.png"):
        run([*ffmpeg, "-i", str(folder / "in.mp4"), "-frames:v", "3", str(folder / name)])
    tags = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
    hdr = f"format=yuv420p10le,setparams={tags}"
    uneven = "setpts='if(lt(N,4),N,3+2*(N-3))/TB'"
    for name, change in (("hdr.mkv", hdr), ("vfr.mkv", uneven)):
        video = ["-vf", change, "-frames:v", "8", "-fps_mode", "passthrough", "-c:v", "ffv1", "-an"]
        run([*ffmpeg, "-i", str(folder / "in.mp4"), *video, str(folder / name)])
    typed(folder, "nvc encode in.mp4 -o x.nvc")
    assert (folder / "x.nvc").exists()
    return folder


def typed(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line as a shell runs it."""
    settings = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "NVC_CONFIG": "defaults.toml",
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env={**environment(), **settings},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture
def clean(home):
    """The folder, in which nothing that an earlier line made is left."""
    before = set(home.iterdir())
    yield home
    made = [str(path) for path in home.iterdir() if path not in before]
    subprocess.run(["rm", "-rf", *made], check=True)


@pytest.mark.parametrize(("line", "says", "code"), WISHES)
def test_typed(clean, line, says, code):
    done = typed(clean, line)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
    if code not in (0, 143):
        assert done.stderr.startswith("nvc: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("line", "says", "code"), PYTHON)
def test_in_python(clean, line, says, code):
    done = subprocess.run(
        [sys.executable, "-c", f"import numpy, nvcodec\n{line}"],
        cwd=clean, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
