"""From the bytes of a segment to its integers and half floats: no torch, the same on every machine.

    HEAD --check_limits--> what the file may ask for
    sections --scheme.unpack, hash checked--> integers --dequantize--> values

Rendering goes on in `segment_decoder`.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nvcodec.coding.parameters import ParameterSet, Role
from nvcodec.coding.scheme import Scheme
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DEFAULT_LIMITS, Head, Limits
from nvcodec.errors import (
    BitstreamError,
    ChecksumError,
    MalformedError,
    UnsupportedVersionError,
    UnsupportedVideoError,
)
from nvcodec.representations import load_config
from nvcodec.representations.config import RepresentationConfig
from nvcodec.samples import Chroma, VideoShape
from nvcodec.video.color import luma_weights
from nvcodec.video.info import sample_type

T = TypeVar("T")
Values = Mapping[str, NDArray[np.float16]]
"""Half floats by name of tensor."""
KEPT_SEGMENTS = 2
"""Whose values are held: the last one asked for, and the one before it."""

BAND_BYTES = 1 << 30
"""Memory for the activations of what is rendered at a time."""
OUTPUT_COPIES, FRAME_COPIES = 4, 6
"""Estimates: arrays of float32 while output becomes samples; a frame's samples at their depth."""
MARGINS = 1.5
"""Estimate: rows computed for a band, with its margins, per row delivered."""


def segment_shape(head: Head, num_frames: int) -> VideoShape:
    """Shape of what a segment's representation stands for."""
    return head.samples.shape(num_frames, head.height, head.width)


def representation_config(head: Head) -> RepresentationConfig:
    """The settings of the file's representation.

    Raises:
        UnsupportedVersionError: its kind is unknown here.
        MalformedError: a field of it is not as the format says.
    """
    return _loaded("representation", load_config, head.representation)


def scheme_of(head: Head) -> Scheme[Any]:
    """The scheme of the file; raises as `representation_config`."""
    return _loaded("scheme", load_scheme, head.scheme)


def _loaded(part: str, load: Callable[[Mapping[str, Any]], T], table: Mapping[str, Any]) -> T:
    """What a table of HEAD describes."""
    try:
        return load(table)
    except KeyError as error:
        raise UnsupportedVersionError(
            f"HEAD: {error.args[0]}; the file needs a newer nvc"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedError(f"HEAD, {part} {first['loc']}: {first['msg']}") from error
    except ValueError as error:
        raise MalformedError(f"HEAD, {part}: {error}") from error


def check_conversion(head: Head) -> None:
    """Refuse pixels that no rule turns into the samples of the source.

    Raises:
        MalformedError: there is none.
    """
    info = head.to_video_info()
    if info.chroma in (Chroma.GRAY, Chroma.RGB):
        return
    try:
        luma_weights(info.color)
    except UnsupportedVideoError as error:
        raise MalformedError(f"HEAD: {error}") from error


def band_height(config: RepresentationConfig, shape: VideoShape) -> int | None:
    """Rows to render at a time; None for whole frames, which are faster where they fit.

    A band also computes its margins. Where no band is low enough the lowest is taken.
    """
    needed = 8 * config.activations_per_frame(shape) + _output_bytes(shape)
    if needed <= BAND_BYTES:
        return None
    heights, _ = config.patch_sizes(shape.height, shape.width)
    fitting = [h for h in heights if MARGINS * needed * h / heights[-1] <= BAND_BYTES]
    return max(fitting, default=heights[0])


def memory_bytes(
    config: RepresentationConfig, shape: VideoShape, scheme: Scheme[Any], depth: int
) -> int:
    """Estimate for decoding: parameters and their integers, activations of a frame or band, frames.

    A frame is there as samples, as planes, and once more where they are written.
    """
    activations: int = 8 * config.activations_per_frame(shape) + _output_bytes(shape)
    band = band_height(config, shape)
    if band is not None:
        share = min(1.0, MARGINS * band / config.canvas(shape.height, shape.width)[0])
        activations = round(share * activations) + 4 * config.activations_per_band(shape)
    frame = math.prod(shape[1:]) * FRAME_COPIES * sample_type(depth).itemsize
    return scheme.memory_bytes(config.tensors(shape)) + activations + frame


def _output_bytes(shape: VideoShape) -> int:
    """What a frame takes from the network's output to samples, in bytes."""
    return OUTPUT_COPIES * 4 * math.prod(shape[1:])


def check_limits(head: Head, num_frames: int, limits: Limits) -> None:
    """Refuse, before anything is allocated, a segment that would take more than is allowed.

    Raises:
        BitstreamError: unknown kind, fields that do not fit together, or above the limits.
    """
    config, shape = representation_config(head), segment_shape(head, num_frames)
    where = "HEAD, representation"
    try:
        num_parameters = config.num_parameters(shape)
    except ValueError as error:
        raise MalformedError(f"{where}: {error}") from error
    limits.check(where, "parameters", num_parameters, limits.parameters)
    limits.check(
        where, "multiply-adds a frame", config.macs_per_frame(shape), limits.macs_per_frame
    )
    scheme, specs = scheme_of(head), config.tensors(shape)
    rows = sum(spec.shape[0] for spec in specs if spec.role is Role.DELTA)
    limits.check(where, "weight steps, counted for every tensor", rows, limits.rows)
    what = "multiply-adds to decode a segment's integers"
    limits.check("HEAD, scheme", what, scheme.macs(specs), limits.macs_per_frame)
    needed = memory_bytes(config, shape, scheme, head.bit_depth)
    limits.check(where, "bytes of memory", needed, limits.memory_bytes)


def check_work(head: Head, num_frames: int, limits: Limits) -> None:
    """Refuse to render so many frames where that is more work than is allowed.

    Raises:
        LimitError: it is.
    """
    macs = representation_config(head).macs_per_frame(segment_shape(head, 1)) * num_frames
    where = f"HEAD, representation, {num_frames:,} frames"
    limits.check(where, "multiply-adds", macs, limits.macs)


def sections_by_owner(
    segment: CodedSegment, owners: Mapping[str, Collection[str]]
) -> dict[str, dict[str, bytes]]:
    """What each owner finds in a segment: the sections whose tags are its own.

    Args:
        segment: as it lies in the file.
        owners: tags by owner; no tag has two.

    Raises:
        MalformedError: a section that nobody owns.
    """
    known = [tag for tags in owners.values() for tag in tags]
    if surplus := sorted(segment.sections.keys() - known):
        raise MalformedError(
            f"segment {segment.number}: sections {', '.join(surplus)} have no owner, "
            f"allowed: {', '.join(known)}"
        )
    return {
        owner: {tag: data for tag, data in segment.sections.items() if tag in tags}
        for owner, tags in owners.items()
    }


def unpack_segment(
    head: Head, segment: CodedSegment, limits: Limits = DEFAULT_LIMITS
) -> ParameterSet:
    """The integers of a segment, within the limits and checked against their hash.

    Raises:
        BitstreamError: the sections do not hold what the header announces, or ask for too much.
    """
    check_limits(head, segment.num_frames, limits)
    specs = representation_config(head).tensors(segment_shape(head, segment.num_frames))
    scheme = scheme_of(head)
    sections = sections_by_owner(segment, {"scheme": scheme.tags})
    parameters = scheme.unpack(sections["scheme"], specs)
    if parameters.digest() != segment.digest:
        raise ChecksumError(
            f"segment {segment.number}: the decoded integers do not match their hash"
        )
    return parameters


class DecodedSegment(NamedTuple):
    """Values of a segment, and where they come from."""

    values: Values
    needed: frozenset[int]
    """Numbers of all segments that they were decoded from, its own included."""


class SegmentValues:
    """Values of a file's segments, by number; the last few are kept for those that refer to them.

    Args:
        head: of the file.
        limits: what it may ask for.
        read: gives an earlier segment by its number, for what is no longer kept.
    """

    def __init__(
        self, head: Head, limits: Limits, read: Callable[[int], CodedSegment] | None = None
    ) -> None:
        self._head, self._limits, self._read = head, limits, read
        self._kept: dict[int, DecodedSegment] = {}

    def keep(self, number: int, values: Values) -> None:
        """Take values of a segment as they are known, for those that refer to it."""
        self._kept[number] = DecodedSegment(values, frozenset({number}))

    def pass_by(self, segment: CodedSegment) -> None:
        """Keep values of a segment that cannot be read again, if later ones may need them.

        What is wrong with it is said where it is needed.
        """
        if scheme_of(self._head).max_references:
            with contextlib.suppress(BitstreamError):
                self.of(segment)

    def of(self, segment: CodedSegment) -> Values:
        """Half floats of a segment, by name of tensor: the only way from sections to values.

        Each segment that it needs, directly or not, is decoded once.

        Raises:
            BitstreamError: as `unpack_segment`; also a segment that is missing, or more of them
                needed, or more memory for their values, than the limits allow.
        """
        found = dict(self._kept)
        for coded in self._needed(segment):
            before = [found[number] for number in coded.references]
            # Counted over what is kept too, so that a file is refused in order as at random.
            needed = frozenset({coded.number}).union(*(one.needed for one in before))
            where, allowed = f"segment {coded.number}", self._limits.needed_segments
            self._limits.check(where, "segments needed", len(needed), allowed)
            parameters = unpack_segment(self._head, coded, self._limits)
            values = scheme_of(self._head).values(parameters, [one.values for one in before])
            found[coded.number] = DecodedSegment(values, needed)
        last = sorted(number for number in found if number <= segment.number)[-KEPT_SEGMENTS:]
        self._kept = {number: found[number] for number in last}
        return found[segment.number].values

    def _needed(self, segment: CodedSegment) -> list[CodedSegment]:
        """What has to be decoded for a segment, itself included, in order."""
        found = {} if segment.number in self._kept else {segment.number: segment}
        waiting = list(found.values())
        where = f"segment {segment.number}"
        check_limits(self._head, segment.num_frames, self._limits)
        while waiting:
            for number in waiting.pop().references:
                if number in found or number in self._kept:
                    continue
                if self._read is None:
                    raise MalformedError(
                        f"{where}: needs segment {number}, which is no longer at hand"
                    )
                found[number] = self._read(number)
                check_limits(self._head, found[number].num_frames, self._limits)
                waiting.append(found[number])
                self._check_size(where, list(found.values()))
        return [found[number] for number in sorted(found)]

    def _check_size(self, where: str, needed: list[CodedSegment]) -> None:
        limits, config = self._limits, representation_config(self._head)
        limits.check(where, "segments needed", len(needed), limits.needed_segments)
        num_values = sum(
            config.num_parameters(segment_shape(self._head, one.num_frames)) for one in needed
        )
        limits.check(
            where, "bytes of memory for segments needed", 2 * num_values, limits.memory_bytes
        )
