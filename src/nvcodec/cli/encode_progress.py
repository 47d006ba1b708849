"""How `nvc encode` shows what an encoding tells: a live line, JSON lines, and the end."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from nvcodec.cli.console import LiveLine, emit, format_bytes, format_time, warn_as
from nvcodec.cli.process import say
from nvcodec.cli.verify import quality_rows

if TYPE_CHECKING:
    from nvcodec.encode_types import (
        EncodeReport,
        Event,
        SegmentFitting,
        SegmentRefined,
        SegmentStarted,
    )


class Progress:
    """Shows the events and warnings of an encoding, while it is entered."""

    def __init__(self, json: bool, *, to_stdout: bool, quiet: bool) -> None:
        self.json, self.to_stdout, self.quiet = json, to_stdout, quiet
        self.line = LiveLine(quiet or json)
        self.started: SegmentStarted | None = None

    def __enter__(self) -> Self:
        warn_as(json=self.json, quiet=self.quiet, to_stderr=self.to_stdout)
        self.line.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.line.__exit__(*error)

    def __call__(self, event: "Event") -> None:
        """Show one event."""
        from nvcodec.encode_types import PresetChosen, SegmentRefined, SegmentStarted

        if isinstance(event, PresetChosen):
            if self.json:
                emit({"event": "preset", **asdict(event)}, self.to_stdout)
            elif not self.quiet:
                say(f"preset {event.preset}: {event.reason}")
        elif isinstance(event, SegmentStarted):
            self.started = event
            if self.json:
                emit(_segment_record(event), self.to_stdout)
            elif not self.quiet:
                say(_expectation(event))
        elif isinstance(event, SegmentRefined):
            if self.json:
                emit({"event": "refined", "segment": event.number, **asdict(event)}, self.to_stdout)
            elif not self.quiet:
                say(_refinement(event))
        elif self.json:
            record = {"event": "fit", "segment": event.number, **asdict(event.record)}
            emit(record, self.to_stdout)
        else:
            self._draw(event)

    def _draw(self, event: "SegmentFitting") -> None:
        record, started = event.record, self.started
        assert started is not None
        measured = ""
        if record.psnr_db is not None and record.size_bytes is not None:
            pixels = started.segment.num_frames * started.video.width * started.video.height
            rate_bpp = 8 * record.size_bytes / pixels
            measured = f"  {record.psnr_db:.2f} dB {rate_bpp:.4f} bpp quantized"
        whole_s = record.elapsed_s + record.eta_s
        when = f"ETA {format_time(record.eta_s)} of {format_time(whole_s)}"
        if record.step == record.num_steps:
            when = f"took {format_time(record.elapsed_s)}"
        later = ""
        if started.video.num_frames is not None:
            num_left = started.video.num_frames - started.segment.stop
            if num_left > 0:
                later_s = record.eta_s + whole_s * num_left / started.segment.num_frames
                later = f" ({format_time(later_s)} to go with all segments)"
        self.line.update(
            f"{event.number}: {record.stage} {record.stage_number + 1}/{record.num_stages}",
            record.step / record.num_steps,
            f"{record.step:,}/{record.num_steps:,}  {when}{later}{measured}",
        )


def _segment_record(event: "SegmentStarted") -> dict[str, Any]:
    return {
        "event": "segment",
        "segment": event.number,
        "frames": list(event.segment),
        "parameters": event.expected.num_parameters,
        "gmac_per_frame": event.expected.macs_per_frame / 1e9,
        "predicted_bytes": event.expected.size_bytes,
        "predicted_memory_bytes": event.expected.memory_bytes,
        "resumed": event.is_resumed,
    }


def _expectation(event: "SegmentStarted") -> str:
    video, (start, stop), expected = event.video, event.segment, event.expected
    total = f" of {video.num_frames}" if video.num_frames is not None else ""
    gmac, memory = expected.macs_per_frame / 1e9, format_bytes(expected.memory_bytes)
    return (
        f"segment {event.number}: frames {start}:{stop}{total} at {video.width}x{video.height}, "
        f"{expected.num_parameters:,} parameters, {gmac:.2g} GMAC/frame; "
        f"expected about {format_bytes(expected.size_bytes)}, and {memory} of memory"
        + ("; continuing" * event.is_resumed)
    )


def _refinement(event: "SegmentRefined") -> str:
    what = "is better" if event.is_better else "is no better, and stays as it was"
    return (
        f"segment {event.number} {what}: {event.bytes_before:,} bytes with "
        f"{event.psnr_before_db:.2f} dB before, {event.bytes_after:,} with "
        f"{event.psnr_after_db:.2f} dB fitted"
    )


def report_record(report: "EncodeReport") -> dict[str, Any]:
    """An encoding's result as plain values."""
    record = asdict(report)
    quality = record.pop("quality") or {}
    quality.pop("num_frames", None)
    return {**record, **quality}


def print_report(report: "EncodeReport", output: str) -> None:
    """An encoding's result for people."""
    plural = "s" * (report.num_segments > 1)
    there = ", is there already and complete" if report.was_there else ""
    rows = [
        ("file", f"{output}, {report.size_bytes:,} bytes{there}"),
        ("frames", f"{report.num_frames} in {report.num_segments} segment{plural}"),
        ("rate", f"{report.rate_bpp:.4f} bpp, {report.bitrate_kbps:.1f} kbit/s"),
    ]
    if report.quality is not None:
        rows += quality_rows(report.quality)
        if report.decode_s > 0:
            rows.append(("decoding", f"{report.num_frames / report.decode_s:.1f} frames/s"))
    rows.append(("fitting", format_time(report.fit_s)))
    for name, value in rows:
        say(f"{name:>9}  {value}")
