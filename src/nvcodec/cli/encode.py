"""`nvc encode`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nvcodec.cli.console import LiveLine, Stopper, emit, format_bytes, format_time, say
from nvcodec.cli.options import frame_range, picture_size

if TYPE_CHECKING:
    from nvcodec.encoder import EncodeReport, Event


def encode(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="Video that ffmpeg reads, Y4M, raw .yuv with its geometry in the name, picture folder; - is stdin."
        ),
    ],
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT.nvc", help="File to write; - is stdout.")],
    preset: Annotated[str, typer.Option("-p", "--preset", help="Name of a preset, or a TOML file; see `nvc presets`.")] = "hinerv-mini",
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Change a field of the preset, such as stages.0.epochs=10.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the frames in all, shared among the stages.")] = None,
    segment_frames: Annotated[int, typer.Option(min=1, help="Longest segment; segments are coded alone.")] = 600,
    frames: Annotated[str | None, typer.Option(metavar="A:B", help="Only frames A to B - 1.")] = None,
    scale: Annotated[str | None, typer.Option(metavar="WxH", help="Scale first (Lanczos, by ffmpeg).")] = None,
    color: Annotated[Literal["auto", "rgb", "yuv"], typer.Option(help="Samples that are fitted; auto is RGB, or grey.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of initial values, batches and noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    workdir: Annotated[Path | None, typer.Option(help="Where checkpoints are kept; OUT.nvc.job unless given.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw a stored job away and begin anew.")] = False,
    overwrite: Annotated[bool, typer.Option("-y", "--overwrite", help="Replace an existing OUT.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not decode and measure what was written.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:  # fmt: skip
    """Fit a neural network to a video and write it as a .nvc file. The same command continues an interrupted one."""
    frames_wanted, size = frame_range(frames), picture_size(scale)
    from nvcodec.encoder import EncodeSettings, encode as run_encode
    from nvcodec.presets import load_preset

    settings = EncodeSettings(
        color=color, segment_frames=segment_frames, seed=seed, device=device, frames=frames_wanted,
        scale=size, workdir=workdir, restart=restart, overwrite=overwrite, verify=not no_verify,
    )  # fmt: skip
    loaded = load_preset(preset, set_ or [], epochs)
    to_stdout = output == "-"
    with Stopper() as stopper, LiveLine(quiet or json) as line:
        show = _Progress(line, json, to_stdout, quiet)
        report = run_encode(
            source, sys.stdout.buffer if to_stdout else output, loaded, settings,
            should_stop=stopper, on_event=show,
        )  # fmt: skip
    if json:
        emit({"event": "done", **report_record(report)}, to_stdout)
    elif not quiet:
        _print_report(report, output)


class _Progress:
    """Draws the events of an encoding."""

    def __init__(self, line: LiveLine, json: bool, to_stdout: bool, quiet: bool) -> None:
        self.line, self.json, self.to_stdout, self.quiet = line, json, to_stdout, quiet
        self.pixels = 1

    def __call__(self, event: "Event") -> None:
        """Show one event."""
        from nvcodec.encoder import SegmentStarted

        if isinstance(event, SegmentStarted):
            info = event.video
            self.pixels = event.segment.num_frames * info.width * info.height
            if self.json:
                emit(
                    {
                        "event": "segment",
                        "segment": event.number,
                        "frames": list(event.segment),
                        "parameters": event.num_parameters,
                        "gmac_per_frame": event.macs_per_frame / 1e9,
                        "predicted_bytes": event.predicted_bytes,
                        "predicted_memory_bytes": event.memory_bytes,
                        "resumed": event.is_resumed,
                    },
                    self.to_stdout,
                )
            elif not self.quiet:
                say(
                    f"segment {event.number}: frames {event.segment.start}:{event.segment.stop} at "
                    f"{info.width}x{info.height}, {event.num_parameters:,} parameters, "
                    f"{event.macs_per_frame / 1e9:.2f} GMAC/frame; expected about "
                    f"{format_bytes(event.predicted_bytes)} and {format_bytes(event.memory_bytes)} of memory"
                    + ("; continuing" if event.is_resumed else "")
                )
            return
        record = event.record
        if self.json:
            emit({"event": "fit", "segment": event.number, **asdict(record)}, self.to_stdout)
            return
        measured = ""
        if record.psnr_db is not None and record.size_bytes is not None:
            rate = 8 * record.size_bytes / self.pixels
            measured = f"  quantized {record.psnr_db:.2f} dB  {rate:.4f} bpp"
        self.line.update(
            f"{record.stage} {record.stage_number + 1}/{record.num_stages}",
            record.step / record.num_steps,
            f"step {record.step:,}/{record.num_steps:,}  ETA {format_time(record.eta_s)}{measured}",
        )


def report_record(report: "EncodeReport") -> dict[str, Any]:
    """An encoding's result as plain values."""
    record = asdict(report)
    quality = record.pop("quality")
    return {**record, **({k: v for k, v in quality.items() if k != "num_frames"} if quality else {})}


def _print_report(report: "EncodeReport", output: str) -> None:
    rows = [
        ("file", f"{output}, {report.size_bytes:,} bytes"),
        ("frames", f"{report.num_frames} in {report.num_segments} segment{'s' * (report.num_segments > 1)}"),
        ("rate", f"{report.rate_bpp:.4f} bpp, {report.bitrate_kbps:.1f} kbit/s"),
    ]
    quality = report.quality
    if quality is not None:
        planes = ", ".join(f"{p:.2f}" for p in quality.psnr_planes_db)
        rows.append(("PSNR-RGB", f"{quality.psnr_rgb_db:.2f} dB"))
        if quality.psnr_yuv_db is not None:
            rows.append(("PSNR-YUV", f"{quality.psnr_yuv_db:.2f} dB (planes {planes})"))
        if quality.ms_ssim_rgb is not None:
            rows.append(("MS-SSIM", f"{quality.ms_ssim_rgb:.4f}"))
        rows.append(("decoding", f"{report.num_frames / max(report.decode_s, 1e-9):.1f} frames/s"))
    rows.append(("fitting", format_time(report.fit_s)))
    for name, value in rows:
        say(f"{name:>9}  {value}")
