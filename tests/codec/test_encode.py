"""What an encoding expects, checks and refuses before it fits anything."""

import pytest

from codec_helpers import TINY, TINY_NVRC, TINY_RAW
from nvcodec.encode_types import EncodeSettings, SegmentStarted
from nvcodec.encoder import encode
from nvcodec.errors import InterruptedEncodeError
from nvcodec.presets import load_preset


def first_event(clip, target, preset, **settings):
    """What is announced before the first step."""
    seen = []
    with pytest.raises(InterruptedEncodeError):
        encode(
            clip, target, load_preset(preset), EncodeSettings(**settings),
            should_stop=lambda: bool(seen), on_event=seen.append,
        )  # fmt: skip
    assert isinstance(seen[0], SegmentStarted)
    return seen[0]


@pytest.mark.parametrize(("preset", "bits"), [(TINY_RAW, 16), (TINY, 5.04), (TINY_NVRC, 3)])
def test_the_predicted_size_goes_by_the_scheme(clip, tmp_path, preset, bits):
    event = first_event(clip, tmp_path / "x.nvc", preset)
    assert event.predicted_bytes == round(event.num_parameters * bits / 8)


def test_limits_are_those_of_the_decoder_to_come(clip, tmp_path, call):
    words = ("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY_RAW, "--epochs", 1, "-q")
    for limit, said in (("parameters=10", "parameters"), ("frames=7", "frames")):
        done = call(*words, "--limit", limit)
        assert done.code == 10
        assert said in done.stderr
        assert not list(tmp_path.iterdir())
    assert call(*words, "--limit", "dimension=20000").code == 0


def test_the_largest_seed(clip, tmp_path, call):
    words = ("encode", clip, "-o", tmp_path / "x.nvc", "-p", TINY_RAW, "--epochs", 1, "-q")
    assert call(*words, "--seed", 2**63).code == 2
    done = call(*words, "--seed", 2**63 - 1, "--segment-frames", 4)
    assert done.code == 0, done.stderr
