"""HEAD, the chunk that says what the file is, and the limits that a reader holds every file to.

The text inside is JSON with defaults left out, deflated against a fixed dictionary: a HiNeRV file's
whole HEAD takes a few hundred bytes. Everything in it is checked here; what the settings of a
representation or a scheme mean, is not.
"""

import json
import math
import re
import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, ValidationError, model_validator

from nvcodec.config import Config
from nvcodec.errors import LimitError, MalformedError, UnsupportedVersionError
from nvcodec.samples import DEPTHS, Chroma, ContentLight, MasteringDisplay, Samples, Siting

if TYPE_CHECKING:
    from nvcodec.video.info import VideoInfo

FORMAT_VERSION = 1
"""The version that this code writes, and the newest that it reads."""
MAX_DEPTH = 16
"""Levels of brackets in the HEAD text."""
DICTIONARY = (
    b'false,null,true},"seed":"activation":"gelu","bias":"norm":"layer","grid_levels":'
    b'"grid_features":"grid_size":"local_grid":"temporal":"hidden":"omega":"frequencies":'
    b'"kernel_size":"expansion":"reduction":"upscale":[5,3,2,2],"blocks":"depth":"depths":'
    b'"stem":"head":"channels":"min_channels":"bits":"levels":"kind":"image_cnn","kind":"coin_mlp",'
    b'"kind":"weightstep","kind":"raw_fp16"},"kind":"huffman","kind":"hierarchical",'
    b'"samples":"gray","chroma":"gray","chroma":"rgb","chroma":"422","sample_aspect_ratio":['
    b'"transfer":"range":"full","primaries":9,"matrix":0,"matrix":9,"matrix":6,"primaries":6,'
    b'"samples":"yuv","chroma":"444","frame_rate":[50,1],"frame_rate":[120,1],'
    b'"frame_rate":[24000,1001],'
    b'"frame_rate":[60000,1001],"frame_rate":[30000,1001],"height":720,"width":1280},'
    b'"frame_rate":[30,1],"height":1080,"matrix":1,"num_frames":600,"primaries":1,'
    b'"remark":"nvcodec 0.1.0 nerv-hinerv-s","representation":{"kind":"nerv","kind":"hinerv",},'
    b'"scheme":{"bits":6,"kind":"arithmetic"},"transfer":1,"width":1920}'
)
"""Preset dictionary of the deflate stream in HEAD: part of the format, frozen in version 1."""

_PREFIX = struct.Struct("<HHI")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # Also one that never ends: linear.
_MAX_INTEGER = 1 << 53


@dataclass(frozen=True)
class Limits:
    """The most that a file may ask of its reader. Each field has a flag on the command line."""

    dimension: int = 16_384
    """Width and height, in samples."""
    pixels: int = 2**28
    """Width times height of one frame."""
    frames: int = 2**24
    """Frames in the file."""
    segments: int = 2**16
    """Segments in the file."""
    chunks: int = 2**17
    """Chunks of any kind in the file."""
    parameters: int = 2**27
    """Parameters of one segment's representation; checked by the decoder, before it allocates."""
    segment_bytes: int = 2**28
    """Payload of one chunk that is neither HEAD nor indx, in bytes."""
    references: int = 4
    """Earlier segments that one may be decoded with."""
    needed_segments: int = 64
    """Segments to be decoded for one, itself included; checked by the decoder."""
    head_bytes: int = 2**20
    """HEAD, deflated and inflated, in bytes."""
    memory_bytes: int = 2**33  # NVRC S4 with 600 frames in one segment: 6 GiB, mostly contexts
    """Memory for decoding, in bytes; checked by the decoder against its own estimate."""
    macs_per_frame: int = 10**13
    """Multiply-adds to render a frame, or for a segment's integers; checked by the decoder."""
    macs: int = 10**17
    """Multiply-adds to render all frames asked for; checked by the decoder."""
    rows: int = 2**18
    """Weight steps of a segment, counted for every tensor; checked by the decoder."""

    @property
    def index_bytes(self) -> int:
        """Largest payload of indx that `segments` entries can need."""
        return 9 + 27 * self.segments

    def check(self, where: str, what: str, seen: int, allowed: int) -> None:
        """Refuse more than is allowed.

        Raises:
            LimitError: `seen` is above `allowed`.
        """
        if seen > allowed:
            raise LimitError(f"{where}: {what} {seen:,}, allowed up to {allowed:,}")


DEFAULT_LIMITS = Limits()

_U32 = Annotated[int, Field(strict=True, ge=1, lt=1 << 32)]
_Cicp = Annotated[int, Field(strict=True, ge=0, lt=1 << 8)]
_U16 = Annotated[int, Field(strict=True, ge=0, lt=1 << 16)]
_Luminance = Annotated[int, Field(strict=True, ge=0, lt=1 << 32)]
_Version = Annotated[int, Field(strict=True, ge=1, lt=1 << 16)]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Head(Config):
    """What a `.nvc` file says about its video, its representation and its scheme."""

    format_version: _Version = FORMAT_VERSION
    min_reader_version: _Version = 1
    width: _U32
    height: _U32
    chroma: Chroma = Chroma.YUV420
    bit_depth: Annotated[int, Field(strict=True, ge=DEPTHS[0], le=DEPTHS[-1])] = 8
    range: Literal["limited", "full"] = "limited"
    primaries: _Cicp = 2
    transfer: _Cicp = 2
    matrix: _Cicp = 2
    siting: Siting | None = None
    """Where chroma samples lie; absent where nobody said."""
    mastering_display: (
        tuple[_U16, _U16, _U16, _U16, _U16, _U16, _U16, _U16, _Luminance, _Luminance] | None
    ) = None
    """Fields of `samples.MasteringDisplay`; absent where nobody said."""
    content_light: tuple[_U16, _U16] | None = None
    """Fields of `samples.ContentLight`; absent where nobody said."""
    sample_aspect_ratio: tuple[_U32, _U32] = (1, 1)
    frame_rate: tuple[_U32, _U32] = (25, 1)
    num_frames: Annotated[int, Field(strict=True, ge=0, lt=1 << 32)] = 0
    """0 when it was not known as the file began; END knows it."""
    samples: Samples = Samples.RGB
    """The samples that the representation gives; `chroma` says what the source had."""
    representation: dict[str, JsonValue]
    scheme: dict[str, JsonValue]
    remark: Annotated[str, StringConstraints(strict=True, max_length=1024)] = ""

    @model_validator(mode="after")
    def _check_across_fields(self) -> Self:
        for field, table in (("representation", self.representation), ("scheme", self.scheme)):
            kind = table.get("kind")
            if not isinstance(kind, str) or _NAME.fullmatch(kind) is None:
                raise ValueError(f'{field}: "kind" is {kind!r:.80}, allowed: a lower-case name')
        if not self.samples.is_allowed_for(self.chroma):
            allowed = ", ".join(Samples.allowed_for(self.chroma))
            raise ValueError(
                f"samples {self.samples} with chroma {self.chroma}, allowed: {allowed}"
            )
        if self.format_version < self.min_reader_version:
            raise ValueError(
                f"format version {self.format_version} asks for a reader of version "
                f"{self.min_reader_version}"
            )
        return self

    @classmethod
    def from_video_info(
        cls,
        info: "VideoInfo",
        *,
        samples: Samples,
        representation: dict[str, Any],
        scheme: dict[str, Any],
        remark: str = "",
    ) -> Self:
        """The head of a file that codes the video `info` with these resolved settings.

        Settings are plain JSON values, as `model_dump(mode="json")` gives them.
        """
        return cls(
            width=info.width,
            height=info.height,
            chroma=info.chroma,
            bit_depth=info.depth,
            range=info.color.range,
            primaries=info.color.primaries,
            transfer=info.color.transfer,
            matrix=info.color.matrix,
            siting=info.siting,
            mastering_display=info.mastering_display,
            content_light=info.content_light,
            sample_aspect_ratio=info.sample_aspect_ratio.as_integer_ratio(),
            frame_rate=info.frame_rate.as_integer_ratio(),
            num_frames=info.num_frames or 0,
            samples=samples,
            representation=representation,
            scheme=scheme,
            remark=remark,
        )

    def to_video_info(self) -> "VideoInfo":
        """The video that the file stands for."""
        # Imported here: it brings numpy, and `nvc info` wants to be instant.
        from nvcodec.video.info import ColorTags, VideoInfo

        display, light = self.mastering_display, self.content_light
        return VideoInfo(
            width=self.width,
            height=self.height,
            chroma=self.chroma,
            depth=self.bit_depth,
            frame_rate=Fraction(*self.frame_rate),
            sample_aspect_ratio=Fraction(*self.sample_aspect_ratio),
            color=ColorTags(self.range, self.primaries, self.transfer, self.matrix),
            num_frames=self.num_frames or None,
            siting=self.siting,
            mastering_display=display and MasteringDisplay(*display),
            content_light=light and ContentLight(*light),
        )

    def check_limits(self, limits: Limits) -> None:
        """Refuse a video that is larger than the limits.

        Raises:
            LimitError: Which one, and by how much.
        """
        limits.check("HEAD", "width", self.width, limits.dimension)
        limits.check("HEAD", "height", self.height, limits.dimension)
        limits.check("HEAD", "pixels a frame", self.width * self.height, limits.pixels)
        limits.check("HEAD", "frames", self.num_frames, limits.frames)

    def to_bytes(self) -> bytes:
        """The payload of HEAD."""
        fields = self.model_dump(
            mode="json", exclude={"format_version", "min_reader_version"}, exclude_defaults=True
        )
        text = json.dumps(
            fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
        _parse_text(text)  # What we write, we read.
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        prefix = _PREFIX.pack(self.format_version, self.min_reader_version, len(text))
        return prefix + deflate.compress(text) + deflate.flush()

    @classmethod
    def from_bytes(cls, payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """The head in the payload of HEAD, fully checked.

        Raises:
            UnsupportedVersionError: The file asks for a newer reader.
            LimitError: The text or the video is larger than the limits.
            MalformedError: Anything else that is not as the format says.
        """
        if len(payload) < _PREFIX.size:
            raise MalformedError(f"HEAD: {len(payload)} bytes, needs at least {_PREFIX.size}")
        version, min_reader_version, text_size = _PREFIX.unpack_from(payload)
        if min_reader_version > FORMAT_VERSION:
            raise UnsupportedVersionError(
                f"HEAD: needs a reader of format version {min_reader_version}, "
                f"this one reads up to {FORMAT_VERSION}"
            )
        limits.check("HEAD", "inflated bytes", text_size, limits.head_bytes)
        fields = _parse_text(_inflate(payload[_PREFIX.size :], text_size))
        if reserved := fields.keys() & {"format_version", "min_reader_version"}:
            raise MalformedError(f"HEAD: unknown key {min(reserved)}")
        try:
            head = cls(format_version=version, min_reader_version=min_reader_version, **fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part)[:80] for part in first["loc"]) or "fields"
            raise MalformedError(f"HEAD, {where}: {first['msg'][:200]}") from None
        head.check_limits(limits)
        return head


def _inflate(data: bytes, size: int) -> bytes:
    """The text of `size` bytes that fills the deflate stream; never allocates more."""
    inflate = zlib.decompressobj(-15, DICTIONARY)
    try:
        text = inflate.decompress(data, size + 1)
    except zlib.error as error:
        raise MalformedError(f"HEAD: not a deflate stream ({error})") from None
    if len(text) != size or not inflate.eof:
        raise MalformedError(f"HEAD: {size:,} inflated bytes declared, the stream has another size")
    if inflate.unused_data:
        raise MalformedError(f"HEAD: {len(inflate.unused_data):,} bytes after the deflate stream")
    return text


def _parse_text(text: bytes) -> dict[str, Any]:
    """The JSON object in the HEAD text, strict about all that JSON parsers disagree on."""
    depth = 0
    for byte in _STRING.sub(b"", text):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_DEPTH:
            raise MalformedError(f"HEAD: more than {MAX_DEPTH} levels of brackets")

    def integer(digits: str) -> int:
        value = int(digits) if len(digits) < 20 else _MAX_INTEGER + 1
        if abs(value) > _MAX_INTEGER:
            raise ValueError(f"integer {digits[:20]} outside +-2^53")
        return value

    def number(digits: str) -> float:
        if not math.isfinite(value := float(digits)):
            raise ValueError(f"number {digits[:20]} is not finite")
        return value

    def constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("duplicate key")
        return result

    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=table,
            parse_int=integer,
            parse_float=number,
            parse_constant=constant,
        )
        json.dumps(value, ensure_ascii=False).encode()  # Lone surrogates have no UTF-8 form.
    except ValueError as error:
        raise MalformedError(f"HEAD: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise MalformedError("HEAD: the text is not a JSON object")
    return value
