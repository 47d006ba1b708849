"""The steps of one point: encode, decode, measure; what is done is kept when a later step is not.

An encoding may have taken days. Its file and its times stay in the point's work folder until the
point is stored, and an interrupted `nvc encode` finds its job there.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nvcodec.bench.children import Children, Ran, environment
from nvcodec.bench.measuring import measure
from nvcodec.bench.points import Coder, NvcCoder, Source

ENCODED_NAME = "encoded.json"


@dataclass(frozen=True)
class PointWork:
    """What the steps of a point share."""

    source: Source
    coder: Coder
    work: Path
    children: Children
    num_threads: int | None

    @property
    def coded(self) -> Path:
        """The coded file."""
        return self.work / f"out{self.coder.suffix}"

    def run(self, command: list[str], on_event: Callable[[dict[str, Any]], None]) -> Ran:
        """Run a command of the coder; `on_event` gets the JSON lines it says."""

        def on_line(line: str) -> None:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                on_event(json.loads(line))

        threads = self.num_threads if isinstance(self.coder, NvcCoder) else None
        return self.children.run(command, environment(threads), on_line)


def make_point(
    work: PointWork, kept: Path, picture: Path | None, on_share: Callable[[float], None]
) -> dict[str, Any]:
    """Make and measure a point.

    Args:
        work: what, and where.
        kept: folder and stem of the coded file once it is measured.
        picture: where the middle frame goes.
        on_share: told how much of the encoding is done, 0 to 1.

    Raises:
        PointError: a command failed.
        VerificationError: what was decoded is not of the source's shape.
        InterruptedEncodeError: it was stopped; the same call continues.
    """
    work.work.mkdir(parents=True, exist_ok=True)
    encoded, told = _encode(work, on_share)
    seen, coded = work.source.seen, work.coded
    decoded = work.work / work.coder.decoded_name(seen)
    own_s: list[float] = []
    ran = work.run(
        work.coder.decode_command(coded, decoded), lambda event: own_s.append(event["elapsed_s"])
    )
    decode_s = own_s[-1] if own_s else ran.elapsed_s  # without loading Python and torch
    measured = measure(work.source, decoded, work.work, picture)
    size_bytes = coded.stat().st_size
    duration_s = seen.num_frames / seen.info.frame_rate
    point = {
        "size_bytes": size_bytes,
        "rate_bpp": 8 * size_bytes / (seen.megapixels * 1e6),
        "bitrate_kbps": float(8 * size_bytes / 1000 / duration_s),
        "quality": measured.quality,
        "encode_s": encoded.elapsed_s,
        "encode_peak_bytes": encoded.peak_bytes,
        **told,
        "decode_s": decode_s,
        "decode_frames_per_s": seen.num_frames / decode_s,
        "decode_peak_bytes": ran.peak_bytes,
        **(work.coder.facts(coded) if isinstance(work.coder, NvcCoder) else {}),
        "coded_digest": hashlib.blake2b(coded.read_bytes(), digest_size=16).hexdigest(),
        "output_digest": measured.digest,
    }
    shutil.copyfile(coded, kept.with_suffix(work.coder.suffix))
    return point


def _encode(work: PointWork, on_share: Callable[[float], None]) -> tuple[Ran, dict[str, Any]]:
    """Encode, unless that is done already, and what `nvc encode` told of it.

    Times include those of interrupted tries.
    """
    stored = work.work / ENCODED_NAME
    if stored.exists() and work.coded.exists():
        kept = json.loads(stored.read_text(encoding="utf-8"))
        return Ran(**kept["ran"]), kept["told"]
    told: dict[str, Any] = {}

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "fit":
            on_share(event["step"] / event["num_steps"])
            told["steps"] = event["step"]
            told.update((k, event[k]) for k in ("estimated_bits", "coded_bits") if event[k])
        elif event["event"] == "done":
            told["fit_s"] = event["fit_s"]

    ran = work.run(work.coder.encode_command(work.source, work.coded), on_event)
    ran = Ran(max(ran.elapsed_s, told.get("fit_s", 0.0)), ran.peak_bytes)
    part = stored.with_suffix(".tmp")
    part.write_text(json.dumps({"ran": asdict(ran), "told": told}), encoding="utf-8")
    part.replace(stored)
    return ran, told
