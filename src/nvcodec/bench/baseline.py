"""What a baseline is: an encoder of ffmpeg, its rate knob, its speeds, and its two commands.

Rates are those of the elementary stream, without the text in which some encoders sign their work.
Each baseline runs at its best for PSNR, with threads only where they do not change a byte.
"""

import re
from pathlib import Path
from typing import ClassVar

from nvcodec.errors import FfmpegError, ToolMissingError
from nvcodec.processes import ffmpeg_path, run

WHOLE_CLIP = 9999
"""Frames from one intra frame to the next that no clip reaches."""


class Baseline:
    """A codec that we compare with, behind ffmpeg."""

    encoder: ClassVar[str]
    """ffmpeg's name of it."""
    format: ClassVar[str]
    """ffmpeg's name of its elementary stream, and the suffix of its files."""
    rate_name: ClassVar[str] = "crf"
    rate_range: ClassVar[tuple[int, int]]
    rates: ClassVar[tuple[int, ...]]
    """Points of a curve unless others are asked for, from high rate to low."""
    speed: ClassVar[str]
    """Speed setting unless another is asked for."""
    signature: ClassVar[str]
    """Pattern of its version, in what it says or in its stream."""
    seconds_per_megapixel: ClassVar[float]
    """Rough encoding time on two cores, for a first guess."""

    def options(self, rate: int, speed: str, intra_frames: int | None) -> list[str]:
        """Options for ffmpeg.

        Args:
            rate: constant quality, in units of `rate_name`.
            speed: the encoder's preset.
            intra_frames: frames from one intra frame to the next; None for one intra frame in all.
        """
        raise NotImplementedError

    def encode_command(
        self,
        source: Path | str,
        coded: Path | str,
        rate: int,
        speed: str | None = None,
        intra_frames: int | None = None,
    ) -> list[str]:
        """Y4M to elementary stream."""
        options = self.options(rate, speed or self.speed, intra_frames)
        encoder = ["-c:v", self.encoder, *options]
        return [*_ffmpeg(source), *encoder, "-f", self.format, f"file:{coded}"]

    def decode_command(self, coded: Path | str, decoded: Path | str) -> list[str]:
        """Elementary stream to Y4M, in the depth that it was coded in."""
        target = ["-fps_mode", "passthrough", "-strict", "-1", "-f", "yuv4mpegpipe"]
        return [*_ffmpeg(coded), *target, f"file:{decoded}"]

    def version(self) -> str:
        """What the encoder calls itself, once it has coded a frame.

        Raises:
            ToolMissingError: this ffmpeg cannot run it.
        """
        picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.04"]
        command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "verbose", *picture]
        command += ["-pix_fmt", "yuv420p", "-c:v", self.encoder, "-f", self.format, "-"]
        try:
            stream, lines = run(command)
        except FfmpegError as error:
            raise ToolMissingError(
                f"{self.encoder}: {ffmpeg_path()} cannot encode with it"
            ) from error
        found = (re.search(self.signature, text) for text in (*lines, stream.decode("latin-1")))
        return next((match[1].strip() for match in found if match), "unknown")


def _ffmpeg(source: Path | str) -> list[str]:
    return [ffmpeg_path(), "-nostdin", "-hide_banner", "-v", "error", "-y", "-i", f"file:{source}"]


def ffmpeg_version() -> str:
    """First line of what ffmpeg says of itself."""
    return run([ffmpeg_path(), "-version"]).stdout.decode().splitlines()[0].split(" Copyright")[0]
