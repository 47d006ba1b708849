"""The line of progress: what it says in which width, and how it looks on terminals."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from codec_helpers import TIMEOUT_S, TINY, environment, nvc_command
from nvcodec.cli.one_line import one_line

PARTS = [
    (2, "ETA 0:31"), (7, "of 0:44"), (6, "(3:20 to go with all segments)"), (3, "19.62 dB"),
    (4, "0.2970 bpp"), (5, "24.9 kB"), (9, "quantized"), (8, "step 40/144"),
]  # fmt: skip
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (5, "0: 4…"),
        (20, "0: 4/4 28% ETA 0:31"),
        (39, "0: 4/4 28% ETA 0:31 19.62 dB 0.2970 bpp"),
        (79, "0: rate_distortion 4/4   28%  ETA 0:31  19.62 dB  0.2970 bpp  24.9 kB"),
        (119, "0: rate_distortion 4/4  ━━━╌╌╌╌╌╌╌   28%  ETA 0:31  "
              "(3:20 to go with all segments)  19.62 dB  0.2970 bpp  24.9 kB"),
    ],
)  # fmt: skip
def test_the_less_important_goes_first(width, line):
    stage, short = "0: rate_distortion 4/4", "0: 4/4"
    assert one_line(stage, 0.28, PARTS, width, short=short, ascii=False) == line
    assert one_line(stage, 0.28, PARTS, width, short=short, ascii=True).isascii()


def on_terminal(columns, term, *words):
    """What a command writes to a terminal of so many columns, which is its stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    own = {**environment(), "TERM": term, "NO_COLOR": "1"}
    own.pop("COLUMNS", None)
    child = subprocess.Popen(
        nvc_command(*words), env=own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert child.wait(TIMEOUT_S) == 0
    return seen.decode()


def test_on_a_narrow_terminal_it_stays_one_line(clip, tmp_path):
    seen = on_terminal(40, "xterm", "encode", clip, "-o", tmp_path / "a.nvc", "-p", TINY)
    drawn = [CONTROL.sub("", text) for text in re.split(r"\r\x1b\[2K|\r\n", seen)]
    fitting = [text for text in drawn if re.match(r"0: (\w+ )?\d/\d", text)]
    assert fitting
    assert all(len(text) < 40 for text in fitting)
    for word in ("100%", "took", " dB"):
        assert word in fitting[-1]
    assert len(fitting) < 40  # calm: a few a second at most
    assert "\x1b[3" not in seen  # without colour
    assert seen.endswith("\n")


def test_on_a_simple_terminal_there_are_plain_lines(clip, tmp_path):
    seen = on_terminal(80, "dumb", "encode", clip, "-o", tmp_path / "a.nvc", "-p", TINY)
    assert "\x1b" not in seen
    assert re.search(r"^0: \w+ \d/\d 100%  took .* dB .* bpp", seen, re.MULTILINE)
