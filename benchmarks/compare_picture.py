"""Source, reconstruction and difference of one frame side by side, as a PNG.

python benchmarks/compare_picture.py SOURCE DECODED OUT.png [FRAME]
"""

import itertools
import sys

import matplotlib.image
import numpy as np

from nvcodec.video import open_video
from nvcodec.video.color import planes_to_rgb

DIFFERENCE_GAIN = 4


def main() -> None:
    """Write the picture and say what it shows."""
    source, decoded, out = sys.argv[1:4]
    number = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    pictures = []
    for path in (source, decoded):
        with open_video(path, frames=slice(0, number + 1)) as video:
            planes = list(itertools.islice(video, number + 1))[-1]
            pictures.append(planes_to_rgb(planes, video.info))
    difference = (pictures[0].astype(int) - pictures[1].astype(int)) * DIFFERENCE_GAIN + 128
    pictures.append(np.clip(difference, 0, 255).astype(np.uint8))
    matplotlib.image.imsave(out, np.concatenate(pictures, axis=1))
    print(f"{out}: frame {number}: source, reconstruction, difference x{DIFFERENCE_GAIN}")


if __name__ == "__main__":
    main()
