"""`nvc info`: header, segments, and where every byte goes. Loads no torch."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import options
from nvcodec.cli.console import emit

if TYPE_CHECKING:
    from nvcodec.container.chunk_map import MapEntry


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
    head = seen.head.model_dump(mode="json")
    size = seen.size_bytes
    frames = sum(segment.num_frames for segment in seen.segments)
    if json:
        record: dict[str, Any] = {
            "event": "info",
            "file": source,
            "size_bytes": size,
            "num_frames": frames,
            "head": head,
            "random_access": _random_access(head),
            "clips": [
                {"name": c.name, "frames": list(c.segment), "frame_rate": str(c.frame_rate)}
                for c in seen.parts
            ],
            "segments": [segment._asdict() for segment in seen.segments],
            "bytes": [_record(entry) for entry in seen.entries],
            "damage": seen.damage,
        }
        emit(record)
        return
    pixels = frames * head["width"] * head["height"]
    rate = 8 * size / pixels if pixels else 0.0
    fps = head["frame_rate"][0] / head["frame_rate"][1]
    parts = [
        f"clip {number:<10} {clip.name}: frames {clip.segment.start}:{clip.segment.stop}, "
        f"{float(clip.frame_rate):g} frames/s"
        for number, clip in enumerate(seen.parts)
    ]
    lines = [
        f"{source}: {size:,} bytes, {frames} frames, {head['width']}x{head['height']}, "
        f"{fps:g} frames/s, {rate:.4f} bpp",
        f"video           {head['chroma']}, {head['bit_depth']} bits, {head['range']} range, CICP "
        f"{head['primaries']}/{head['transfer']}/{head['matrix']}, SAR "
        f"{head['sample_aspect_ratio'][0]}:{head['sample_aspect_ratio'][1]}, "
        f"fitted as {head['samples']}",
        f"format          version {head['format_version']}, "
        f"readable from {head['min_reader_version']}",
        f"representation  {_fields(head['representation'])}",
        f"scheme          {_fields(head['scheme'])}",
        f"random access   {_random_access(head)}",
        f"remark          {head['remark']}",
        *parts,
        "",
        "      offset        size  share  what",
    ]
    for entry in seen.entries:
        for depth, part in ((0, entry), *((1, part) for part in entry.parts)):
            name, share = "  " * depth + part.kind, part.size / max(size, 1)
            place = f"{part.offset:12,}{part.size:12,}{share:7.1%}"
            lines.append(f"{place}  {name:<11} {part.description}")
    lines += [f"damage: {text}" for text in seen.damage]
    sys.stdout.write("\n".join(lines) + "\n")


def _random_access(head: dict[str, Any]) -> str:
    """What decoding one frame touches."""
    from nvcodec.representations import load_config

    try:
        return load_config(head["representation"]).random_access
    except (KeyError, ValueError):
        return "unknown: the representation is"


def _record(entry: "MapEntry") -> dict[str, Any]:
    record = entry._asdict()
    return {**record, "parts": [_record(part) for part in entry.parts]}


def _fields(table: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in table.items())
