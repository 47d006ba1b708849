"""The examples of docs/extending.md work as they stand there, with no other file changed."""

import importlib
import re
import sys

import numpy as np
import pytest

import nvcodec
from codec_helpers import ROOT, write_y4m
from nvcodec.errors import MalformedError
from nvcodec.presets import load_preset

PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def extended(tmp_path, monkeypatch):
    """A folder with the page's examples, each found where a file of that name would be."""
    examples = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert len(examples) == 6
    for name, text in examples.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".py":
            package = importlib.import_module("nvcodec." + ".".join(path.parent.parts[-2:]))
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(path.parent)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("nvcodec."):
            del sys.modules[name]


def test_a_toy_representation_stage_and_scheme(extended, tmp_path):
    source, target = tmp_path / "a.y4m", tmp_path / "a.nvc"
    write_y4m(source, 48, 32, num_frames=4)
    preset = load_preset(str(extended / "presets" / "blocks.toml"))
    kinds = (preset.representation.kind, preset.stages[0].kind, preset.scheme.kind)
    assert kinds == ("blocks", "ridge", "plain_bytes")
    report = nvcodec.encode(source, target, str(extended / "presets" / "blocks.toml"))
    assert report.quality.psnr_rgb_db > 18
    frames = np.stack(list(nvcodec.decode(target, device="cpu")))
    assert frames.shape == (4, 32, 48, 3)
    info = nvcodec.info(target)
    parts = {part.kind: part.size for entry in info.entries for part in entry.parts}
    assert (parts["WDTH"], parts["BYTE"]) == (2, 4 * 6 * 8 * 3)


def test_a_toy_scheme_refuses_what_it_did_not_write(extended):
    scheme = load_preset(str(extended / "presets" / "blocks.toml")).scheme
    from nvcodec.coding.schemes import load_scheme

    with pytest.raises(MalformedError, match="1 bytes left over"):
        load_scheme(scheme).unpack({"BYTE": b"x"}, [])
