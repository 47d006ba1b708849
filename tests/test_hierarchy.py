"""Hierarchies of prediction: every frame once, and after what it is predicted from."""

import pytest

from nvcodec import hierarchy


@pytest.mark.parametrize("anchor_every", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("num_frames", [1, 2, 3, 8, 17, 25, 48])
def test_every_frame_follows_its_references(num_frames, anchor_every):
    known: set[int] = set()
    for layer in hierarchy.layers(num_frames, anchor_every):
        assert len({len(references) for references in layer.references}) == 1
        for frame, references in zip(layer.frames, layer.references, strict=True):
            assert known >= set(references)
            assert len(references) == min(layer.depth, 2)
            if len(references) == 2:
                assert references[0] < frame < references[1]
        assert not known & set(layer.frames)
        known |= set(layer.frames)
    assert known == set(range(num_frames))


def test_what_lies_between_anchors_has_motion_to_inherit():
    for layer in hierarchy.layers(48, 16):
        for a, b in (r for r in layer.references if len(r) == 2):
            found = {
                f: r
                for one in hierarchy.layers(48, 16)
                for f, r in zip(one.frames, one.references, strict=True)
            }
            assert found[b][:1] == (a,) or found[a][1:] == (b,)


def test_a_short_rest_has_no_anchor_of_its_own():
    assert hierarchy.anchors(20, 16) == [0, 19]
    assert hierarchy.anchors(25, 16) == [0, 16, 24]
    assert hierarchy.anchors(1, 16) == [0]
    assert hierarchy.needed(48, 16) == 8
    assert hierarchy.num_depths(48, 16) == 6
