"""The page that `nvc encode --report` writes: what was told meanwhile, and what it came to."""

import contextlib
import importlib.metadata
import json
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nvcodec.cli.console import command_line, counted
from nvcodec.cli.encode_progress import report_rows
from nvcodec.cli.info import tags_of
from nvcodec.pages.chosen import Chosen

if TYPE_CHECKING:
    from nvcodec.auto import AutoPreset
    from nvcodec.container.reader import Inspection
    from nvcodec.encode_types import EncodeReport, Event, SegmentStarted
    from nvcodec.fitting.record import FitRecord
    from nvcodec.pages.report import CurvePoint, Table
    from nvcodec.presets import Preset

FROM_HERE = "Begins with this run: what an earlier one measured while fitting is not kept."


class EncodingPage:
    """Takes events and warnings, and then is written."""

    def __init__(self) -> None:
        self.curve: list[CurvePoint] = []
        self.warnings: list[str] = []
        self.preset: str | None = None
        """Where one was chosen."""
        self._started: dict[int, SegmentStarted] = {}
        self._is_resumed = False
        self._last: dict[int, FitRecord] = {}
        """Of each segment."""
        self._frames = Chosen()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take warnings too, and hand them on."""
        show = warnings.showwarning

        def note(
            message: Warning | str, category: type[Warning], *more: Any, **others: Any
        ) -> None:
            if category.__module__.startswith("nvcodec"):
                self.warnings.append(str(message))
            show(message, category, *more, **others)

        warnings.showwarning = note
        try:
            yield
        finally:
            warnings.showwarning = show

    def __call__(self, event: "Event") -> None:
        """Note an event."""
        from nvcodec.encode_types import FrameShown, PresetChosen, SegmentFitting, SegmentStarted

        if isinstance(event, PresetChosen):
            self.preset = event.preset
        elif isinstance(event, SegmentStarted):
            self._started[event.number] = event
            self._is_resumed |= event.is_resumed
        elif isinstance(event, FrameShown):
            if event.is_final:
                pictures = (event.source, event.decoded)
                self._frames.add(event.frame, event.psnr_db, lambda: pictures)
        elif isinstance(event, SegmentFitting):
            self._measure(event.number, event.record)

    def _measure(self, number: int, record: "FitRecord") -> None:
        """Add a point where something was measured anew."""
        from nvcodec.pages.report import CurvePoint

        before = self._last.get(number)
        self._last[number] = record
        now = (record.psnr_db, record.size_bytes)
        if None in now or (before and (before.psnr_db, before.size_bytes) == now):
            return
        assert record.psnr_db is not None
        assert record.size_bytes is not None
        started = self._started[number]
        video, count = started.video, started.segment.num_frames
        rate_bpp = 8 * record.size_bytes / (count * video.width * video.height)
        self.curve.append(
            CurvePoint(
                number, record.stage, record.step, round(record.elapsed_s, 2),
                round(record.psnr_db, 4), record.size_bytes, round(rate_bpp, 6),
            )
        )  # fmt: skip

    def html(
        self, report: "EncodeReport", output: str, path: Path, preset: "Preset | AutoPreset"
    ) -> str:
        """The page for a file that is complete."""
        from nvcodec.container.reader import inspect
        from nvcodec.pages.report import report_page

        seen = inspect(path)
        all_here = len(self._started) == report.num_segments and not self._is_resumed
        return report_page(
            path.name,
            facts=report_rows(report, output),
            warnings=list(dict.fromkeys(self.warnings)),
            curve=self.curve,
            curve_note="" if all_here else FROM_HERE,
            metrics={"PSNR-RGB (dB)": report.frames_psnr_db} if report.frames_psnr_db else None,
            pairs=self._frames.pairs(),
            tables=[_bytes_table(seen), *self._groups()],
            settings=_settings(seen),
            text=self._preset_text(preset),
        )

    def _groups(self) -> Iterator["Table"]:
        """Bits by group of tensors, where a stage counted them."""
        from nvcodec.pages.report import Table

        bits: dict[str, float] = {}
        for record in self._last.values():
            for name, count in record.coded_bits.items():
                bits[name] = bits.get(name, 0.0) + count
        total = sum(bits.values())
        if total:
            rows = [(name, f"{count / 8:,.0f}") for name, count in bits.items()]
            title = "Bytes by group of tensors, as last measured"
            yield Table(title, ("group", "bytes"), rows, [n / total for n in bits.values()])

    def _preset_text(self, preset: "Preset | AutoPreset") -> str:
        from nvcodec.auto import AutoPreset
        from nvcodec.presets import load_preset

        if isinstance(preset, AutoPreset):
            if self.preset is None:
                return ""
            preset = load_preset(self.preset, preset.overrides, preset.epochs, preset.lmbda)
        return json.dumps(preset.tables(), indent=1)


def _bytes_table(seen: "Inspection") -> "Table":
    """Bytes by kind, as `nvc info` counts them, over all segments."""
    from nvcodec.pages.report import Table

    tags = tags_of(seen.head.model_dump(mode="json"))
    sizes: dict[tuple[str, str], int] = {}
    for entry in seen.entries:
        for part in entry.parts or (entry,):
            text = tags.get(part.kind, part.description) if entry.parts else part.description
            key = (part.kind, text)
            sizes[key] = sizes.get(key, 0) + part.size
    shares = [size / seen.size_bytes for size in sizes.values()]
    rows = [
        (f"{kind} {text}", f"{size:,}", f"{share:.1%}")
        for ((kind, text), size), share in zip(sizes.items(), shares, strict=True)
    ]
    return Table("Where the bytes go", ("what", "bytes", "share"), rows, shares)


def _settings(seen: "Inspection") -> list[tuple[str, str]]:
    from nvcodec.processes import described_ffmpeg
    from nvcodec.version import __version__

    head = seen.head.model_dump(mode="json")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "constriction")]
    tables = ((name, head[name]) for name in ("representation", "scheme"))
    return [
        ("command", command_line()),
        ("maker", seen.head.remark),
        (
            "video",
            f"{counted(seen.num_frames, 'frame')}, {head['width']}x{head['height']}, "
            f"{head['chroma']}, {head['bit_depth']} bits, fitted as {head['samples']}",
        ),
        *((name, ", ".join(f"{k} {v}" for k, v in table.items())) for name, table in tables),
        ("nvcodec", __version__),
        ("with", f"{', '.join(versions)}, {described_ffmpeg()}"),
        ("Python", f"{platform.python_version()}, {platform.platform()}"),
    ]
