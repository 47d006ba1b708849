"""What is inside mkvs: audio and other streams of the source, as ffmpeg has copied them."""

from nvcodec.container.header import Limits
from nvcodec.cursors import Cursor, pack_text, pack_varint
from nvcodec.errors import MalformedError
from nvcodec.streams import Stream, Streams

MAX_STREAMS = 256


def pack_streams(value: Streams) -> bytes:
    """The payload of mkvs."""
    out = [pack_varint(len(value.streams))]
    for stream in value.streams:
        out += map(pack_text, stream)
    return b"".join([*out, pack_varint(value.num_chapters), value.data])


def parse_streams(payload: bytes, limits: Limits) -> Streams:
    """The streams in the payload of mkvs."""
    cursor = Cursor(payload, "mkvs")
    count = cursor.varint("number of streams")
    if count > MAX_STREAMS:
        raise MalformedError(f"mkvs: {count} streams, allowed up to {MAX_STREAMS}")
    streams = []
    for number in range(count):
        cursor.where = f"mkvs, stream {number}"
        words = [cursor.text(what) for what in ("kind", "codec", "language")]
        if not all(word.isprintable() for word in words):
            raise MalformedError(f"{cursor.where}: {words}, allowed is printable text")
        streams.append(Stream(*words))
    cursor.where = "mkvs"
    return Streams(tuple(streams), cursor.varint("number of chapters"), cursor.rest())
