"""Fuzzing behind the checksums: files are taken apart, changed, and put together with right ones.

    python tests/fuzz/structured.py --runs 50000 --seed 1

Every run is a function of its seed. Whatever the bytes, reading, verifying and decoding give frames
or one of our errors, in bounded time and memory.
"""

import argparse
import collections
import hashlib
import io
import json
import random
import resource
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nvcodec.coding.parameters import Parameter
from nvcodec.container.chunk_payloads import (
    CodedSegment,
    SegmentInfo,
    Totals,
    pack_index,
    pack_totals,
    parse_segment,
)
from nvcodec.container.chunks import SIGNATURE, pack_chunk
from nvcodec.container.header import DEFAULT_LIMITS, DICTIONARY, Head, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.decoder import Decoder
from nvcodec.errors import NvcError
from nvcodec.samples import Chroma, Samples
from nvcodec.segment_values import representation_config, scheme_of, segment_shape
from nvcodec.video.info import VideoInfo

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.nvc"))
LIMITS = Limits(
    memory_bytes=1 << 28, macs_per_frame=10**9, macs=10**9, parameters=1 << 20, rows=1 << 12
)
"""Lower than the default, so that a run that is let through is over soon."""
MAX_SECONDS = 5.0
"""Of processor time."""
INTERESTING = (
    0, 1, 2, 3, 7, 8, 15, 16, 17, 255, 256, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 32, 1 << 63, -1,
    0.0, -0.5, 1e-30, 1e30, 1.5, True, False, None, "", "x", "12", [], [0], [1, 2, 3], {},
    {"kind": "nerv"},
)  # fmt: skip


def head_payload(fields: dict[str, Any], version: int = 1, reader: int = 1) -> bytes:
    """HEAD of any fields."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    prefix = struct.pack("<HHI", version, reader, len(text))
    return prefix + deflate.compress(text) + deflate.flush()


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes overwritten, cut, repeated, or inserted."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(found) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(found):
            found[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif kind == 2:
            del found[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            found[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 4:
            found[at:at] = found[at : at + rng.randrange(1, 33)]
        else:
            del found[at:]
    return bytes(found)


def changed_fields(fields: Any, rng: random.Random) -> Any:
    """One value somewhere in a tree of JSON changed, removed or added."""
    if isinstance(fields, dict) and fields and rng.random() < 0.9:
        name = rng.choice(sorted(fields))
        kind = rng.random()
        if kind < 0.1:
            return {key: value for key, value in fields.items() if key != name}
        if kind < 0.15:
            return {**fields, rng.choice(("x", "kind", "bits", "seed")): rng.choice(INTERESTING)}
        return {**fields, name: changed_fields(fields[name], rng)}
    if isinstance(fields, list) and fields and rng.random() < 0.7:
        at = rng.randrange(len(fields))
        return [*fields[:at], changed_fields(fields[at], rng), *fields[at + 1 :]]
    if isinstance(fields, int) and not isinstance(fields, bool) and rng.random() < 0.5:
        return fields + rng.choice((-2, -1, 1, 2, fields, 10 * fields))
    return rng.choice(INTERESTING)


class Parts:
    """A golden file taken apart."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        with NvcReader(io.BytesIO(data)) as reader:
            head = reader.head
            self.segments = list(reader.segments())
        self.fields = json.loads(
            head.model_dump_json(
                exclude={"format_version", "min_reader_version"}, exclude_defaults=True
            )
        )

    def assembled(self, fields: Any, segments: list[CodedSegment], rng: random.Random) -> bytes:
        """A file with right checksums, index and end, as far as there can be any."""
        data, infos = SIGNATURE + pack_chunk("HEAD", 0, head_payload(fields)), []
        for sequence, segment in enumerate(segments, 1):
            payload = segment.pack()
            if rng.random() < 0.05:
                payload = changed_bytes(payload, rng)
            infos.append((segment, len(data)))
            data += pack_chunk("SEGM", sequence, payload)
        ends = [offset for _, offset in infos[1:]] + [len(data)]
        rows = [
            SegmentInfo(s.number, s.first_frame, s.num_frames, offset, end - offset)
            for (s, offset), end in zip(infos, ends, strict=True)
        ]
        offset = len(data)
        data += pack_chunk("indx", len(segments) + 1, pack_index(rows))
        num_frames = sum(segment.num_frames for segment in segments)
        hashed = hashlib.blake2b(data, digest_size=16).digest()
        totals = Totals(len(segments), num_frames, offset, len(data), hashed)
        return data + pack_chunk("END ", len(segments) + 2, pack_totals(totals))


PARTS = [Parts(path) for path in GOLDEN]


def changed_segment(segment: CodedSegment, fields: Any, rng: random.Random) -> CodedSegment:
    """Sections changed, and mostly the hash of what they hold now set right."""
    sections = dict(segment.sections)
    tag = rng.choice(sorted(sections))
    kind = rng.random()
    if kind < 0.85:
        sections[tag] = changed_bytes(sections[tag], rng)
    elif kind < 0.9:
        del sections[tag]
    else:
        sections[rng.choice(("GRID", "LAYR", "MASK", "SYMB", "XXXX"))] = sections[tag]
    changed = segment._replace(sections=sections)
    if rng.random() < 0.7:
        try:
            head = Head.from_bytes(head_payload(fields))
            specs = representation_config(head).tensors(segment_shape(head, segment.num_frames))
            digest = scheme_of(head).unpack(sections, specs).digest()
            changed = changed._replace(digest=digest)
        except NvcError:
            pass
    return changed


def mutated(rng: random.Random) -> bytes:
    """A golden file with something wrong in it."""
    parts = rng.choice(PARTS)
    fields, segments = parts.fields, list(parts.segments)
    kind = rng.random()
    if kind < 0.35:
        for _ in range(rng.choice((1, 1, 2))):
            fields = changed_fields(fields, rng)
        fields = fields if isinstance(fields, dict) else {}
    elif kind < 0.9:
        at = rng.randrange(len(segments))
        segments[at] = changed_segment(segments[at], fields, rng)
    elif kind < 0.95:
        rng.shuffle(segments)
        segments = segments[: rng.randrange(1, 3)]
    else:
        return changed_bytes(parts.assembled(fields, segments, rng), rng)
    try:
        return parts.assembled(fields, segments, rng)
    except (ValueError, OverflowError, struct.error):  # no bytes say this
        return changed_bytes(SIGNATURE, rng)


def odd_settings(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Legal settings of a representation and a scheme that nobody would choose."""
    pick = rng.choice
    representation: dict[str, Any] = pick(
        (
            {"kind": "coin_mlp", "width": pick((1, 2, 9)), "layers": pick((1, 3)),
             "activation": pick(("sine", "relu")), "features": 0},
            {"kind": "nerv", "channels": pick((1, 3, 8)), "stem_width": pick((1, 5)),
             "min_channels": pick((1, 4)), "strides": [pick((1, 2, 4, 16)), pick((1, 2, 8))],
             "norm": pick(("none", "batch", "instance")), "output": pick(("tanh", "sigmoid")),
             "upsampling": pick(("pixel_shuffle", "bilinear", "transposed"))},
            {"kind": "hinerv", "channels": pick((1, 4, 9)), "grid_channels": pick((1, 3)),
             "local_channels": pick((1, 2)), "kernel_size": pick((1, 3, 5)),
             "strides": [pick((1, 2, 4)), pick((1, 2))], "depths": [pick((0, 1)), pick((0, 2))],
             "expansions": [1, pick((1, 4))]},
            {"kind": "weightstep", "domain": pick(("weight", "dct")),
             "base": {"kind": "image_cnn", "channels": pick((1, 3)), "scales": pick((1, 2))}},
            {"kind": "latents", "levels": pick((1, 2, 3)), "anchor_every": pick((1, 2, 16))},
        )
    )  # fmt: skip
    scheme: dict[str, Any] = pick(
        (
            {"kind": "raw_fp16"},
            {"kind": "huffman", "bits": pick((2, 8, 12))},
            {"kind": "arithmetic", "bits": pick((2, 6, 9))},
            {"kind": "hierarchical", "bits": pick((2, 8)), "share": pick((1, 128)),
             "block": [pick((1, 16)), pick((1, 8)), 8], "context": pick((True, False))},
            {"kind": "latents", "anchor_every": pick((1, 2, 16))},
        )
    )  # fmt: skip
    return representation, scheme


def generated(rng: random.Random) -> bytes | None:
    """A file of odd settings with extreme values, packed by the codec itself; None: not legal."""
    representation, scheme_table = odd_settings(rng)
    width, height, num_frames = rng.choice((16, 17, 33)), rng.choice((16, 24)), rng.randrange(1, 4)
    depth = rng.choice((8, 10, 16))
    info = VideoInfo(width, height, Chroma.YUV420, num_frames=num_frames, depth=depth)
    head = Head.from_video_info(
        info, samples=rng.choice((Samples.RGB, Samples.PACKED420)),
        representation=representation, scheme=scheme_table,
    )  # fmt: skip
    values = np.random.default_rng(rng.randrange(1 << 32))
    try:
        specs = representation_config(head).tensors(segment_shape(head, num_frames))
        scheme = scheme_of(head)
        size = rng.choice((0.0, 1e-8, 1.0, 1e4, 1e9))
        parameters = [
            Parameter(s, (size * values.standard_cauchy(s.shape)).clip(-1e30, 1e30).astype("f4"))
            for s in specs
        ]
        coded = scheme.quantize(parameters)
        sections = scheme.pack(coded)
    except (NvcError, ValueError):
        return None
    file = io.BytesIO()
    writer = NvcWriter(file, head)
    writer.write_segment(CodedSegment(0, 0, num_frames, sections, coded.digest()))
    writer.finish()
    return file.getvalue()


def outcome(data: bytes) -> str:
    """What reading in every way comes to: "frames", or the error's class."""
    for keep_going in (True, False):
        try:
            with NvcReader(io.BytesIO(data), keep_going=keep_going) as reader:
                for segment in reader.segments():
                    parse_segment(segment.pack(), "again", DEFAULT_LIMITS)
                reader.chunk_map()
        except NvcError:
            pass
    try:
        with Decoder(io.BytesIO(data), limits=LIMITS) as video:
            for number, planes in enumerate(video.planes()):
                assert all(plane.dtype == video.info.sample_type for plane in planes)
                if number == 3:
                    break
    except NvcError as error:
        return type(error).__name__
    return "frames"


def run(seed: int, make: Callable[[random.Random], bytes | None] | None = None) -> str:
    """One run; whatever is not promised comes out as it is."""
    rng = random.Random(seed)
    data = (make or (generated if rng.random() < 0.1 else mutated))(rng)
    if data is None:
        return "not legal"
    began = time.process_time()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = outcome(data)
    seconds = time.process_time() - began
    assert seconds < MAX_SECONDS, f"seed {seed}: {seconds:.1f} s"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; then one more each")
    asked = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    for seed in range(asked.seed, asked.seed + asked.runs):
        try:
            counts[run(seed)] += 1
        except Exception as error:
            counts["FAILED"] += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{asked.runs} runs from seed {asked.seed}, peak {peak} MiB: {dict(counts)}")
    sys.exit(counts["FAILED"] > 0)


if __name__ == "__main__":
    main()
