"""Creating a video of any kind: which writer a target needs, and one face for all of them.

    .y4m, `-`, a stream             Y4M, native
    .yuv                            raw planes, native
    .mp4 .mkv .mov .webm .avi       encoders.py
    folder or printf pattern        numbered pictures, pictures.py
    .png .jpg .gif .apng .webp ...  one picture, or one that moves, pictures.py

Nothing half-written ever carries the final name: files and folders grow under a temporary one that
did not exist, and are renamed at the end, or removed when an exception passes. Nothing else is.
"""

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Protocol, Self

from nvcodec.disk import new_file, new_folder
from nvcodec.errors import OutputError, UnsupportedVideoError
from nvcodec.samples import Chroma
from nvcodec.streams import Streams
from nvcodec.times import FrameTimes
from nvcodec.video import encoders, images, pictures, y4m
from nvcodec.video.color import BT601, yuv_info_of_rgb, yuv_planes_of_rgb
from nvcodec.video.copying import warn_left
from nvcodec.video.encoders import Conversion, MovieSettings
from nvcodec.video.hdr import without_hdr
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.planar import check_planes, plane_chunks

RAW_SUFFIX = ".yuv"
PICTURE_SUFFIXES = tuple({**pictures.STILLS, **pictures.MOVING})
ALLOWED = (
    f"{', '.join(('.y4m', RAW_SUFFIX, *encoders.MOVIE_SUFFIXES, *PICTURE_SUFFIXES))}, a folder, a "
    "pattern such as %05d.png, or -"
)


class Sink(Protocol):
    """Takes frames and stores them."""

    def write(self, planes: Planes) -> None:
        """Append a frame."""

    def finish(self) -> None:
        """Store everything; called once, at the end."""

    def abort(self) -> None:
        """Stop; what was stored is thrown away."""


class Target(Protocol):
    """Where the result goes in the end."""

    def commit(self) -> None:
        """Give the result its final name."""

    def discard(self) -> None:
        """Remove what was written."""


class VideoWriter:
    """A video being written; a context manager.

    `stored` describes what the target holds, which differs from the frames handed in where the
    format cannot take them as they are.
    """

    def __init__(
        self, info: VideoInfo, stored: VideoInfo, convert: Conversion, sink: Sink, target: Target
    ) -> None:
        self.info = info
        self.stored = stored
        self.num_frames = 0
        self._convert = convert
        self._sink = sink
        self._target = target
        self._is_open = True

    def write(self, planes: Planes) -> None:
        """Append a frame of the video that `info` describes.

        Raises:
            OutputError: The target cannot be written, or the disk is full.
            ValueError: The planes do not fit `info`.
        """
        check_planes(planes, self.info)
        self._sink.write(self._convert(planes))
        self.num_frames += 1

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._is_open:
            self._is_open = False
            try:
                self._sink.finish()
                self._target.commit()
            except BaseException:
                self._target.discard()
                raise

    def abort(self) -> None:
        """Stop and remove what was written."""
        if self._is_open:
            self._is_open = False
            self._sink.abort()
            self._target.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


@contextlib.contextmanager
def _output_errors(where: str) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{where}: cannot be written: {error.strerror or error}") from error


class _StreamSink:
    """Y4M or raw planes onto a binary stream, which is closed at the end only when it is ours."""

    def __init__(
        self, stream: IO[bytes], info: VideoInfo, where: str, *, is_raw: bool, is_ours: bool
    ) -> None:
        self._stream, self._where, self._is_raw, self._is_ours = stream, where, is_raw, is_ours
        if not is_raw:
            with _output_errors(where):
                stream.write(y4m.header_bytes(info))

    def write(self, planes: Planes) -> None:
        with _output_errors(self._where):
            if self._is_raw:
                for chunk in plane_chunks(planes):
                    self._stream.write(chunk)
            else:
                y4m.write_frame(self._stream, planes)

    def finish(self) -> None:
        with _output_errors(self._where):
            self._stream.flush()
            if self._is_ours:
                self._stream.close()

    def abort(self) -> None:
        if self._is_ours:
            with contextlib.suppress(OSError):
                self._stream.close()


class _NoTarget:
    """A stream: there is nothing to rename."""

    def commit(self) -> None:
        pass

    def discard(self) -> None:
        pass


class _FileTarget:
    """A file that is written under another name first."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already; it is replaced only on request")
        _check_parent(path)
        self.path = path
        self.temporary = new_file(path)

    def commit(self) -> None:
        with _output_errors(str(self.path)):
            os.replace(self.temporary, self.path)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)


class _FolderTarget:
    """A folder of pictures that is written under another name first: inside it, if it is there.

    An existing folder keeps its other files; pictures of the same pattern are replaced, all of
    them, so that no frames of an older and longer video stay behind. They go when the new ones are
    in place.
    """

    def __init__(self, pattern: Path, overwrite: bool) -> None:
        self.folder, self.pattern = pattern.parent, pattern
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder}: is a file, pictures need a folder")
        if not overwrite and self.folder.is_dir() and images.matching(pattern):
            raise OutputError(f"{pattern}: pictures exist already; replaced only on request")
        is_there = self.folder.is_dir()
        _check_parent(self.folder / pattern.name if is_there else self.folder)
        parent = self.folder if is_there else self.folder.parent
        self.temporary = new_folder(parent, self.folder.name or "pictures")

    def commit(self) -> None:
        with _output_errors(str(self.folder)):
            if not self.folder.exists():
                os.replace(self.temporary, self.folder)
                return
            old, new = images.matching(self.pattern), sorted(self.temporary.iterdir())
            for picture in new:
                os.replace(picture, self.folder / picture.name)
            for name in {picture.name for picture in old} - {picture.name for picture in new}:
                (self.folder / name).unlink()
            self.temporary.rmdir()

    def discard(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)


def _check_parent(path: Path) -> None:
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{path}: cannot be written: there is no folder {parent}")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{path}: cannot be written: no permission in {parent}")


def create_video(
    target: str | Path | BinaryIO,
    info: VideoInfo,
    *,
    codec: str | None = None,
    crf: int | None = None,
    speed: str | None = None,
    overwrite: bool = False,
    times: FrameTimes | None = None,
    streams: Streams | None = None,
) -> VideoWriter:
    """Open a video for writing.

    Args:
        target: Its ending chooses the format: .y4m, .yuv, a movie (.mp4, .mkv, .mov, .webm, .avi),
            a moving picture (.gif, .apng, .webp), one frame (.png, .jpg, .webp, .bmp, .tif), or
            pictures by printf pattern, or PNG in a folder (no ending, or a slash at the end). A
            binary stream, and `-` for standard output, get Y4M.
        info: Description of the frames that will be written.
        codec: Codec of a movie: x264 (the default of 8 bits), x265 (of more), svt-av1, vvenc, vp9
            (of .webm) or ffv1.
        crf: Quality number of that codec, 0 the best; visually lossless unless given.
        speed: The codec's preset, in its own words.
        overwrite: Whether an existing target may be replaced.
        times: When each frame is shown, if not evenly at the frame rate; what cannot keep them says
            so with `VideoWarning`.
        streams: Audio and the like, to be written beside the frames as they are; what cannot be is
            said likewise.

    Raises:
        OutputError: It exists already or cannot be written.
        UnsupportedVideoError: The format or the codec cannot hold this video.
        ToolMissingError: It needs ffmpeg, and there is none.
    """
    settings, where = MovieSettings(codec, crf, speed), _name(target)
    if Path(where).suffix.lower() not in encoders.MOVIE_SUFFIXES:
        if settings.asked:
            raise UnsupportedVideoError(f"{where}: {settings.asked[0]} is for movies only")
        if times is not None:
            encoders.warn_times(where)
        if streams is not None:
            warn_left(where, streams.words, streams)
    if target == "-":
        return _native(sys.stdout.buffer, info, where, _NoTarget())
    if not isinstance(target, str | os.PathLike):
        return _native(target, info, where, _NoTarget())
    with _output_errors(where):
        make = functools.partial(
            encoders.movie_sink, settings=settings, times=times, streams=streams
        )
        return _create_file(Path(target), where, info, make, overwrite)


def _name(target: str | Path | BinaryIO) -> str:
    if target == "-":
        return "standard output"
    is_path = isinstance(target, str | os.PathLike)
    return str(target if is_path else getattr(target, "name", "stream"))


MakeSink = Callable[..., tuple[Sink, VideoInfo, Conversion]]
"""Takes the description, a path to write to, and the target's name; gives what is stored too."""


def _create_file(
    path: Path, where: str, info: VideoInfo, movie_sink: MakeSink, overwrite: bool
) -> VideoWriter:
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe or a device
        return _native(path.open("wb"), info, where, _NoTarget(), is_ours=True)
    if pictures.is_pattern(path):
        return _pictures(path, info, where, overwrite)
    if where.endswith(("/", os.sep)) or not path.suffix or path.is_dir():
        return _pictures(path / images.DEFAULT_NAME, info, where, overwrite)
    suffix = path.suffix.lower()
    if suffix in (".y4m", RAW_SUFFIX):
        file = _FileTarget(path, overwrite)
        stream = file.temporary.open("r+b")
        return _native(stream, info, where, file, is_raw=suffix == RAW_SUFFIX, is_ours=True)
    if suffix in encoders.MOVIE_SUFFIXES:
        file = _FileTarget(path, overwrite)
        return _through_ffmpeg(info, file, movie_sink, file.temporary, where)
    if suffix in PICTURE_SUFFIXES:
        file = _FileTarget(path, overwrite)
        return _through_ffmpeg(info, file, pictures.picture_sink, file.temporary, where)
    raise UnsupportedVideoError(f"{where}: no video format {suffix!r}; allowed are {ALLOWED}")


def _native(
    stream: IO[bytes],
    info: VideoInfo,
    where: str,
    target: Target,
    *,
    is_raw: bool = False,
    is_ours: bool = False,
) -> VideoWriter:
    is_rgb = info.chroma is Chroma.RGB
    stored = without_hdr(yuv_info_of_rgb(info, BT601) if is_rgb else info, where)
    sink = _StreamSink(stream, stored, where, is_raw=is_raw, is_ours=is_ours)

    def convert(planes: Planes) -> Planes:
        return yuv_planes_of_rgb(planes, stored) if is_rgb else planes

    return VideoWriter(info, stored, convert, sink, target)


def _pictures(pattern: Path, info: VideoInfo, where: str, overwrite: bool) -> VideoWriter:
    folder = _FolderTarget(pattern, overwrite)
    inside = folder.temporary / pattern.name
    return _through_ffmpeg(info, folder, pictures.numbered_sink, inside, where)


def _through_ffmpeg(
    info: VideoInfo, target: Target, make: MakeSink, path: Path, where: str
) -> VideoWriter:
    try:
        sink, stored, convert = make(info, path, where)
    except BaseException:
        target.discard()
        raise
    return VideoWriter(info, stored, convert, sink, target)
