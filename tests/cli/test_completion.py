"""Completion as typed into real shells: commands, options, names of presets, and files."""

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from codec_helpers import environment

LOADS = 'eval "$(nvc --show-completion)"'
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], LOADS),
    "zsh": (["zsh", "-f", "-i"], f"autoload -U compinit; compinit -u; {LOADS}"),
}
CASES = [
    ("nvc enc", "nvc encode "),
    ("nvc encode in.mp4 --max", "--max-time "),
    ("nvc encode in.mp4 -p nvrc-ti", "nvrc-tiny "),
    ("nvc presets nerv-t", "nerv-tiny "),
    ("nvc encode in.mp4 -p mine.to", "mine.toml "),
    ("nvc decode --device cpu fil", "file.nvc "),
    ("nvc bench clips --dry", "--dry-run "),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with some files, and `nvc` on its PATH."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "bin" / "nvc"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom nvcodec.cli import main\nmain()\n")
    program.chmod(0o755)
    for name in ("mine.toml", "file.nvc"):
        (folder / name).write_text("")
    return folder


def variables(place):
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    home = {
        "HOME": str(place),
        "ZDOTDIR": str(place),
        "TERM": "dumb",
        "PS1": "$ ",
        "COLUMNS": "200",
    }
    return {**environment(), **home, "PATH": path}


class Terminal:
    """A shell that is typed into."""

    def __init__(self, place, words):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(place)
            os.execvpe(words[0], words, variables(place))

    def type(self, text, until, timeout_s=60.0):
        """Type, and give what the terminal shows until a pattern comes."""
        os.write(self.file, text.encode())
        shown, end = "", time.monotonic() + timeout_s
        while not re.search(until, shown) and time.monotonic() < end:
            if select.select([self.file], [], [], 0.1)[0]:
                shown += os.read(self.file, 4096).decode(errors="replace")
        return shown

    def close(self):
        os.close(self.file)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


@pytest.mark.slow
@pytest.mark.parametrize("shell", STARTS)
def test_typed_into_a_terminal(place, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    words, setup = STARTS[shell]
    terminal = Terminal(place, words)
    try:
        assert "ready-1" in terminal.type(f"{setup}; echo ready-$((0+1))\n", "ready-1")
        for typed, whole in CASES:
            shown = terminal.type(f"{typed}\t", re.escape(whole))
            assert whole in shown, f"{typed}: {shown}"
            terminal.type("\x15", r".")  # throws the line away
    finally:
        terminal.close()


@pytest.mark.slow
def test_asked_of_fish(place):
    if shutil.which("fish") is None:
        pytest.skip("no fish")
    for typed, whole in CASES:
        script = f"nvc --show-completion | source; complete -C '{typed}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], cwd=place, env=variables(place),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert whole.split()[-1] in offered, f"{typed}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize(("typed", "whole"), [case for case in CASES if "fil" not in case[0]])
def test_what_is_offered_loads_no_torch(place, typed, whole):
    """What the scripts of all shells ask for."""
    if "mine" in typed:
        whole = ""
    script = (
        "import sys; from nvcodec.cli import main; sys.argv = ['nvc']\n"
        "try: main()\nfinally: print('torch' in sys.modules)"
    )
    words = typed.split()
    asked = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_NVC_COMPLETE": "complete_bash",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env={**environment(), **asked},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    *offered, has_torch = done.stdout.splitlines()
    assert has_torch == "False"
    assert whole.split()[-1:] == offered[:1] or (whole == "" and not any(offered))
