"""`nvc info`: header, segments, and where every byte goes. Loads no torch."""

import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import options
from nvcodec.cli.console import counted, emit
from nvcodec.errors import BitstreamError
from nvcodec.times import joined

if TYPE_CHECKING:
    from nvcodec.container.chunk_map import MapEntry
    from nvcodec.container.reader import Inspection
    from nvcodec.representations.config import RepresentationConfig


def info(
    source: Annotated[str, typer.Argument(metavar="IN.nvc", help="File to look at.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a .nvc file holds and where every byte goes, damage included."""
    from nvcodec.container.reader import inspect
    from nvcodec.errors import VideoError

    try:
        with options.naming(source):
            seen = inspect(source)
    except OSError as error:
        raise VideoError(f"{source}: cannot be read: {error.strerror}") from error
    if json:
        emit(_event(source, seen))
    else:
        sys.stdout.write("\n".join(_lines(source, seen)) + "\n")


def _event(source: str, seen: "Inspection") -> dict[str, Any]:
    """What `--json` prints."""
    head = seen.head.model_dump(mode="json")
    tags, streams = tags_of(head), seen.ancillary.get("mkvs")
    config = _representation(seen)
    macs, expected_fps = _decoding(seen, config) or (None, None)
    return {
        "event": "info",
        "file": source,
        "size_bytes": seen.size_bytes,
        "num_frames": seen.num_frames,
        "head": head,
        "random_access": _random_access(seen, config),
        "macs_per_frame": macs,
        "expected_fps": expected_fps,
        "clips": [
            {"name": c.name, "frames": list(c.segment), "frame_rate": str(c.frame_rate)}
            for c in seen.parts
        ],
        "mean_rate": _mean_rate(seen),
        "streams": [stream._asdict() for stream in streams.streams] if streams else [],
        "chapters": streams.num_chapters if streams else 0,
        "streams_bytes": seen.streams_bytes,
        "segments": [segment._asdict() for segment in seen.segments],
        "bytes": [_record(entry, tags) for entry in seen.entries],
        "damage": seen.damage,
    }


def _mean_rate(seen: "Inspection") -> float | None:
    """Frames a second where frames have times of their own."""
    videos = seen.ancillary.get("tstm")
    if not videos:
        return None
    rates = [part.frame_rate for part in seen.parts] or [Fraction(*seen.head.frame_rate)]
    if len(rates) != len(videos):
        return None
    times = joined(videos, rates)
    return float(times.mean_rate) if times and times.mean_rate else None


def _lines(source: str, seen: "Inspection") -> Iterator[str]:
    """The same for people."""
    head = seen.head.model_dump(mode="json")
    pixels = seen.num_frames * head["width"] * head["height"]
    size_bytes = seen.size_bytes - seen.streams_bytes
    rate = 8 * size_bytes / pixels if pixels else 0.0
    fps = head["frame_rate"][0] / head["frame_rate"][1]
    mean = _mean_rate(seen)
    speed = f"{fps:g} frames/s" if mean is None else f"variable rate, mean {mean:.4g} frames/s"
    beside = f" and {seen.streams_bytes:,} of other streams" if seen.streams_bytes else ""
    yield (
        f"{source}: {size_bytes:,} bytes{beside}, {counted(seen.num_frames, 'frame')}, "
        f"{head['width']}x{head['height']}, {speed}, {rate:.4f} bpp"
    )
    yield (
        f"video           {head['chroma']}, {head['bit_depth']} bits, {head['range']} range, CICP "
        f"{head['primaries']}/{head['transfer']}/{head['matrix']}, SAR "
        f"{head['sample_aspect_ratio'][0]}:{head['sample_aspect_ratio'][1]}, "
        f"fitted as {head['samples']}"
    )
    yield from _light(head)
    yield (
        f"format          version {head['format_version']}, "
        f"readable from {head['min_reader_version']}"
    )
    yield f"representation  {_fields(head['representation'])}"
    yield f"scheme          {_fields(head['scheme'])}"
    config = _representation(seen)
    yield f"random access   {_random_access(seen, config)}"
    if (work := _decoding(seen, config)) is not None:
        macs, expected_fps = work
        per_pixel = macs / (head["width"] * head["height"])
        yield (
            f"decoding        {per_pixel:,.0f} MAC a pixel, {macs / 1e9:.3g} GMAC a frame, "
            f"about {expected_fps:.2g} frames/s on this processor"
        )
    yield f"remark          {head['remark']}"
    for number, part in enumerate(seen.parts):
        yield (
            f"clip {number:<10} {part.name}: frames {part.segment.start}:{part.segment.stop}, "
            f"{float(part.frame_rate):g} frames/s"
        )
    if streams := seen.ancillary.get("mkvs"):
        for number, stream in enumerate(streams.streams):
            yield f"stream {number:<8} {stream.words}"
        if streams.num_chapters:
            yield f"chapters        {streams.num_chapters}"
    yield from ("", "      offset        size  share  what")
    tags = tags_of(head)
    for entry in seen.entries:
        for indent, row in (("", entry), *(("  ", part) for part in entry.parts)):
            place = f"{row.offset:12,}{row.size:12,}{row.size / max(seen.size_bytes, 1):7.1%}"
            text = tags.get(row.kind, row.description) if indent else row.description
            yield f"{place}  {indent + row.kind:<11} {text}"
    yield from (f"damage: {text}" for text in seen.damage)


def _light(head: dict[str, Any]) -> Iterator[str]:
    """What is said of chroma's place and of light, where anybody said it."""
    from nvcodec.samples import MasteringDisplay

    if head["siting"] is not None:
        yield f"siting          {head['siting']}"
    if head["mastering_display"] is not None:
        yield f"mastered on     {MasteringDisplay(*head['mastering_display']).words}"
    if head["content_light"] is not None:
        pixel, mean = head["content_light"]
        yield f"content light   at most {pixel} cd/m2, a frame's mean {mean}"


def tags_of(head: dict[str, Any]) -> Mapping[str, str]:
    """What the sections of the file's scheme hold; nothing if the scheme is unknown."""
    from nvcodec.coding.schemes import load_scheme

    try:
        return load_scheme(head["scheme"]).tags
    except (KeyError, ValueError):
        return {}


def _representation(seen: "Inspection") -> "RepresentationConfig | None":
    """Settings of the file's representation; None where nobody knows it here."""
    from nvcodec.segment_values import representation_config

    try:
        return representation_config(seen.head)
    except BitstreamError:
        return None


def _random_access(seen: "Inspection", config: "RepresentationConfig | None") -> str:
    """What decoding one frame touches."""
    if config is None:
        return "unknown: the representation is"
    count, inside = seen.most_needed, config.random_access
    return f"{inside}; a segment needs up to {count} before it" if count else inside


def _decoding(
    seen: "Inspection", config: "RepresentationConfig | None"
) -> tuple[int, float] | None:
    """Multiply-adds of one frame, and frames/s that this machine is expected to decode."""
    from nvcodec.decoding_pace import expected_fps
    from nvcodec.segment_values import segment_shape

    if config is None or not seen.segments:
        return None
    shape = segment_shape(seen.head, max(segment.num_frames for segment in seen.segments))
    try:
        return config.macs_per_frame(shape), expected_fps(config, shape)
    except ValueError:
        return None


def _record(entry: "MapEntry", tags: Mapping[str, str]) -> dict[str, Any]:
    def named(part: "MapEntry") -> dict[str, Any]:
        return part._asdict() | {"description": tags.get(part.kind, part.description)}

    return entry._asdict() | {"parts": [named(part) for part in entry.parts]}


def _fields(table: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in table.items())
