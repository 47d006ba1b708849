"""The tensors of every family are part of the file format: names, shapes, roles and their order."""

import json
from pathlib import Path

import pytest

from nvcodec import registry
from nvcodec.representations import CONFIGS, load_config
from nvcodec.samples import VideoShape

STORED = json.loads(Path(__file__).with_name("tensors.json").read_text(encoding="utf-8"))
WARNING = (
    "this is the file format: files in the world hold these tensors under these names, in this "
    "order; a difference makes every one of them unreadable"
)


@pytest.mark.parametrize("case", STORED, ids=lambda case: case["title"])
def test_tensors_are_those_of_the_format(case):
    config = load_config(case["representation"])
    specs = config.tensors(VideoShape(*case["shape"]))
    assert [[s.name, list(s.shape), s.role.value] for s in specs] == case["tensors"], WARNING
    # No byte depends on it, but what a stage prunes does.
    assert [s.name for s in specs if s.is_prunable] == case["prunable"]


def test_every_family_is_there():
    kinds = {case["representation"]["kind"] for case in STORED}
    assert kinds == set(registry.names(CONFIGS))
