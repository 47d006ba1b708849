"""The whole way: bytes to integers, samples and planes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from independent import coin_mlp, hinerv, image_cnn, latents, nerv, weightstep
from independent.color import planes, to_integers
from independent.container import Segment, read_file
from independent.hierarchical import hierarchical
from independent.latents_scheme import latents as latents_scheme
from independent.schemes import arithmetic, huffman, raw_fp16
from independent.tensors import Tensor, digest, half

FAMILIES = {
    "coin_mlp": coin_mlp,
    "hinerv": hinerv,
    "image_cnn": image_cnn,
    "latents": latents,
    "nerv": nerv,
    "weightstep": weightstep,
}
SCHEMES = {
    "arithmetic": arithmetic,
    "hierarchical": hierarchical,
    "huffman": huffman,
    "latents": latents_scheme,
    "raw_fp16": raw_fp16,
}


class Frame(NamedTuple):
    """One frame: what the network gives, as integers, and the planes of the video."""

    samples: np.ndarray
    planes: list[np.ndarray]


def sample_shape(head: dict[str, Any], num_frames: int) -> tuple[int, int, int, int]:
    """T, H, W, C of a segment's samples."""
    height, width = head["height"], head["width"]
    if head["samples"] == "yuv420":
        return num_frames, -(-height // 2), -(-width // 2), 6
    return num_frames, height, width, 1 if head["samples"] == "gray" else 3


def read_tensors(head: dict[str, Any], segment: Segment) -> tuple[bytes, dict[str, Tensor]]:
    """Digest of a segment's integers, and its tensors by name."""
    shape = sample_shape(head, segment.num_frames)
    specs = FAMILIES[head["representation"]["kind"]].tensors(head["representation"], shape)
    found = SCHEMES[head["scheme"]["kind"]](specs, segment.sections, head["scheme"])
    return digest(specs, found), {s.name: f for s, f in zip(specs, found, strict=True)}


def added(tensor: Tensor, before: np.ndarray | None = None) -> np.ndarray:
    """A tensor's values, as the change of another segment's where they can be one."""
    if before is None or tensor.product is None or before.shape != tensor.values.shape:
        return tensor.values
    return half(before + tensor.product)


def decode(data: bytes) -> Iterator[Frame]:
    """The frames of a file in order."""
    file = read_file(data)
    decoded: list[dict[str, np.ndarray]] = []
    for number, segment in enumerate(file.segments):
        found, tensors = read_tensors(file.head, segment)
        if found != segment.digest:
            raise ValueError("the integers do not have the digest that the file states")
        before = [decoded[number - distance] for distance in segment.references]
        values = {
            name: added(tensor, *(one.get(name) for one in before)).astype(np.float32)
            for name, tensor in tensors.items()
        }
        decoded.append(values)
        shape = sample_shape(file.head, segment.num_frames)
        representation = file.head["representation"]
        for t in range(segment.num_frames):
            x = FAMILIES[representation["kind"]].render(representation, shape, values, t)
            samples = to_integers(x[: shape[1], : shape[2]], file.head["bit_depth"])
            yield Frame(samples, planes(samples, file.head))
