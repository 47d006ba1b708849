"""A `.nvc` file that is to be fitted further: what it holds, and its recipe. Loads no torch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Head, Limits
from nvcodec.container.reader import NvcReader, SegmentInfo
from nvcodec.errors import BitstreamError, PresetError, VideoError
from nvcodec.presets import Preset, load_preset, preset_names
from nvcodec.recipe import shortened
from nvcodec.remark import maker_of
from nvcodec.segment_values import representation_config, scheme_of
from nvcodec.video.info import VideoInfo


@dataclass(frozen=True)
class RefineSettings:
    """Which recipe, in place of what the file says, and for what."""

    preset: str | None = None
    """A name or a TOML file; None: the file's."""
    overrides: Sequence[str] = ()
    epochs: int | None = None
    lmbda: float | None = None
    segment: int | None = None
    """The only one that is fitted; None: all."""


@dataclass(frozen=True)
class Original:
    """The file that is fitted further, read through once."""

    path: Path
    head: Head
    segments: Sequence[SegmentInfo]
    ancillary: Sequence[tuple[int, str, bytes]]
    """Chunks that it would be whole without: number of segments before each, kind, payload."""
    digest: str
    """Of all its bytes."""

    @classmethod
    def read(cls, path: Path, limits: Limits) -> "Original":
        """Check every chunk of a file.

        Raises:
            BitstreamError: it is damaged or unfinished.
            VideoError: it cannot be read.
            PresetError: its segments are not coded alone.
        """
        try:
            with NvcReader(path, limits=limits) as reader:
                for coded in reader.segments():
                    _check_alone(path, coded)
                found = reader.head, reader.segments_read, list(reader.ancillary_chunks())
            with open(path, "rb") as file:
                return cls(path, *found, hashlib.file_digest(file, "blake2b").hexdigest())
        except BitstreamError as error:
            error.args = (f"{path}: {error.args[0]}",)
            raise
        except OSError as error:
            raise VideoError(f"{path}: cannot be read: {error.strerror}") from error

    @property
    def info(self) -> VideoInfo:
        """The video that it stands for."""
        num_frames = sum(segment.num_frames for segment in self.segments)
        return replace(self.head.to_video_info(), num_frames=num_frames)

    def preset(self, settings: RefineSettings) -> Preset:
        """The recipe for it, shortened, at the lambda asked for or else its own.

        Raises:
            PresetError: it names none that is known, or another was named that does not suit it.
        """
        maker = maker_of(self.head.remark)
        name, lmbda = settings.preset, settings.lmbda
        if name is None:
            if maker is None or maker.preset not in preset_names():
                raise PresetError(
                    f"{self.path}: made by {self.head.remark!r}, which is no preset known here",
                    "{preset} names the preset, or a TOML file with it",
                )
            name = maker.preset
        if lmbda is None and maker is not None:
            lmbda = maker.lmbda
        preset = load_preset(name, settings.overrides, lmbda=lmbda)
        for part, ours, theirs in (
            ("representation", preset.representation, representation_config(self.head)),
            ("scheme", preset.scheme, scheme_of(self.head).config),
        ):
            if part == "representation":
                shape = self.head.samples.shape(1, self.head.height, self.head.width)
                ours = preset.representation.resolve(shape.height, shape.width)
            if ours != theirs:
                where = f"preset {preset.name} for {self.path}"
                raise PresetError(f"{where}: {part}: {_difference(ours, theirs)}")
        return shortened(preset, settings.epochs)

    def check_source(self, source: object, seen: VideoInfo) -> None:
        """Refuse a video that is another than the one coded.

        Raises:
            VideoError: it is of another size, or has more or fewer frames.
        """
        own = self.info
        for name in ("width", "height", "chroma", "depth", "num_frames"):
            ours, theirs = getattr(own, name), getattr(seen, name)
            if theirs not in (None, ours):
                hint = {"num_frames": "{frames} chooses them", "chroma": "", "depth": ""}
                raise VideoError(
                    f"{source}: {name.replace('num_', '')} {theirs}; {self.path} has {ours}",
                    hint.get(name, "{scale} scales it"),
                )


def _check_alone(path: Path, coded: CodedSegment) -> None:
    """Refuse segments that others depend on: these would be other pictures afterwards."""
    if coded.references:
        raise PresetError(
            f"{path}: segment {coded.number} is coded as a change of segment "
            f"{coded.references[0]}; segments that are coded alone can be fitted further"
        )


def _difference(ours: Any, theirs: Any) -> str:
    """The first setting that differs."""
    own, other = ours.model_dump(mode="json"), theirs.model_dump(mode="json")
    name = next(n for n in [*own, *other] if own.get(n) != other.get(n))
    return f"{name} is {own.get(name)}, the file has {other.get(name)}"
