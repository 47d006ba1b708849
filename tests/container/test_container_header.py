"""HEAD: round trip, strictness, limits, and how small it is."""

import hashlib
import io
import json
import struct
import zlib
from fractions import Fraction

import pytest
from nvc_samples import HEAD, REPRESENTATION, SCHEME, make_head
from pydantic import ValidationError

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DICTIONARY, FORMAT_VERSION, Head, Limits
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import LimitError, MalformedError, UnsupportedVersionError
from nvcodec.samples import Chroma
from nvcodec.video.info import ColorTags, VideoInfo

HINERV = {
    "kind": "hinerv",
    "channels": 280,
    "depths": [3, 3, 3, 1],
    "expansions": [4, 4, 4, 1],
    "upscale": [5, 3, 2, 2],
    "reduction": 2.0,
    "min_channels": 12,
    "kernel_size": 3,
    "stem_kernel_size": 3,
    "grid_size": [120, 9, 16],
    "grid_features": 12,
    "grid_levels": 4,
    "grid_level_scale": [2.0, 1.0, 0.5, 0.5],
    "local_grid_features": 8,
    "local_grid_levels": 3,
    "activation": "gelu",
    "norm": "layer",
    "padding": 2,
    "bilinear": True,
    "layer_scale": 0.0,
    "head_bias": True,
}


def raw_head(text: bytes, *, version: int = 1, reader: int = 1, size: int | None = None) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, 0, DICTIONARY)
    prefix = struct.pack("<HHI", version, reader, len(text) if size is None else size)
    return prefix + deflate.compress(text) + deflate.flush()


def text_with(**fields: object) -> bytes:
    base = {"width": 64, "height": 48, "representation": REPRESENTATION, "scheme": SCHEME}
    return json.dumps(base | fields).encode()


def test_round_trip_keeps_every_field():
    head = make_head(
        chroma="422",
        range="full",
        primaries=9,
        transfer=16,
        matrix=9,
        sample_aspect_ratio=(4, 3),
        frame_rate=(30000, 1001),
        samples="yuv",
        remark='näh "x" \\ 🎞',
        representation=HINERV,
    )
    assert Head.from_bytes(head.to_bytes()) == head


def test_video_info_round_trip():
    info = VideoInfo(
        width=33,
        height=17,
        chroma=Chroma.YUV444,
        frame_rate=Fraction(24000, 1001),
        sample_aspect_ratio=Fraction(16, 11),
        color=ColorTags("full", 1, 13, 1),
        num_frames=None,
    )
    head = Head.from_video_info(info, samples="yuv", representation=REPRESENTATION, scheme=SCHEME)
    assert Head.from_bytes(head.to_bytes()).to_video_info() == info


def test_the_dictionary_never_changes():
    assert (
        hashlib.sha256(DICTIONARY).hexdigest()
        == "f8712f7357047c378295fce264cffe1904fbd8e5723cf6de0236e8d8dfe6787e"
    )


def test_overhead_of_a_normal_file():
    head = make_head(
        width=1920,
        height=1080,
        num_frames=600,
        frame_rate=(120, 1),
        primaries=1,
        transfer=1,
        matrix=1,
        representation=HINERV,
        scheme={"kind": "hierarchical", "bits": 6, "axis": "dual", "context": 12},
        remark="nvcodec 0.1.0, preset hinerv-s",
    )
    file = io.BytesIO()
    writer = NvcWriter(file, head)
    coded = {tag: bytes(30_000) for tag in ("MASK", "QSCL", "ENTP", "SYMB", "RAWF")}
    for number in range(5):
        writer.write_segment(CodedSegment(number, 120 * number, 120, coded, bytes(16)))
    size = writer.finish()
    assert size - 5 * 150_000 <= 600 + 5 * 100
    assert len(head.to_bytes()) < 300


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"7",
        b"nonsense",
        b"\xff\xfe",
        text_with() + b" {}",
        text_with(unknown=1),
        text_with(width="64"),
        text_with(width=64.0),
        text_with(width=True),
        text_with(width=0),
        text_with(width=-1),
        text_with(width=2**32),
        text_with(bit_depth=7),
        text_with(bit_depth=17),
        text_with(mastering_display=[1] * 9),
        text_with(mastering_display=[1 << 16] + [1] * 9),
        text_with(mastering_display=[1] * 9 + [1 << 32]),
        text_with(mastering_display=[0.5] + [1] * 9),
        text_with(content_light=[1000]),
        text_with(content_light=[1000, -1]),
        text_with(bit_depth=8.0),
        text_with(chroma="411"),
        text_with(frame_rate=[25]),
        text_with(frame_rate=[25, 0]),
        text_with(frame_rate={"a": 1}),
        text_with(samples="gray"),
        text_with(samples="yuv", chroma="rgb"),
        text_with(remark="x" * 1025),
        text_with(remark=None),
        text_with(format_version=1),
        text_with(min_reader_version=1),
        text_with(representation={"channels": 8}),
        text_with(representation={"kind": 3}),
        text_with(representation={"kind": "../etc"}),
        text_with(representation=[]),
        text_with(scheme={}),
        text_with(remark="\ud800"),
        text_with(representation={"kind": "nerv", "x": 2**53 + 1}),
        text_with(representation={"kind": "nerv", "x": float("nan")}),
        text_with(representation={"kind": "nerv", "x": float("-inf")}),
        text_with().replace(b"64", b"1e999"),
        text_with().replace(b"64", b"9" * 5000),
        text_with().replace(b'"width"', b'"width": 64, "width"'),
        text_with().replace(b"[2, 2]", b"[" * 17 + b"]" * 17),
        text_with().replace(b"[2, 2]", b"[" * 100_000 + b"]" * 100_000),
        b'"' + b'\\"' * 100_000,
    ],
)
def test_text_that_is_refused(text: bytes):
    with pytest.raises(MalformedError):
        Head.from_bytes(raw_head(text))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\1\0\1\0\0\0\0",
        raw_head(text_with(), size=5),
        raw_head(text_with(), size=5000),
        raw_head(text_with()) + b"x",
        raw_head(text_with())[:-1],
        raw_head(text_with())[:8] + b"\xff" * 20,
        raw_head(text_with(), version=0),
    ],
)
def test_payload_that_is_refused(payload: bytes):
    with pytest.raises(MalformedError):
        Head.from_bytes(payload)


def test_zip_bomb():
    bomb = raw_head(b" " * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(LimitError, match="inflated bytes 50,000,000"):
        Head.from_bytes(bomb)
    with pytest.raises(MalformedError, match="another size"):
        Head.from_bytes(raw_head(b" " * 50_000_000, size=1000))


def test_future_version_is_named_even_when_its_text_is_not_understood():
    payload = raw_head(b"\0\1\2", version=9, reader=FORMAT_VERSION + 1)
    with pytest.raises(UnsupportedVersionError, match="version 2"):
        Head.from_bytes(payload)


def test_newer_format_that_old_readers_understand():
    head = Head.from_bytes(raw_head(text_with(), version=3))
    assert (head.format_version, head.min_reader_version) == (3, 1)


@pytest.mark.parametrize(
    ("limit", "fields"),
    [
        ("dimension", {"width": 16385, "height": 1}),
        ("dimension", {"width": 1, "height": 16385}),
        ("pixels", {"width": 16384, "height": 16384 + 1}),
        ("frames", {"num_frames": 2**24 + 1}),
    ],
)
def test_limits(limit: str, fields: dict[str, int]):
    limits = Limits(dimension=2**20) if limit == "pixels" else Limits()
    with pytest.raises(LimitError, match="allowed up to"):
        Head.from_bytes(make_head(**fields).to_bytes(), limits)
    raised = Limits(**{"dimension": 2**20, limit: 2**40})
    assert Head.from_bytes(make_head(**fields).to_bytes(), raised)


def test_what_a_head_refuses_to_hold():
    with pytest.raises(ValidationError):
        make_head(unknown=1)
    with pytest.raises(ValueError, match="JSON"):
        make_head(representation={"kind": "nerv", "x": float("nan")}).to_bytes()
    assert HEAD.to_bytes() == HEAD.to_bytes()
