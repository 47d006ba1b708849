"""How `nvc encode` shows what an encoding tells: a live line, JSON lines, and the end."""

import operator
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from nvcodec.cli.console import LiveLine, emit, format_bytes, format_time, warn_as
from nvcodec.cli.one_line import Part
from nvcodec.cli.process import say
from nvcodec.cli.verify import quality_rows

if TYPE_CHECKING:
    from nvcodec.encode_types import (
        EncodeOptions,
        EncodeReport,
        Event,
        SegmentFitting,
        SegmentRefined,
        SegmentStarted,
    )
    from nvcodec.fitting.record import FitRecord

LONG_S = 1200.0
"""What is said to take long."""


class Progress:
    """Shows the events and warnings of an encoding, while it is entered."""

    def __init__(
        self, json: bool, quiet: bool, to_stdout: bool, is_timed: bool, has_workers: bool
    ) -> None:
        self.json, self.to_stdout, self.quiet = json, to_stdout, quiet
        self.line = LiveLine(quiet or json)
        self.at_work: dict[int, tuple[SegmentStarted, FitRecord | None]] = {}
        """Segments being fitted, and how far; several of them with workers."""
        self.is_timed, self.has_workers = is_timed, has_workers
        """Whether nobody has to be told that it takes long, and whether others do the work."""

    @classmethod
    def of(cls, options: "EncodeOptions", json: bool, quiet: bool, to_stdout: bool = False) -> Self:
        """That of an encoding with these options."""
        return cls(json, quiet, to_stdout, options.max_time_s is not None, options.workers != 1)

    def __enter__(self) -> Self:
        warn_as(json=self.json, quiet=self.quiet, to_stderr=self.to_stdout)
        self.line.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.line.__exit__(*error)

    def __call__(self, event: "Event") -> None:
        """Show one event."""
        from nvcodec.encode_types import (
            PresetChosen,
            SegmentFitting,
            SegmentRefined,
            SegmentStarted,
        )

        if isinstance(event, PresetChosen):
            if self.json:
                emit({"event": "preset", **asdict(event)}, self.to_stdout)
            elif not self.quiet:
                say(f"preset {event.preset}: {event.reason}")
        elif isinstance(event, SegmentStarted):
            self.at_work = {
                **(self.at_work if self.has_workers else {}),
                event.number: (event, None),
            }
            if self.json:
                emit(_segment_record(event), self.to_stdout)
            elif not self.quiet:
                say(_expectation(event))
        elif isinstance(event, SegmentRefined):
            if self.json:
                emit({"event": "refined", "segment": event.number, **asdict(event)}, self.to_stdout)
            elif not self.quiet:
                say(_refinement(event))
        elif not isinstance(event, SegmentFitting):
            return
        elif self.json:
            record = {"event": "fit", "segment": event.number, **asdict(event.record)}
            emit(record, self.to_stdout)
        else:
            self._draw(event)

    def finish(self, report: "EncodeReport", output: str) -> None:
        """Show the result."""
        if self.json:
            emit({"event": "done", **report_record(report)}, self.to_stdout)
        elif not self.quiet:
            for name, value in report_rows(report, output):
                say(f"{name:>9}  {value}")

    def _draw(self, event: "SegmentFitting") -> None:
        number, record = event.number, event.record
        started, _ = self.at_work.get(number, (None, None))
        if started is None:
            return
        self.at_work[number] = started, record
        if record.eta_s > LONG_S and not self.is_timed:
            self.is_timed = True  # told once
            say(
                f"nvc: about {format_time(record.eta_s)} to go; Ctrl-C saves, and --max-time 10m "
                "would do the best for ten minutes; `nvc presets` lists smaller ones"
            )
        if self.has_workers:
            share, parts = several_parts([*self.at_work.values()])
            if share_of(record) >= 1:
                del self.at_work[number]
            self.line.update("fitting", min(share, 0.99), parts)
            return
        place = f"{record.stage_number + 1}/{record.num_stages}"
        self.line.update(
            f"{number}: {record.stage} {place}",
            record.step / record.num_steps,
            fitting_parts(record, started),
            short=f"{number}: {place}",
        )


def share_of(record: "FitRecord") -> float:
    """How much of a fitting is done, by its own reckoning of time."""
    whole_s = record.elapsed_s + record.eta_s
    return record.elapsed_s / whole_s if whole_s > 0 else 0.0


def several_parts(
    at_work: Sequence[tuple["SegmentStarted", "FitRecord | None"]],
) -> tuple[float, list[Part]]:
    """How much of the video is done where several segments are fitted at once, and what to say."""
    shares = [0.0 if record is None else share_of(record) for _, record in at_work]
    lengths = [started.segment.num_frames for started, _ in at_work]
    last = at_work[-1][0]
    done = last.segment.stop - sum(lengths) + sum(map(operator.mul, shares, lengths))
    total = last.video.num_frames or last.segment.stop
    etas = [record.eta_s for _, record in at_work if record is not None]
    each_s = sum(r.elapsed_s + r.eta_s for _, r in at_work if r is not None) / max(len(etas), 1)
    rounds = (total - last.segment.stop) / max(sum(lengths), 1)
    parts = [(2, f"ETA {format_time(max(etas, default=0.0) + each_s * rounds)}")]
    named = zip((one.number for one, _ in at_work), shares, strict=True)
    parts.append((4, ", ".join(f"{number}: {share:.0%}" for number, share in named)))
    return done / max(total, 1), parts


def fitting_parts(record: "FitRecord", started: "SegmentStarted") -> list[Part]:
    """What the live line says of a fitting."""
    parts = [(2, f"ETA {format_time(record.eta_s)}")]
    whole_s = record.elapsed_s + record.eta_s
    is_last_stage = record.stage_number + 1 == record.num_stages
    if record.step == record.num_steps and is_last_stage:
        parts = [(2, f"took {format_time(record.elapsed_s)}")]
    else:
        parts.append((7, f"of {format_time(whole_s)}"))
    if started.video.num_frames is not None:
        num_left = started.video.num_frames - started.segment.stop
        if num_left > 0:
            later_s = record.eta_s + whole_s * num_left / started.segment.num_frames
            parts.append((6, f"({format_time(later_s)} to go with all segments)"))
    if record.psnr_db is not None and record.size_bytes is not None:
        pixels = started.segment.num_frames * started.video.width * started.video.height
        parts += [
            (3, f"{record.psnr_db:.2f} dB"),
            (4, f"{8 * record.size_bytes / pixels:.4f} bpp"),
            (5, format_bytes(record.size_bytes)),
            (9, "quantized"),
        ]
    return [*parts, (8, f"step {record.step:,}/{record.num_steps:,}")]


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
    del record["frames_psnr_db"]
    quality = record.pop("quality") or {}
    quality.pop("num_frames", None)
    return {**record, **quality}


def report_rows(report: "EncodeReport", output: str) -> list[tuple[str, str]]:
    """Names and values of an encoding's result, for people."""
    plural = "s" * (report.num_segments > 1)
    there = ", is there already and complete" if report.was_there else ""
    beside = ""
    if report.streams_bytes:
        beside = f", and {report.streams_bytes:,} of audio and other streams, not in the rate"
    rows = [
        ("file", f"{output}, {report.size_bytes:,} bytes{beside}{there}"),
        ("frames", f"{report.num_frames} in {report.num_segments} segment{plural}"),
        ("rate", f"{report.rate_bpp:.4f} bpp, {report.bitrate_kbps:.1f} kbit/s"),
    ]
    if report.quality is not None:
        rows += quality_rows(report.quality)
        if report.decode_s > 0:
            rows.append(("decoding", f"{report.num_frames / report.decode_s:.1f} frames/s"))
    return [*rows, ("fitting", format_time(report.fit_s))]
