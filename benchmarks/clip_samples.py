"""A clip's frames as a fitting sees them."""

import numpy as np
import torch
from torch import Tensor

from nvcodec.video import open_video
from nvcodec.video.color import planes_to_packed, planes_to_rgb


def samples(path: str, color: str, num_frames: int) -> Tensor:
    """A clip's first frames as they are fitted, uint8 (T, H, W, C)."""
    convert = planes_to_packed if color == "yuv420" else planes_to_rgb
    with open_video(path, frames=slice(0, num_frames)) as video:
        return torch.from_numpy(np.stack([convert(planes, video.info) for planes in video]))
