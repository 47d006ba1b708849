"""Batches: every pixel once an epoch, and padding that costs nothing."""

import torch
from fitting_helpers import video

from codec_helpers import whole_batch
from nvcodec.fitting.batches import Batches
from nvcodec.representations.representation import Patches


def test_patches_cover_every_pixel_once_an_epoch_and_padding_costs_nothing():
    frames = video()
    batches = Batches(frames, (20, 24), (10, 12), batch_size=4, seed=0)
    assert batches.steps_per_epoch == 4
    seen = torch.zeros(4, 20, 24)
    for step in range(4):
        patches, target = whole_batch(batches, 0, step)
        for i, t in enumerate(patches.t.tolist()):
            y, x = int(patches.y[i]), int(patches.x[i])
            seen[t, y : y + 10, x : x + 12] += 1
            inside = min(16, y + 10) - y
            expected = frames[t, y : y + inside, x : x + 12].float() / 255
            assert torch.equal(target[i, :inside], expected)
        output = batches.ignore_padding(torch.full_like(target, 0.5), target, patches)
        rows = patches.y[:, None] + torch.arange(10)
        assert torch.equal(output[rows >= 16], target[rows >= 16])
    assert (seen == 1).all()
    one, other = (whole_batch(batches, 0, step)[0] for step in (0, 4))
    assert not torch.equal(one.t, other.t) or not torch.equal(one.y, other.y)


def test_whole_frames_are_cropped_to_the_video():
    batches = Batches(video(), (20, 24), None, batch_size=2, seed=0)
    patches, target = whole_batch(batches, 0, 0)
    assert isinstance(patches, Patches)
    assert target.shape == (2, 16, 24, 3)
    assert batches.ignore_padding(torch.zeros(2, 20, 24, 3), target, patches).shape == target.shape
