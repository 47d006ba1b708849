"""A reader written from docs/format.md alone, against the golden files.

It shares nothing with the package but the dictionary of HEAD, which the format names.
"""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from nvcodec.container.header import DICTIONARY

FOLDER = Path(__file__).parent


class Bytes:
    """Bytes from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def chunks(data: bytes) -> list[tuple[str, int, bytes]]:
    """(type, offset, payload) of every chunk."""
    assert data[:8] == bytes.fromhex("8b4e56430d0a1a0a")
    found, at = [], 8
    while at < len(data):
        header = data[at : at + 20]
        kind, flags, sequence, length = struct.unpack("<4sIIQ", header)
        assert struct.unpack_from("<I", data, at + 20)[0] == zlib.crc32(header)
        payload = data[at + 24 : at + 24 + length]
        (crc,) = struct.unpack_from("<I", data, at + 24 + length)
        assert crc == zlib.crc32(payload, zlib.crc32(header))
        assert (flags, sequence) == (0, len(found))
        found.append((kind.decode(), at, payload))
        at += 28 + length
    return found


def head_of(payload: bytes) -> dict:
    version, reader, size = struct.unpack_from("<HHI", payload)
    assert (version, reader) == (1, 1)
    text = zlib.decompressobj(-15, DICTIONARY).decompress(payload[8:])
    assert len(text) == size
    return json.loads(text)


def segment_of(payload: bytes) -> tuple[tuple[int, ...], bytes, dict[str, bytes]]:
    """(number, first frame, frames, references), digest, sections."""
    data = Bytes(payload)
    numbers = tuple(data.varint() for _ in range(3))
    references = tuple(numbers[0] - data.varint() for _ in range(data.varint()))
    digest = data.take(16)
    table = [(data.take(4).decode(), data.varint()) for _ in range(data.varint())]
    sections = {tag: data.take(length) for tag, length in table}
    assert data.at == len(payload)
    return (*numbers, references), digest, sections


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.nvc")), ids=lambda path: path.stem)
def test_container(path):
    data = path.read_bytes()
    found = chunks(data)
    kinds = [kind for kind, *_ in found]
    assert kinds == ["HEAD", "SEGM", "SEGM", "indx", "END "]
    head = head_of(found[0][2])
    assert (head["width"], head["height"]) == (48, 32)
    segments = [(at, payload) for kind, at, payload in found if kind == "SEGM"]
    frames = [segment_of(payload)[0] for _, payload in segments]
    assert frames == [(0, 0, 2, ()), (1, 2, 2, ())]
    index = Bytes(found[3][2])
    assert index.varint() == 2
    end = 0
    for (at, payload), (_, _, count, _) in zip(segments, frames, strict=True):
        assert (index.varint(), index.varint(), index.varint()) == (
            count, at - end, 28 + len(payload),
        )  # fmt: skip
        end = at + 28 + len(payload)
    totals = struct.unpack("<IIQQ16s", found[4][2])
    before = data[: found[4][1]]
    digest = hashlib.blake2b(before, digest_size=16).digest()
    assert totals == (2, 4, found[3][1], found[4][1], digest)
    assert len(data) - found[4][1] == 68


def test_half_floats():
    """`raw_fp16`: all values of all tensors, then the digest over names, shapes and roles."""
    (head_chunk, *rest) = chunks((FOLDER / "tiny-raw.nvc").read_bytes())
    head = head_of(head_chunk[2])
    assert head["scheme"]["kind"] == "raw_fp16"
    config, tensors = head["representation"], []
    assert config["kind"] == "hinerv"
    for _, _, payload in rest[:2]:
        _, digest, sections = segment_of(payload)
        values = np.frombuffer(sections["RAWF"], "<f2")
        tensors = hinerv_tensors(config, num_frames=2, height=32, width=48, channels=3)
        state, at = hashlib.blake2b(digest_size=16), 0
        for name, shape, role in tensors:
            count = int(np.prod(shape))
            state.update(f"{name}:{','.join(map(str, shape))}:{role}\n".encode())
            state.update(values[at : at + count].tobytes())
            at += count
        assert at == len(values)
        assert state.digest() == digest


def hinerv_tensors(config, num_frames, height, width, channels):
    """The table of docs/format.md for `hinerv`, with `grid_halving` "t"."""
    strides = config["strides"]
    product = int(np.prod(strides))
    rows, columns = -(-height // product), -(-width // product)
    found, inputs = [], 0
    for level in range(config["grid_levels"]):
        frames = config.get("grid_frames") or -(-3 * num_frames // 10)
        size = config["grid_channels"] << level
        found.append(
            (f"base.grid.{level}", (max(frames >> level, 1) * rows * columns, size), "grid")
        )
        inputs += size
    kernel, out = config["stem_kernel_size"], config["channels"]
    found += layer("base.stem", out, inputs, kernel, kernel)
    for n, (stride, depth, expansion) in enumerate(
        zip(strides, config["depths"], config["expansions"], strict=True)
    ):
        before, local, knots = out, max(config["local_channels"] >> n, 1), num_frames
        if depth:
            least = min(config["min_channels"], config["channels"])
            out = max(config["channels"] >> n, least, 1)
        for level in range(config["local_levels"]):
            size = (max(knots >> level, 1) * stride**2, local << level)
            found.append((f"block.{n}.local.{level}", size, "grid"))
        total = local * ((1 << config["local_levels"]) - 1)
        found += layer(f"block.{n}.encoding", before, total)
        kernel = config["kernel_size"]
        for j in range(depth):
            a = before if j == 0 else out
            for part, shape in (
                ("depthwise", (a, 1, kernel, kernel)),
                ("expand", (expansion * out, a)),
                ("project", (out, expansion * out)),
            ):
                found.append((f"block.{n}.conv.{j}.{part}.weight", shape, "weight"))
    return found + layer("head", channels, out)


def layer(name, *shape):
    return [(f"{name}.weight", shape, "weight"), (f"{name}.bias", shape[:1], "bias")]
