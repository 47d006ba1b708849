"""Which sequences a path stands for, and what is known of the data set they belong to.

A path is one clip, one folder of pictures, or a folder of clips and of folders of pictures, as UVG,
MCL-JCV and the Xiph collection are downloaded. A data set is a TOML file in `benchmarks/datasets`:

    title = "UVG"
    [[sequences]]
    name = "ShakeNDry"
    pattern = "ShakeNDry_1920x1080*"   # of the file's name
    num_frames = 300
    note = "half as long as the others"
"""

import fnmatch
import hashlib
import os
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, ValidationError

from nvcodec.config import Config
from nvcodec.errors import PresetError, VideoError
from nvcodec.video import RawGeometry, VideoInfo, VideoReader, VideoWarning, open_video
from nvcodec.video.folders import is_video
from nvcodec.video.images import DECODERS
from nvcodec.video.motion import LOOKED_FRAMES, motion
from nvcodec.video.raw import RAW_SUFFIXES
from nvcodec.video.scaling import Scale, scale_text


class KnownSequence(Config):
    """A sequence as its data set describes it."""

    name: str
    pattern: str = Field(description="of the name of its file or folder, as a shell matches")
    num_frames: int | None = Field(None, ge=1)
    note: str = Field("", description="a pitfall, said when the sequence is used")


class Dataset(Config):
    """What is known of a data set."""

    title: str
    source: str = Field("", description="where to get it, and its licence")
    sequences: tuple[KnownSequence, ...] = Field(min_length=1)


@dataclass(frozen=True)
class SequenceOptions:
    """What of every clip is used: a range of frames, a size to scale to."""

    frames: slice | None = None
    scale: Scale | None = None

    def words(self) -> list[str]:
        """The same as options of `nvc`."""
        words = []
        if self.frames is not None:
            start, stop = self.frames.start or 0, self.frames.stop
            words += ["--frames", f"{start}:{'' if stop is None else stop}"]
        return words + (["--scale", scale_text(self.scale)] if self.scale else [])


@dataclass(frozen=True)
class VideoSequence:
    """One sequence to be coded, and how much of it."""

    name: str
    path: Path
    settings: SequenceOptions

    @property
    def label(self) -> str:
        """Its name, and what of it is used where that is not all."""
        return " ".join([self.name, *self.settings.words()[1::2]])

    def open(self) -> VideoReader:
        """Its frames."""
        return open_video(self.path, frames=self.settings.frames, scale=self.settings.scale)


@dataclass(frozen=True)
class Survey:
    """What reading a clip once has told."""

    info: VideoInfo
    num_frames: int
    digest: str
    """Of every sample."""
    motion: float
    """As `video.motion` measures it."""

    @property
    def megapixels(self) -> float:
        """Pixels of all frames, in millions."""
        return self.num_frames * self.info.width * self.info.height / 1e6


def survey(clip: VideoSequence) -> Survey:
    """Read a clip to its end; what there is to be said about it is left to those who code it.

    Raises:
        VideoError: it cannot be read.
    """
    digest, num_frames = hashlib.blake2b(digest_size=16), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        with clip.open() as video:
            info = video.info
            digest.update(repr((info.width, info.height, info.chroma.value, info.color)).encode())
            moved = motion(video.first(LOOKED_FRAMES), info)
            for planes in video:
                for plane in planes:
                    digest.update(plane.tobytes())
                num_frames += 1
    return Survey(replace(info, num_frames=num_frames), num_frames, digest.hexdigest(), moved)


def datasets_folder() -> Path:
    """Where data sets lie: package data in a wheel, `benchmarks/datasets` in a checkout."""
    package = Path(__file__).parent
    installed = package / "datasets_data"
    return installed if installed.is_dir() else package.parents[2] / "benchmarks" / "datasets"


def load_dataset(name: str) -> Dataset:
    """A data set by name, or by the path of a `.toml` file.

    Raises:
        PresetError: there is none, or it is not one.
    """
    path = Path(name) if name.endswith(".toml") else datasets_folder() / f"{name}.toml"
    known = sorted(file.stem for file in datasets_folder().glob("*.toml"))
    if not path.is_file():
        raise PresetError(
            f"data set {name!r} is unknown; allowed are {', '.join(known)}, or a file"
        )
    try:
        return Dataset.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PresetError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PresetError(f"{path}: {where}: {first['msg']}") from error


def find_sequences(
    paths: Sequence[str], settings: SequenceOptions, dataset: Dataset | None = None
) -> Iterator[VideoSequence]:
    """Every clip that the paths stand for.

    With a data set only its sequences, by their names there; one that is missing is warned of.

    Raises:
        VideoError: a path holds no video, two clips have one name, or raw video has another size
            than its name says.
    """
    found = [file for path in paths for file in _videos(Path(path))]
    if dataset is not None:
        clips = list(_of_dataset(found, settings, dataset))
    else:
        clips = [VideoSequence(_stem(file), file, settings) for file in found]
    seen: dict[str, Path] = {}
    for clip in clips:
        if clip.name in seen:
            raise VideoError(f"{clip.path}: the clip {clip.name} is {seen[clip.name]} already")
        seen[clip.name] = clip.path
        _check_raw(clip.path)
        yield clip
    if not clips:
        raise VideoError(f"{', '.join(paths)}: no video there")


def check_known(clip: VideoSequence, seen: Survey, dataset: Dataset) -> None:
    """Warn of what a data set says about a clip, and of another number of frames than it says."""
    known = next(k for k in dataset.sequences if k.name == clip.name)
    wanted = known.num_frames
    if wanted is not None and clip.settings.frames is not None:
        wanted = len(range(wanted)[clip.settings.frames])
    if wanted not in (None, seen.num_frames):
        text = f"{clip.name}: {seen.num_frames} frames, {dataset.title} has {wanted}"
        warnings.warn(text, VideoWarning, stacklevel=2)
    if known.note:
        warnings.warn(f"{clip.name}: {known.note}", VideoWarning, stacklevel=2)


def _videos(path: Path) -> Iterator[Path]:
    """The path itself, or the videos in a folder."""
    if not os.path.exists(path):  # also where the name is none
        raise VideoError(f"{path}: no such file")
    if not path.is_dir() or _has_pictures(path):
        yield path
        return
    for entry in sorted(path.iterdir()):
        if (entry.is_file() and is_video(entry)) or (entry.is_dir() and _has_pictures(entry)):
            yield entry


def _has_pictures(folder: Path) -> bool:
    return any(entry.suffix.lower() in DECODERS for entry in folder.iterdir())


def _stem(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _of_dataset(
    found: list[Path], settings: SequenceOptions, dataset: Dataset
) -> Iterator[VideoSequence]:
    for known in dataset.sequences:
        files = [file for file in found if fnmatch.fnmatch(file.name, known.pattern)]
        if not files:
            text = f"{known.name}: not found; no file is called {known.pattern}"
            warnings.warn(text, VideoWarning, stacklevel=2)
        for file in files:
            yield VideoSequence(known.name, file, settings)


def _check_raw(path: Path) -> None:
    """Refuse raw video whose size is not a whole number of frames."""
    if path.suffix.lower() not in RAW_SUFFIXES:
        return
    geometry, size = RawGeometry.from_name(path.name), path.stat().st_size
    frame, layout = geometry.layout.num_bytes, geometry.layout
    if size % frame or not size:
        samples = sum(h * w for h, w in geometry.chroma.plane_shapes(layout.height, layout.width))
        raise VideoError(
            f"{path}: {size:,} bytes / {frame:,} bytes a frame = {size / frame:.3f} frames; "
            f"{layout.width}x{layout.height} {geometry.chroma} is {samples:,} samples of "
            f"{frame // samples} bytes; is the geometry in the name right?"
        )
