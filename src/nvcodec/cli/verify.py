"""`nvc verify`: whether a file is whole, and how near it is to its source."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import config, options
from nvcodec.cli.console import LiveLine, counted, emit, warn_as

if TYPE_CHECKING:
    from nvcodec.container.header import Limits
    from nvcodec.decoder import Decoder
    from nvcodec.metrics.quality import Quality
    from nvcodec.video import VideoReader


def verify(
    source: Annotated[str, typer.Argument(metavar="IN.nvc", help="File to check.")],
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SRC", help="Also compare with this video; repeatable, for several in one file."
        ),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="A:B", help="The frames of SRC that were encoded.")
    ] = None,
    start: options.Start = None,
    end: options.End = None,
    scale: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The size that SRC was encoded in.")
    ] = None,
    raw: options.Raw = None,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    threads: options.Threads = None,
    config: config.Config = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every checksum and the hash of all decoded integers; with SRC, measure the quality."""
    warn_as(json=json, quiet=quiet)
    limits, wanted = options.changed_limits(limit), options.frame_range(frames)
    size, geometry = options.scale(scale), options.raw_geometry(raw)
    between = options.time_range(start, end, frames)
    options.check_sources((source, *(against or ())))
    quality = None
    if not against:
        num_segments, num_frames = _check_integers(source, limits)
    else:
        given = {"frames": wanted, "between": between, "scale": size, "raw": geometry}
        with LiveLine(quiet or json) as line:
            num_segments, quality = _measured(source, against, given, device, limits, line)
        num_frames = quality.num_frames
    record: dict[str, Any] = {"event": "done", "segments": num_segments, "frames": num_frames}
    if json:
        measured = asdict(quality) if quality else {}
        measured.pop("num_frames", None)
        emit({**record, **measured})
    elif not quiet:
        held = f"{counted(num_segments, 'segment')}, {counted(num_frames, 'frame')}"
        print(f"{source}: {held}, every hash matches")
        if quality is not None:
            print("\n".join(f"{name:>9}  {value}" for name, value in quality_rows(quality)))


def _measured(
    source: str,
    against: list[str],
    given: dict[str, Any],
    device: str,
    limits: "Limits",
    line: LiveLine,
) -> "tuple[int, Quality]":
    """Segments of a file, and its quality; they are checked as they are decoded, so once."""
    from nvcodec.decoder import Decoder
    from nvcodec.video import open_videos

    with (
        options.naming(source),
        Decoder(source, device=device, limits=limits) as decoder,
        open_videos(
            against,
            **given,
            depth=8 if decoder.info.depth == 8 else None,  # as `encode --depth 8` read it
        ) as video,
    ):
        quality = _compare(decoder, video, " and ".join(against), line)
        return len(decoder.reader.segments_read), quality


def _check_integers(source: str, limits: "Limits") -> tuple[int, int]:
    """Segments and frames of a file whose every checksum and hash holds; loads no torch."""
    from nvcodec.container.reader import NvcReader
    from nvcodec.segment_values import SegmentValues, check_conversion

    num_segments = num_frames = 0
    with options.naming(source), NvcReader(source, limits=limits) as reader:
        check_conversion(reader.head)
        read = reader.find_segment if reader.is_seekable else None
        values = SegmentValues(reader.head, limits, read)
        for segment in reader.segments():
            values.of(segment)
            num_segments += 1
            num_frames += segment.num_frames
    return num_segments, num_frames


def quality_rows(quality: "Quality") -> list[tuple[str, str]]:
    """Names and values of a measured quality, for people."""
    rows = [("PSNR-RGB", f"{quality.psnr_rgb_db:.2f} dB")]
    if quality.psnr_yuv_db is not None:
        planes = ", ".join(f"{p:.2f}" for p in quality.psnr_planes_db)
        rows.append(("PSNR-YUV", f"{quality.psnr_yuv_db:.2f} dB (planes {planes})"))
    if quality.ms_ssim_rgb is not None:
        rows.append(("MS-SSIM", f"{quality.ms_ssim_rgb:.4f}"))
    return rows


def _compare(decoder: "Decoder", video: "VideoReader", against: str, line: LiveLine) -> "Quality":
    """Quality of all frames of a file.

    Raises:
        VerificationError: the two do not have the same size, samples or number of frames.
    """
    from nvcodec.errors import VerificationError
    from nvcodec.metrics.comparison import Side, common_info, compare
    from nvcodec.samples import Chroma

    ours, theirs = decoder.info, video.info
    if ours.depth != theirs.depth:
        raise VerificationError(
            f"{against}: {theirs.depth} bits a sample, the file has {ours.depth}"
        )
    # Pictures and the planes that they were made into are compared; else it is another video.
    chromas = {ours.chroma, theirs.chroma}
    is_other = len(chromas) > 1 and Chroma.RGB not in chromas
    if is_other or common_info(theirs, ours) is None:
        raise VerificationError(
            f"{against}: {theirs.width}x{theirs.height} {theirs.chroma}, the file has "
            f"{ours.width}x{ours.height} {ours.chroma}"
        )
    # A pipe tells at its end how many there are, if HEAD does not.
    expected = decoder.num_frames
    if None not in (theirs.num_frames, expected) and theirs.num_frames != expected:
        raise VerificationError(f"{against}: {theirs.num_frames} frames, the file has {expected}")

    def tell(seen: int) -> None:
        line.update("compare", seen / (expected or seen), f"frame {seen}/{expected or '?'}")

    found = compare(Side(theirs, video), Side(ours, decoder.planes()), on_frame=tell)
    count = found.quality.num_frames
    if found.longer == "other":
        raise VerificationError(f"{against}: {count} frames, the file has {expected or 'more'}")
    if found.longer == "reference":
        raise VerificationError(
            f"{against}: more than the {count} frames of the file; "
            "--frames A:B says which were encoded"
        )
    return found.quality
