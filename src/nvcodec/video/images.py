"""Numbered pictures as a video: which files they are, in which order, and how we name them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nvcodec.errors import VideoError

DECODERS = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg"}
"""ffmpeg's decoder by suffix."""

_ENDS = {"png": (b"\x89PNG\r\n\x1a\n", b"IEND"), "mjpeg": (b"\xff\xd8", b"\xff\xd9")}
"""How a whole picture begins and ends, by decoder."""
_TAIL_BYTES = 4096
"""Some programs put something behind the end."""
DEFAULT_NAME = "%05d.png"
FIELD = re.compile(r"%(0?)([0-9]?)d")


def is_picture(path: Path) -> bool:
    """Whether a name is that of a picture."""
    return path.suffix.lower() in DECODERS


def is_pattern(name: str) -> bool:
    """Whether the last part of a path is a printf pattern of pictures, such as `%05d.png`."""
    path = Path(name)
    return is_picture(path) and len(FIELD.findall(path.name)) == 1


def matching(pattern: Path) -> list[Path]:
    """Existing files that a printf pattern stands for, by number."""
    field = FIELD.search(pattern.name)
    assert field is not None
    head, tail = pattern.name[: field.start()], pattern.name[field.end() :]
    digits = f"[0-9]{{{field[2]},}}" if field[1] and field[2] else "[0-9]+"
    name = re.compile(f"{re.escape(head)}({digits}){re.escape(tail)}")
    found = [(name.fullmatch(path.name), path) for path in _entries(pattern.parent)]
    return [path for _, path in sorted((int(m[1]), path) for m, path in found if m)]


def pictures_in(folder: Path) -> list[Path]:
    """Pictures of a folder in natural order: `f2.png` before `f10.png`.

    Raises:
        VideoError: There are none, or of more than one kind.
    """
    found = [
        path for path in _entries(folder) if is_picture(path) and not path.name.startswith(".")
    ]
    return checked(sorted(found, key=natural_key), str(folder))


def checked(paths: list[Path], where: str) -> list[Path]:
    """The same pictures, if there are some and all of one kind."""
    kinds = sorted({path.suffix.lower() for path in paths})
    if not paths:
        raise VideoError(f"{where}: no pictures there; allowed are {', '.join(DECODERS)}")
    if len({DECODERS.get(kind) for kind in kinds}) > 1 or kinds[0] not in DECODERS:
        raise VideoError(
            f"{where}: pictures of the kinds {', '.join(kinds)}; allowed is one of "
            f"{', '.join(DECODERS)}"
        )
    return paths


def contents(paths: Sequence[Path]) -> Iterator[bytes]:
    """Bytes of one file after the other, each of them whole.

    Raises:
        VideoError: One cannot be read, or is not a whole picture of its kind.
    """
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise VideoError(f"{path}: cannot be read: {error.strerror}") from error
        begin, end = _ENDS[DECODERS[path.suffix.lower()]]
        if not content.startswith(begin):
            raise VideoError(f"{path}: is {'no picture of its kind' if content else 'empty'}")
        if end not in content[-_TAIL_BYTES:]:
            raise VideoError(f"{path}: is cut off")
        yield content


def gaps(paths: Sequence[Path]) -> int:
    """How many numbers are left out among pictures that are numbered."""
    found = [re.findall(r"[0-9]+", path.stem) for path in paths]
    if not all(found):
        return 0
    numbers = sorted(int(fields[-1]) for fields in found)
    return max(numbers[-1] - numbers[0] + 1 - len(numbers), 0)


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise VideoError(f"{folder}: cannot be read: {error.strerror}") from error


def natural_key(path: Path) -> list[tuple[int, str]]:
    """What names are sorted by so that `f2.png` comes before `f10.png`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]
