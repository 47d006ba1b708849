"""The report of a folder: plots, tables as Markdown, CSV and LaTeX, and one page for a browser.

Everything comes from the stored lines, so that it can be made again at any time and anywhere.
"""

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nvcodec.bench import page, rd_plot
from nvcodec.bench.curves import (
    AVERAGE,
    AXES,
    METRICS,
    RATE,
    Axis,
    Comparison,
    Curve,
    beside,
    choose_anchor,
    compare,
    measured_curves,
    published_curves,
    read_published,
)
from nvcodec.bench.results import NAME, Record, read_records
from nvcodec.errors import OutputError, PresetError
from nvcodec.metrics import bdrate
from nvcodec.metrics.bdrate import Delta

COLUMNS: tuple[tuple[str, Callable[[Record], object]], ...] = (
    ("sequence", lambda r: r["sequence"]),
    ("codec", lambda r: r["codec"]),
    ("point", lambda r: r["point"]),
    ("bytes", lambda r: r["size_bytes"]),
    ("bpp", lambda r: round(r["rate_bpp"], 6)),
    ("kbit/s", lambda r: round(r["bitrate_kbps"], 2)),
    ("PSNR-RGB", lambda r: _rounded(r["quality"].get("psnr_rgb_db"), 3)),
    ("PSNR-RGB by ffmpeg", lambda r: _rounded(r["quality"].get("psnr_rgb_ffmpeg_db"), 3)),
    ("PSNR-YUV", lambda r: _rounded(r["quality"].get("psnr_yuv_db"), 3)),
    ("MS-SSIM RGB", lambda r: _rounded(r["quality"].get("ms_ssim_rgb"), 5)),
    ("MS-SSIM Y", lambda r: _rounded(r["quality"].get("ms_ssim_y"), 5)),
    ("VMAF", lambda r: _rounded(r["quality"].get("vmaf"), 2)),
    ("VMAF NEG", lambda r: _rounded(r["quality"].get("vmaf_neg"), 2)),
    ("encode s", lambda r: _rounded(r["encode_s"], 2)),
    ("decode frames/s", lambda r: _rounded(r["decode_frames_per_s"], 1)),
    ("encode MB", lambda r: _megabytes(r["encode_peak_bytes"])),
    ("decode MB", lambda r: _megabytes(r["decode_peak_bytes"])),
    ("parameters", lambda r: r.get("parameters", "")),
    ("GMAC/frame", lambda r: _rounded(r.get("gmac_per_frame"), 4)),
)
METHOD = (
    "Size is that of the file or elementary stream; quality is measured on the file as another "
    "process decoded it, at the source's depth. PSNR-RGB is the mean of the frames' PSNR, in the "
    "matrix that the video is tagged with, else BT.601; `by ffmpeg` the same on RGB as ffmpeg "
    "makes it unless told otherwise, as papers extract pictures. PSNR-YUV is (6 Y + U + V) / 8. "
    "MS-SSIM is compared in dB, -10 log10(1 - MS-SSIM). BD-rate: `bjontegaard` package, Akima, "
    "over the range of quality that both curves share, points left out that another of their "
    "curve beats; negative saves bits."
)


def check_tools() -> None:
    """See that a report can be written, before anything is measured for it.

    Raises:
        ToolMissingError: matplotlib or bjontegaard is not installed.
    """
    rd_plot.load_matplotlib()
    bdrate.load_package()


def write_report(
    out: Path, published: Sequence[Path], anchor: str | None, axis_name: str = "rate"
) -> list[Path]:
    """Write `OUT/report`; the page comes first in the list of what was written.

    Args:
        out: the folder with the stored points.
        published: files of printed curves to show too; only over the rate.
        anchor: codec that the others are compared with.
        axis_name: one of `curves.AXES`.

    Raises:
        PresetError: there is nothing to report, or no such anchor.
        ToolMissingError: matplotlib or bjontegaard is not installed.
        OutputError: the folder cannot be written.
    """
    axis, records = AXES[axis_name], read_records([out / NAME])
    curves = measured_curves(records, axis)
    measured = list(curves)
    if published and axis is not RATE:
        raise PresetError(f"{published[0]}: printed curves are over the rate, not {axis.label}")
    for path in published:
        curves += published_curves(read_published(path))
    anchor = choose_anchor(curves, anchor)
    comparisons = compare(curves, anchor)
    folder = out / "report"
    texts = {
        "report.md": markdown(records, curves, comparisons, anchor, axis),
        "points.csv": _csv([[name for name, _ in COLUMNS], *point_rows(records)]),
        "bd_rate.csv": _csv(_comparison_rows(comparisons, anchor)),
        "tables.tex": latex(comparisons, anchor, axis),
        "index.html": page.html(records, curves, comparisons, anchor, out / "frames", axis),
    }
    try:
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error
    drawn = rd_plot.draw_all(curves, measured, folder, axis)
    return [folder / "index.html", *(folder / n for n in texts if n != "index.html"), *drawn]


def point_rows(records: Iterable[Record]) -> list[list[object]]:
    """One row of `COLUMNS` for each finished point, by sequence, codec and rate."""
    done = [record for record in records if record["status"] == "done"]
    order = {r["codec"]: n for n, r in enumerate(sorted(done, key=lambda r: r["kind"] != "nvc"))}
    done.sort(key=lambda r: (r["sequence"], order[r["codec"]], r["rate_bpp"]))
    return [[value(record) for _, value in COLUMNS] for record in done]


def bd_table(comparisons: Sequence[Comparison], metric: str) -> list[list[str]]:
    """BD-rates of every codec on every sequence: a head, and a row for each codec.

    The column `average` is the BD-rate of the averaged curves, `mean` the mean of the sequences'
    BD-rates, where all of them have one.
    """
    own = [c for c in comparisons if c.metric == metric]
    sequences = [s for s in dict.fromkeys(c.sequence for c in own) if s != AVERAGE]
    has_average = any(c.sequence == AVERAGE for c in own)
    shown = [*sequences, *([AVERAGE] if has_average else [])]
    rows = [["codec", *shown, *(["mean"] if len(sequences) > 1 else [])]]
    for codec in dict.fromkeys(c.codec for c in own):
        cells = {c.sequence: c.delta for c in own if c.codec == codec}
        row = [codec, *(_percent(cells.get(sequence)) for sequence in shown)]
        if len(sequences) > 1:
            numbers = [d.rate_percent for s in sequences if isinstance(d := cells.get(s), Delta)]
            is_whole = len(numbers) == len(sequences)
            row.append(f"{statistics.fmean(numbers):+.1f} %" if is_whole else "")
        rows.append(row)
    return rows


def beside_table(
    curves: Sequence[Curve], anchor: str, metric: str, axis: Axis = RATE
) -> list[list[str]]:
    """Each point against the anchor's curve: its share of the anchor's cost at equal quality.

    The anchor's curve is taken log-linear between its points and not beyond them.
    """
    title = METRICS[metric]
    at_cost = f"{title} over {anchor}, at equal {axis.unit}"
    rows = [
        [
            "sequence",
            "codec",
            "point",
            title,
            axis.unit,
            f"share of {anchor}'s {axis.unit}",
            at_cost,
        ]
    ]
    for found in beside(curves, anchor, metric):
        point, quality = found.point, found.point.quality[metric]
        cost, reached = found.anchor_cost, found.anchor_quality
        names = [found.curve.sequence, found.curve.codec, point.name]
        numbers = [f"{quality:.2f}", f"{point.cost:.4g}"]
        share = "" if cost is None else f"{point.cost / cost:.0%}"
        more = "" if reached is None else f"{quality - reached:+.2f}"
        rows.append([*names, *numbers, share, more])
    return rows


def speed_table(records: Iterable[Record]) -> list[list[str]]:
    """Speeds, memory and sizes of each codec, the median of its points."""
    done = [record for record in records if record["status"] == "done"]
    speeds, sizes = ["encode frames/s", "decode frames/s"], ["encode MB", "decode MB"]
    rows = [["codec", "points", *speeds, *sizes, "parameters", "GMAC/frame"]]
    for codec in dict.fromkeys(record["codec"] for record in done):
        own = [record for record in done if record["codec"] == codec]
        encode = _median(r["num_frames"] / r["encode_s"] for r in own if r["encode_s"])
        decode = _median(r["decode_frames_per_s"] for r in own if r["decode_frames_per_s"])
        row = [codec, str(len(own)), encode, decode]
        row += [_range(_megabytes(r[f"{w}_peak_bytes"]) for r in own) for w in ("encode", "decode")]
        row.append(_range(r.get("parameters", "") for r in own))
        row.append(_range(_rounded(r.get("gmac_per_frame"), 3) for r in own))
        rows.append(row)
    return rows


def markdown(
    records: Sequence[Record],
    curves: Sequence[Curve],
    comparisons: Sequence[Comparison],
    anchor: str,
    axis: Axis = RATE,
) -> str:
    """The report as Markdown."""
    parts = ["# Rate-distortion report", METHOD, f"## {axis.delta} against {anchor}"]
    for metric, title in METRICS.items():
        table = bd_table(comparisons, metric)
        if len(table) > 1:
            parts += [f"### {title}", markdown_table(table)]
    parts += ["Overlap of the curves, as a share of the range of quality that either has:"]
    parts += [markdown_table(_overlaps(comparisons))]
    parts += [f"## Point by point against {anchor}, by PSNR-RGB"]
    parts += [markdown_table(beside_table(curves, anchor, "psnr_rgb_db", axis))]
    parts += ["## Speed", markdown_table(speed_table(records))]
    rows = [[str(cell) for cell in row] for row in point_rows(records)]
    parts += ["## Points", markdown_table([[name for name, _ in COLUMNS], *rows])]
    failed = [record for record in records if record["status"] != "done"]
    if failed:
        cells = [[r["sequence"], r["codec"], r["point"], _one_line(r["error"])] for r in failed]
        parts += ["## Failed", markdown_table([["sequence", "codec", "point", "error"], *cells])]
    versions = sorted({f"{k} {v}" for r in records for k, v in r.get("versions", {}).items()})
    machines = sorted({str(r["machine"]) for r in records})
    matrices = sorted({str(r["rgb_matrix"]) for r in records})
    parts += ["## Made with", f"{'; '.join(machines)}. {'; '.join(versions)}."]
    parts += [f"YUV to RGB by {', '.join(matrices)}.", "## Commands"]
    commands = dict.fromkeys(record["command"] for record in records)
    parts += ["\n".join(f"    {command}" for command in commands)]
    sources = {
        p.record["source"]: c.codec for c in curves for p in c.points if "source" in p.record
    }
    if sources:
        parts += ["## Published points"]
        parts += ["\n".join(f"- {codec}: {source}" for source, codec in sources.items())]
    return "\n\n".join(parts) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the head first, as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def latex(comparisons: Sequence[Comparison], anchor: str, axis: Axis = RATE) -> str:
    """BD-rates as LaTeX rows, one block for each metric."""
    blocks = []
    for metric, title in METRICS.items():
        table = bd_table(comparisons, metric)
        if len(table) > 1:
            lines = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in table]
            blocks.append("\n".join([f"% {axis.delta} against {anchor}, {title}", *lines]))
    return "\n\n".join(blocks) + "\n"


def _tex(text: str) -> str:
    for plain in "&%$#_":
        text = text.replace(plain, f"\\{plain}")
    return text.replace("-", "$-$", 1) if text.startswith("-") else text


def _overlaps(comparisons: Sequence[Comparison]) -> list[list[str]]:
    rows = [["sequence", "codec", "metric", "from", "to", "share", "BD-rate", "BD-quality"]]
    for c in comparisons:
        start = [c.sequence, c.codec, METRICS[c.metric]]
        if isinstance(c.delta, str):
            rows.append([*start, "", "", "", c.delta, ""])
            continue
        low, high = c.delta.overlap
        quality = "" if c.delta.quality is None else f"{c.delta.quality:+.2f}"
        numbers = [f"{low:.2f}", f"{high:.2f}", f"{c.delta.overlap_share:.0%}"]
        rows.append([*start, *numbers, _percent(c.delta), quality])
    return rows


def _comparison_rows(comparisons: Sequence[Comparison], anchor: str) -> list[list[object]]:
    head: list[object] = ["sequence", "codec", "anchor", "metric", "bd_rate_percent", "bd_quality"]
    rows = [[*head, "overlap_low", "overlap_high", "overlap_share", "note"]]
    for c in comparisons:
        start: list[object] = [c.sequence, c.codec, anchor, c.metric]
        if isinstance(c.delta, str):
            rows.append([*start, "", "", "", "", "", c.delta])
        else:
            d = c.delta
            numbers = [d.rate_percent, d.quality, *d.overlap, d.overlap_share]
            rows.append([*start, *("" if n is None else round(n, 4) for n in numbers), ""])
    return rows


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _percent(difference: Delta | str | None) -> str:
    if isinstance(difference, Delta):
        return f"{difference.rate_percent:+.1f} %"
    return difference or ""


def _rounded(value: float | None, digits: int) -> object:
    return "" if value is None else round(value, digits)


def _median(values: Iterable[float]) -> str:
    known = list(values)
    return f"{statistics.median(known):.3g}" if known else ""


def _megabytes(count: int | None) -> object:
    return "" if count is None else round(count / 1e6)


def _range(values: Iterable[object]) -> str:
    known = sorted({value for value in values if isinstance(value, int | float)})
    if not known:
        return ""
    low, high = f"{known[0]:,}", f"{known[-1]:,}"
    return low if low == high else f"{low} - {high}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:200]
