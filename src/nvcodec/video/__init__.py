"""Frames in and out, in their own samples. No torch here.

    with open_video("in.mp4") as source, create_video("out.y4m", source.info) as target:
        for planes in source:
            target.write(planes)

`open_video` is in reader.py, `open_videos` (several as one) in parts.py, `create_video` in
writer.py; what a video is stands in info.py, and color.py turns planes into pixel arrays and back.
Samples keep their depth, 8 to 16 bits; what is lost on the way is said with `VideoWarning`.
"""

from nvcodec.samples import Chroma, VideoShape
from nvcodec.video.info import ColorTags, Planes, VideoInfo, VideoWarning
from nvcodec.video.parts import open_videos, sources_of
from nvcodec.video.raw import RawGeometry
from nvcodec.video.reader import VideoReader, open_video
from nvcodec.video.writer import VideoWriter, create_video

__all__ = [
    "Chroma",
    "ColorTags",
    "Planes",
    "RawGeometry",
    "VideoInfo",
    "VideoReader",
    "VideoShape",
    "VideoWarning",
    "VideoWriter",
    "create_video",
    "open_video",
    "open_videos",
    "sources_of",
]
