"""`nvc verify`: whether a file is whole, and how near it is to its source."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import options
from nvcodec.cli.console import LiveLine, emit, warn_as

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
        str | None, typer.Option(metavar="WxH", help="The size that SRC was encoded in.")
    ] = None,
    raw: options.Raw = None,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every checksum and the hash of all decoded integers; with SRC, measure the quality."""
    warn_as(json=json, quiet=quiet)
    limits, wanted = options.changed_limits(limit), options.frame_range(frames)
    between = options.time_range(start, end, frames)
    size, geometry = options.picture_size(scale), options.raw_geometry(raw)
    options.check_sources((source, *(against or ())))
    quality = None
    if not against:
        num_segments, num_frames = _check_integers(source, limits)
    else:
        from nvcodec.decoder import Decoder
        from nvcodec.video import open_videos

        # Its segments are checked as they are decoded for the comparison, so once.
        with (
            options.naming(source),
            Decoder(source, device=device, limits=limits) as decoder,
            open_videos(
                against,
                frames=wanted,
                scale=size,
                raw=geometry,
                between=between,
                depth=8 if decoder.info.depth == 8 else None,  # as `encode --depth 8` read it
            ) as video,
            LiveLine(quiet or json) as line,
        ):
            quality = _compare(decoder, video, " and ".join(against), line)
            num_segments = len(decoder.reader.segments_read)
            num_frames = quality.num_frames
    record: dict[str, Any] = {"event": "done", "segments": num_segments, "frames": num_frames}
    if json:
        measured = asdict(quality) if quality else {}
        measured.pop("num_frames", None)
        emit({**record, **measured})
    elif not quiet:
        print(f"{source}: {num_segments} segments, {num_frames} frames, every hash matches")
        if quality is not None:
            print("\n".join(f"{name:>9}  {value}" for name, value in quality_rows(quality)))


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
    from nvcodec.metrics.quality import QualityMeter
    from nvcodec.samples import Chroma
    from nvcodec.video.color import picture_info, picture_planes

    ours, theirs = decoder.info, video.info
    mine = (ours.width, ours.height, ours.chroma.value)
    other = (theirs.width, theirs.height, theirs.chroma.value)
    # Pictures and the planes that they were made into are compared as RGB.
    kinds = {ours.chroma, theirs.chroma}
    is_mixed = mine != other
    if is_mixed and (mine[:2] != other[:2] or Chroma.RGB not in kinds or Chroma.GRAY in kinds):
        raise VerificationError(
            f"{against}: {other[0]}x{other[1]} {other[2]}, the file has "
            f"{mine[0]}x{mine[1]} {mine[2]}"
        )
    # A pipe tells at its end how many there are, if HEAD does not.
    expected = len(decoder) if decoder.reader.is_seekable else ours.num_frames
    if None not in (theirs.num_frames, expected) and theirs.num_frames != expected:
        raise VerificationError(f"{against}: {theirs.num_frames} frames, the file has {expected}")
    if ours.depth != theirs.depth:
        raise VerificationError(
            f"{against}: {theirs.depth} bits a sample, the file has {ours.depth}"
        )
    meter = QualityMeter(picture_info(theirs) if is_mixed else theirs)
    references = iter(video)
    for planes in decoder.planes():
        reference = next(references, None)
        if reference is None:
            raise VerificationError(
                f"{against}: {meter.num_frames} frames, the file has {expected or 'more'}"
            )
        if is_mixed:
            reference = picture_planes(reference, theirs)
            planes = picture_planes(planes, ours)
        meter.add(reference, planes)
        seen, total = meter.num_frames, expected or meter.num_frames
        line.update("compare", seen / total, f"frame {seen}/{expected or '?'}")
    if next(references, None) is not None:
        raise VerificationError(
            f"{against}: more than the {meter.num_frames} frames of the file; "
            "--frames A:B says which were encoded"
        )
    return meter.quality()
