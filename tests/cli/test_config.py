"""Defaults of options from a file: which file counts, that what is typed wins, what is refused."""

from pathlib import Path

import pytest

from codec_helpers import TINY_NERV, nvc
from nvcodec.cli.config import VARIABLE, config_path

TABLE = f"""
[encode]
preset = "{TINY_NERV}"
epochs = 2
seed = 7
limit = ["frames=7"]
json = true
[decode]
quiet = true
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "defaults.toml"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize("how", ["option", "variable", "home"])
def test_a_file_gives_defaults_and_what_is_typed_wins(call, clip, file, monkeypatch, how):
    words = []
    if how == "option":
        words = ["--config", file]
        monkeypatch.setenv("NVC_CONFIG", "nowhere.toml")
    elif how == "variable":
        monkeypatch.setenv("NVC_CONFIG", str(file))
    else:
        monkeypatch.delenv("NVC_CONFIG")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(file.parent))
        (file.parent / "nvc").mkdir()
        file.rename(file.parent / "nvc" / "config.toml")
    assert call("encode", clip, "-o", "x.nvc", *words).code == 10  # 8 frames
    done = call("encode", clip, "-o", "x.nvc", "--epochs", 3, "--frames", "0:2", *words)
    assert done.code == 0, done.stderr
    steps = [record["num_steps"] for record in done.records if record["event"] == "fit"]
    assert steps[-1] == 3 * 2
    assert call("decode", "x.nvc", "-o", "x.y4m", *words).stderr == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[encode]\nepoch = 3", "[encode] epoch: no such option; did you mean 'epochs'?"),
        ("[encode]\nmax_time = 3", "did you mean 'max-time'?"),
        ("[encod]\nepochs = 3", "[encod]: no such command; did you mean 'encode'?"),
        ("epochs = 3", "epochs: belongs in a table"),
        ("encode = 3", "encode: belongs in a table"),
        ("[encode]\nepochs = [3]", "[encode] epochs = [3]: expected one text"),
        ("[encode]\nepochs = true", "expected a value"),
        ("[encode]\noverwrite = 1", "expected true or false"),
        ("[encode]\nset = [[1]]", "expected texts"),
        ("[encode]\nepochs = 'x'", "--epochs"),
        ("[encode]\nframes = '5:2'", "--frames '5:2': expected A:B"),
        ("[encode]\nconfig = 'x'", "[encode] config: no such option"),
        ("[encode", "defaults.toml: "),
    ],
)
def test_what_cannot_be_is_refused_with_the_files_name(call, clip, file, text, said):
    file.write_text(text)
    done = call("encode", clip, "-o", "x.nvc", "--config", file)
    assert done.code == 2
    assert said in done.stderr
    assert str(file) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there(call, clip, monkeypatch):
    assert (
        "nowhere.toml: cannot be read"
        in call("encode", clip, "-o", "x.nvc", "--config", "nowhere.toml").stderr
    )
    monkeypatch.setenv("NVC_CONFIG", "other.toml")
    assert call("encode", clip, "-o", "x.nvc").code == 2
    assert call("--version").code == 0


def test_threads_are_those_of_the_process(encoded, tmp_path):
    done = nvc("verify", encoded, "--threads", 0)
    assert done.code == 2
    assert "--threads" in done.stderr


def test_a_user_without_a_home_has_no_defaults(monkeypatch):
    for name in (VARIABLE, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nowhere(_):
        raise RuntimeError("could not determine home directory")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert config_path() is None
