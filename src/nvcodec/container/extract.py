"""Whole segments of a `.nvc` file as a file of their own, or an unfinished file properly ended.

    SEGM 2, frames 32:48 --> SEGM 0, frames 0:16        its sections byte for byte, nothing decoded

Numbers, HEAD's number of frames, and ancillary chunks are made to fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from nvcodec.container.chunk_payloads import SegmentInfo
from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.container.kinds import KINDS, Place
from nvcodec.container.reader import NvcReader
from nvcodec.container.tail import shown_between
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import OutputError, TruncatedError, VideoError
from nvcodec.segments import Segment
from nvcodec.video.copying import trimmed


@dataclass(frozen=True)
class Choice:
    """Which segments; nothing given: all that are finished, of a file that is not."""

    frames: slice | None = None
    segments: slice | None = None
    clip: str | None = None


@dataclass(frozen=True)
class Extract:
    """What was copied."""

    segments: Segment
    """Their numbers in the source, half-open."""
    frames: Segment
    """Their frames in the source."""
    num_frames: int | None
    """Frames that the whole source has or was to have."""
    is_unfinished: bool
    """Whether the source has no proper end."""
    dropped: tuple[str, ...]
    """Kinds of chunks that could not come along."""
    size_bytes: int


def extract(
    source: str | Path,
    target: str | Path | BinaryIO,
    choice: Choice,
    *,
    overwrite: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Extract:
    """Copy segments into a new file.

    Raises:
        BitstreamError: the source is damaged, or has no whole segment.
        VideoError: the choice does not fall on borders of segments, or they need earlier ones.
        OutputError: the target is there already, or cannot be written.
    """
    if isinstance(target, str | Path) and part_path(target).exists():
        raise OutputError(f"{part_path(target)}: an unfinished file is there; use another name")
    with NvcReader(source, limits=limits, unfinished=True) as reader:
        if not reader.is_seekable:
            raise VideoError(f"{source}: is a pipe; segments are copied from a file")
        entries = reader.chunk_map()  # which looks at every checksum
        infos, head = reader.segments_read, reader.head
        chosen = _chosen(reader, infos, choice)
        picked = infos[chosen.start : chosen.stop]
        _check_alone(reader, picked)
        frames = Segment(picked[0].first_frame, picked[-1].segment.stop)
        values = reader.ancillary_read
        if picked != infos:
            values = {kind: _cut(reader, kind, value, frames) for kind, value in values.items()}
        kept = {kind: value for kind, value in values.items() if value is not None}
        unknown = {e.kind for e in entries if len(e.kind) == 4 and e.kind not in KINDS}
        size_bytes = _write(reader, target, picked, kept, overwrite)
        return Extract(
            segments=chosen,
            frames=frames,
            num_frames=head.num_frames
            or (None if reader.is_unfinished else infos[-1].segment.stop),
            is_unfinished=reader.is_unfinished,
            dropped=tuple(sorted(unknown | (values.keys() - kept.keys()))),
            size_bytes=size_bytes,
        )


def _chosen(reader: NvcReader, infos: Sequence[SegmentInfo], choice: Choice) -> Segment:
    """Numbers of the segments that are asked for."""
    if not infos:
        raise TruncatedError("no segment is finished yet")
    if choice.clip is not None:
        return _between(infos, reader.find_part(choice.clip).segment, f"clip {choice.clip}")
    asked = choice.frames if choice.segments is None else choice.segments
    count = len(infos) if choice.frames is None else infos[-1].segment.stop
    if asked is None:
        if not reader.is_unfinished:
            raise VideoError(
                "the file is finished", "{frames}, {segments} or {clip} chooses a part"
            )
        return Segment(0, count)
    what = "frames" if choice.segments is None else "segments"
    start, stop = asked.start or 0, count if asked.stop is None else asked.stop
    if start >= count:
        raise VideoError(f"{what} {start}:{stop}: not in the file, which has {count}")
    wanted = Segment(start, min(stop, count))
    return wanted if choice.frames is None else _between(infos, wanted, f"frames {start}:{stop}")


def _between(infos: Sequence[SegmentInfo], wanted: Segment, where: str) -> Segment:
    """Numbers of the segments that hold just these frames."""
    touched = [info for info in infos if info.first_frame < wanted.stop]
    touched = [info for info in touched if info.segment.stop > wanted.start]
    start, stop = touched[0].first_frame, touched[-1].segment.stop
    if (start, stop) == wanted:
        return Segment(touched[0].number, touched[-1].number + 1)
    inside = touched[0] if start != wanted.start else touched[-1]
    border = wanted.start if start != wanted.start else wanted.stop
    a, b = inside.segment
    raise VideoError(
        f"{where}: frame {border} is inside segment {inside.number}, frames {a}:{b}; segments are "
        f"copied whole: {start}:{stop} has all of it"
    )


def _check_alone(reader: NvcReader, picked: Sequence[SegmentInfo]) -> None:
    """Refuse segments that are decoded with others that do not come along."""
    first = picked[0].number
    for info in picked:
        needed = reader.read_segment(info.number).references
        if needed and needed[-1] < first:
            begin = reader.index[needed[-1]].first_frame
            raise VideoError(
                f"segment {info.number}: is decoded with segment {needed[-1]}, which is not "
                f"chosen; it begins at frame {begin}"
            )


def _cut(reader: NvcReader, kind: str, value: Any, frames: Segment) -> Any:
    if kind == "mkvs":  # whose packets have times, not frames
        times = reader.ancillary_read.get("tstm")
        rate = Fraction(*reader.head.frame_rate)
        count = reader.segments_read[-1].segment.stop
        span = shown_between(times[0][1] if times else None, rate, frames, count)
        return trimmed(value, span) if span else value
    cut = KINDS[kind].cut
    return None if cut is None else cut(value, frames)


def _write(
    reader: NvcReader,
    target: str | Path | BinaryIO,
    picked: Sequence[SegmentInfo],
    values: dict[str, Any],
    overwrite: bool,
) -> int:
    """The new file; gives its size in bytes."""
    first, shift = picked[0].number, picked[0].first_frame
    changes: dict[str, Any] = {"num_frames": picked[-1].segment.stop - shift}
    if values.get("clip"):
        changes["frame_rate"] = values["clip"][0].frame_rate.as_integer_ratio()
    head = reader.head.model_copy(update=changes)
    writer = NvcWriter(target, head, overwrite=overwrite, limits=reader.limits)
    try:
        for kind, value in values.items():
            if KINDS[kind].place is Place.FRONT:
                writer.add(kind, value)
        for info in picked:
            coded = reader.read_segment(info.number)
            references = tuple(number - first for number in coded.references)
            writer.write_segment(
                coded._replace(
                    number=coded.number - first,
                    first_frame=coded.first_frame - shift,
                    references=references,
                )
            )
        for kind, value in values.items():
            if KINDS[kind].place is Place.TAIL:
                writer.add(kind, value)
        return writer.finish()
    except BaseException:
        writer.discard()
        raise
