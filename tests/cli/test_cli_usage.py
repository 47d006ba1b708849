"""What the command line refuses, and what it says about itself, without loading torch."""

import json
import subprocess

import pytest

from codec_helpers import TINY, environment, nvc_command, python, write_y4m

USES_NO_TORCH = """
import contextlib, io, json, sys
import nvcodec
from nvcodec.cli import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["nvc", *words]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    # Before the real stdout: what the command said, and whether torch came with it.
    print(json.dumps([code, out.getvalue(), err.getvalue(), "torch" in sys.modules]))
if not nvcodec.info(words[1]).damage:
    print(json.dumps([0, nvcodec.__version__, "", "torch" in sys.modules]))
"""


@pytest.fixture(scope="module")
def outcomes(clip, encoded):
    """(exit code, stdout, stderr) of many commands that one process ran."""
    for name in ("r.html", "p.png"):
        clip.with_name(name).write_text("somebody's")
    commands = _commands(clip, encoded)
    words = [[str(word) for word in command] for command in commands.values()]
    lines = [json.loads(line) for line in python(USES_NO_TORCH, json.dumps(words)).splitlines()]
    assert len(lines) == len(commands) + 1  # the last is nvcodec.info
    for name, line in zip([*commands, "nvcodec.info"], lines, strict=True):
        assert not line[3], f"{name}: torch was loaded"
    return {name: tuple(line[:3]) for name, line in zip(commands, lines, strict=False)}


def _commands(clip, encoded):
    return {
        "help": ["--help"],
        "help of encode": ["encode", "--help"],
        "version": ["--version"],
        "no command": [],
        "unknown command": ["encod"],
        "unknown option": ["encode", clip, "-o", "x.nvc", "--epoch", 3],
        "no output": ["encode", clip],
        "bad frames": ["encode", clip, "-o", "x.nvc", "--frames", "5:2"],
        "bad scale": ["encode", clip, "-o", "x.nvc", "--scale", "0x2"],
        "bad raw": ["encode", clip, "-o", "x.nvc", "--raw", "12"],
        "bad fps": ["encode", clip, "-o", "x.nvc", "--fps", "fast"],
        "bad epochs": ["encode", clip, "-o", "x.nvc", "--epochs", 0],
        "bad color": ["encode", clip, "-o", "x.nvc", "--color", "cmyk"],
        "bad limit": ["decode", encoded, "-o", "x.y4m", "--limit", "memory=8"],
        "two choices": ["extract", encoded, "-o", "x.nvc", "--frames", 3, "--clip", "a"],
        "not at a border": ["extract", encoded, "-o", "x.nvc", "--frames", "1:5"],
        "no input to play": ["play", "nowhere.nvc"],
        "no input to compare": ["compare", encoded, "nowhere.nvc"],
        "bad time": ["decode", encoded, "-o", "x.png", "--at", "noon"],
        "bad precision": ["decode", encoded, "-o", "x.y4m", "--precision", "fp8"],
        "bad size": ["presets", "--size", "big"],
        "unknown preset": ["encode", clip, "-o", "x.nvc", "-p", "hinervmini"],
        "no such preset": ["encode", clip, "-o", "x.nvc", "-p", "qqqq"],
        "bad field": ["encode", clip, "-o", "x.nvc", "-p", TINY, "--set", "scheme.bitz=1"],
        "few epochs": ["encode", clip, "-o", "x.nvc", "-p", TINY, "--epochs", 1],
        "no input": ["encode", "nowhere.y4m", "-o", "x.nvc"],
        "encoded already": ["encode", encoded, "-o", "x.nvc"],
        "no input to decode": ["decode", "nowhere.nvc", "-o", "x.y4m"],
        "no input to info": ["info", "nowhere.nvc"],
        "bad report": ["encode", clip, "-o", "x.nvc", "--report", "x.txt"],
        "report of a stream": ["encode", clip, "-o", "-", "--report", "x.html"],
        "bad preview": ["encode", clip, "-o", "x.nvc", "--preview", "x.jpg"],
        "preview nowhere": ["encode", clip, "-o", "x.nvc", "--preview", "no/x.png"],
        "report exists": ["encode", clip, "-o", "x.nvc", "--report", clip.with_name("r.html")],
        "preview exists": ["encode", clip, "-o", "x.nvc", "--preview", clip.with_name("p.png")],
        "output exists": ["encode", clip, "-o", encoded],
        "output exists after all": ["encode", "nowhere.y4m", "-o", encoded],
        "decoded exists": ["decode", encoded, "-o", clip],
        "refined into itself": ["refine", encoded, clip, "-o", encoded, "-p", TINY, "-y"],
        "refined by whom": ["refine", encoded, clip, "-o", "x.nvc"],
        "refined of nothing": ["refine", encoded, "nowhere.y4m", "-o", "x.nvc"],
        "refined to mp4": ["refine", encoded, clip, "-o", "x.mp4"],
        "extracted to mp4": ["extract", encoded, "-o", "x.mp4"],
        "no folder": ["encode", clip, "-o", "no/such/folder/x.nvc"],
        "name of another format": ["encode", clip, "-o", "x.mp4"],
        "folder of videos": ["encode", clip.parent, "-o", encoded],
        "folder without videos": ["encode", encoded.parent, "-o", "out/"],
        "two of one name": ["encode", clip, clip, "-o", "out/"],
        "standard input to a folder": ["encode", "-", "-o", "out/"],
        "pictures to a folder": ["encode", "a.png", "b.png", "-o", "out/"],
        "skip and overwrite": ["encode", clip, "-o", "out/", "-y", "--skip-existing"],
        "presets": ["presets"],
        "presets as json": ["presets", "--json"],
        "one preset": ["presets", "hinerv-mini"],
        "info": ["info", encoded],
        "verify": ["verify", encoded],
    }


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("unknown command", 2, "No such command"),
        ("unknown option", 2, "No such option"),
        ("no output", 2, "Missing option"),
        ("bad frames", 2, "expected A:B"),
        ("bad scale", 2, "allowed are WxH, Wx-2 and -2xH"),
        ("bad raw", 2, "allowed is WxH"),
        ("bad fps", 2, "expected a rate"),
        ("bad epochs", 2, "--epochs"),
        ("bad color", 2, "cmyk"),
        ("bad limit", 2, "memory_bytes"),
        ("two choices", 2, "--frames, --segment and --clip: one of them"),
        ("not at a border", 3, "frame 1 is inside segment 0, frames 0:2"),
        ("no input to play", 3, "nowhere.nvc: no such file"),
        ("no input to compare", 3, "nowhere.nvc: no such file"),
        ("bad time", 2, "expected seconds or h:m:s"),
        ("bad precision", 2, "fp8"),
        ("bad size", 2, "--size"),
        ("unknown preset", 2, "did you mean 'hinerv-mini'?"),
        ("bad field", 2, "did you mean 'bits'?"),
        ("few epochs", 2, "at least 3, one a stage"),
        ("no input", 3, "nowhere.y4m: no such file"),
        ("encoded already", 3, "a .nvc file already; nvc decode makes a video of it"),
        ("no input to decode", 3, "nowhere.nvc: no such file"),
        ("no input to info", 3, "nowhere.nvc: cannot be read"),
        ("bad report", 2, "expected a name that ends in .html"),
        ("report of a stream", 2, "goes to a stream"),
        ("bad preview", 2, "expected a name that ends in .png"),
        ("preview nowhere", 4, "no: no such folder"),
        ("report exists", 4, "r.html: exists; -y overwrites it"),
        ("preview exists", 4, "p.png: exists; -y overwrites it"),
        ("output exists", 4, "exists; -y overwrites it"),
        ("output exists after all", 3, "no such file"),
        ("decoded exists", 4, "exists; -y overwrites it"),
        ("refined into itself", 4, "is the source itself"),
        ("refined by whom", 2, "no preset known here; -p names"),
        ("refined of nothing", 3, "nowhere.y4m: no such file"),
        ("refined to mp4", 4, "a .nvc file is written; for another: nvc refine"),
        ("extracted to mp4", 4, ".nvc -o x.nvc, then nvc decode"),
        ("no folder", 4, "no such folder"),
        ("name of another format", 4, "a .nvc file is written"),
        ("folder of videos", 3, "a folder of 1 videos; each gets a file of its own"),
        ("folder without videos", 3, "no video in it, nor below it"),
        ("two of one name", 2, "would both become out/clip.nvc"),
        ("standard input to a folder", 2, "standard input has no name"),
        ("pictures to a folder", 3, "a.png: no such file"),
        ("skip and overwrite", 2, "only one of them"),
    ],
)
def test_refusals(outcomes, name, code, said):
    seen, out, err = outcomes[name]
    assert seen == code
    assert out == ""
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_help_documents_commands_and_exit_codes(outcomes):
    for name in ("help", "help of encode"):
        code, out, err = outcomes[name]
        text = " ".join(out.replace("│", " ").split())
        assert (code, err) == (0, "")
        for number in (*range(11), 130, 143):
            assert f"{number} " in text.split("Exit codes:")[1]
    commands = (
        "encode", "refine", "decode", "play", "info", "extract", "verify", "compare", "presets",
        "bench",
    )  # fmt: skip
    for command in commands:
        assert command in outcomes["help"][1]


def test_version_and_no_command(outcomes):
    assert outcomes["version"][0] == 0
    assert outcomes["version"][1].startswith("0.1.0\nffmpeg ")
    code, out, err = outcomes["no command"]
    assert code in (0, 2)
    assert "Commands" in out + err


def test_info_shows_where_every_byte_goes(outcomes, encoded):
    code, out, err = outcomes["info"]
    assert (code, err) == (0, "")
    assert f"{encoded.stat().st_size:,} bytes, 8 frames, 32x32, 25 frames/s" in out
    for word in ("HEAD", "SEGM", "SYMB", "ENTP", "MASK", "QSCL", "indx", "END", "hinerv"):
        assert word in out


def test_presets_are_listed_and_printed(outcomes):
    code, out, _ = outcomes["presets"]
    assert code == 0
    assert "hinerv-mini" in out
    records = [json.loads(line) for line in outcomes["presets as json"][1].splitlines()]
    mini = next(record for record in records if record["name"] == "hinerv-mini")
    counts = {"parameters", "gmac_per_frame", "macs_per_pixel", "expected_fps"}
    assert set(mini) == {"event", "name", "lmbdas", "description", *counts}
    assert mini["parameters"] > 1000
    assert '[representation]\nkind = "hinerv"' in outcomes["one preset"][1]


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "nvc: {}: no frame rate, taken as 25\n"), (["-q"], ""), (["--json"], "")],
)
def test_what_a_source_lacks_is_said_as_the_command_speaks(tmp_path, words, said):
    source = tmp_path / "no_rate.y4m"
    write_y4m(source, 32, 32, num_frames=2)
    source.write_bytes(source.read_bytes().replace(b" F25:1", b"", 1))
    command = nvc_command("encode", source, "-o", tmp_path / "out.nvc", "-p", TINY, "--epochs", 3)
    done = subprocess.run([*command, *words], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(said.format(source))
    if words:
        assert done.stderr == ""
    if words == ["--json"]:
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert {"event": "warning", "text": f"{source}: no frame rate, taken as 25"} in events


def test_no_error_lists_every_preset(outcomes):
    assert "lists them" in outcomes["no such preset"][2]
    assert len(outcomes["no such preset"][2]) < 200
