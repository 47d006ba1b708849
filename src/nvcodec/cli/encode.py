"""`nvc encode`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvcodec.cli import options
from nvcodec.cli.console import (
    LiveLine,
    Stopper,
    command_line,
    emit,
    format_bytes,
    format_time,
    process_age_s,
    say,
)
from nvcodec.cli.verify import quality_rows

if TYPE_CHECKING:
    from nvcodec.encode_types import EncodeReport, SegmentFitting, SegmentStarted


def encode(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IN...",
            help="Video that ffmpeg reads, Y4M, raw .yuv with its geometry in the name, a folder "
            "or pattern of pictures; - is standard input. Several files of one size become one "
            "video, of which `nvc decode --clip` gives each back.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="OUT.nvc", help="File to write; - is standard output."
        ),
    ],
    preset: Annotated[
        str,
        typer.Option("-p", "--preset", help="Name of a preset, or a TOML file; see `nvc presets`."),
    ] = "hinerv-mini",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="K=V", help="Change a field of the preset: stages.0.epochs=10."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the frames in all, shared among the stages."),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Time for everything, such as 90s, 5m or 1h30m, instead of epochs."
        ),
    ] = None,
    lmbda: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of the distortion: higher is better and larger."),
    ] = None,
    segment_frames: Annotated[
        int, typer.Option(min=1, help="Longest segment; segments are coded alone.")
    ] = 600,
    frames: options.Frames = None,
    scale: options.Scale = None,
    raw: options.Raw = None,
    fps: options.Fps = None,
    color: Annotated[
        str,
        typer.Option(
            metavar="|".join(options.SAMPLES),
            help="Samples that are fitted; auto: as the preset says, or grey.",
        ),
    ] = "auto",
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Of initial values, batches and noise.")
    ] = 0,
    device: options.Device = "auto",
    limit: options.LimitChanges = None,
    workdir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the job's state is kept, instead of OUT.nvc.job."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw a stored job away and begin anew.")
    ] = False,
    overwrite: options.Overwrite = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not decode and measure what was written.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a neural network to a video and write it as a .nvc file.

    The same command continues an interrupted one.
    """
    wanted, size = options.frame_range(frames), options.picture_size(scale)
    geometry, rate = options.raw_geometry(raw), options.frame_rate(fps)
    limits = options.changed_limits(limit)
    max_time_s = options.duration_s(max_time)
    if max_time_s is not None and epochs is not None:
        raise typer.BadParameter("--max-time and --epochs: only one of them")
    path = options.check_target(output, overwrite, continues=not restart, workdir=workdir)
    for source in sources:
        options.check_source(source, path)
    from nvcodec.errors import InterruptedEncodeError, OutputError
    from nvcodec.job import job_folder
    from nvcodec.presets import load_preset

    loaded = load_preset(preset, set_ or [], epochs, lmbda)  # what is wrong is said without torch
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.encoder import encode as encode_video

    settings = EncodeOptions(
        samples=options.samples(color),
        segment_frames=segment_frames,
        seed=seed,
        device=device,
        frames=wanted,
        scale=size,
        frame_rate=rate,
        raw=geometry,
        workdir=workdir,
        restart=restart,
        overwrite=overwrite,
        verify=not no_verify,
        limits=limits,
        max_time_s=max_time_s,
        spent_s=process_age_s(),
    )
    to_stdout = output == "-"
    stopper = Stopper()
    try:
        with stopper.listening(), LiveLine(quiet or json) as line:
            report = encode_video(
                sources,
                sys.stdout.buffer if to_stdout else output,
                loaded,
                settings,
                should_stop=stopper,
                on_event=_Progress(line, json, to_stdout, quiet),
            )
    except InterruptedEncodeError as error:
        say(f"nvc: {error}")
        if path is not None:
            say(f"nvc: continue with: {command_line(without='--restart')}")
        raise typer.Exit(stopper.exit_code) from error
    except OutputError:
        if path is not None and (workdir or job_folder(path)).exists():
            say(f"nvc: once that is solved, continue with: {command_line(without='--restart')}")
        raise
    if json:
        emit({"event": "done", **report_record(report)}, to_stdout)
    elif not quiet:
        _print_report(report, output)


class _Progress:
    """Draws the events of an encoding."""

    def __init__(self, line: LiveLine, json: bool, to_stdout: bool, quiet: bool) -> None:
        self.line, self.json, self.to_stdout, self.quiet = line, json, to_stdout, quiet
        self.started: SegmentStarted | None = None

    def __call__(self, event: "SegmentStarted | SegmentFitting") -> None:
        """Show one event."""
        from nvcodec.encode_types import SegmentStarted

        if isinstance(event, SegmentStarted):
            self.started = event
            if self.json:
                emit(_segment_record(event), self.to_stdout)
            elif not self.quiet:
                say(_expectation(event))
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
        "parameters": event.num_parameters,
        "gmac_per_frame": event.macs_per_frame / 1e9,
        "predicted_bytes": event.predicted_bytes,
        "predicted_memory_bytes": event.memory_bytes,
        "resumed": event.is_resumed,
    }


def _expectation(event: "SegmentStarted") -> str:
    video, (start, stop) = event.video, event.segment
    total = f" of {video.num_frames}" if video.num_frames is not None else ""
    return (
        f"segment {event.number}: frames {start}:{stop}{total} at {video.width}x{video.height}, "
        f"{event.num_parameters:,} parameters, {event.macs_per_frame / 1e9:.2g} GMAC/frame; "
        f"expected about {format_bytes(event.predicted_bytes)}, and "
        f"{format_bytes(event.memory_bytes)} of memory" + ("; continuing" * event.is_resumed)
    )


def report_record(report: "EncodeReport") -> dict[str, Any]:
    """An encoding's result as plain values."""
    record = asdict(report)
    quality = record.pop("quality") or {}
    quality.pop("num_frames", None)
    return {**record, **quality}


def _print_report(report: "EncodeReport", output: str) -> None:
    plural = "s" * (report.num_segments > 1)
    rows = [
        ("file", f"{output}, {report.size_bytes:,} bytes"),
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
