"""Speed of the hierarchical scheme on tensors of real sizes, in symbols a second on one thread.

    python benchmarks/entropy_speed.py --kernels 5,1,1 --out results/entropy_speed.jsonl

Tensors of a preset at 1080p under synthetic values (no training): grids smooth in space and time
with Laplace innovations, a context model that predicts them from their neighbours, layers with a
spread per row and per column. The rival in the same run: constriction's own Gaussian with a mean
and a spread for every symbol, on the same symbols.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy starts its threads
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import constriction
import numpy as np
from numpy.typing import NDArray

from common import Line, measured, parser_of
from nvcodec.coding.hierarchical.context import taps
from nvcodec.coding.hierarchical.gaussian import (
    MIN_SIGMA,
    GaussianCoder,
    GaussianDecoder,
    GaussianEncoder,
)
from nvcodec.coding.hierarchical.symbol_coding import code_grid_symbols, code_layer_symbols, split
from nvcodec.coding.parameters import Parameter, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.presets import load_preset
from nvcodec.samples import VideoShape

Batches = list[tuple[NDArray[np.uint8], NDArray[np.int32]]]
ResultT = TypeVar("ResultT")


def smooth_grid(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Laplace innovations through a recursive filter along t, h and w."""
    values = rng.laplace(size=shape) * 0.6
    for axis, share in ((0, 0.7), (1, 0.5), (2, 0.5)):
        moved = np.moveaxis(values, axis, 0)
        for i in range(1, len(moved)):
            moved[i] += share * moved[i - 1]
    return values.astype(np.float32)


def parameters(scheme: Any, specs: list[ParameterSpec]) -> list[Parameter]:
    """Tensors with side information as a stage would have learned it."""
    rng = np.random.default_rng(0)
    result = []
    for spec in specs:
        shape = spec.shape
        side = {name: np.zeros(s, np.float32) for name, s in scheme.side_shapes(spec).items()}
        if len(shape) == 4 and spec.role is Role.GRID:
            values = smooth_grid(shape, rng)
            side["log2_width"] += rng.normal(size=side["log2_width"].shape) * 0.1
            add_context_model(side, scheme.config, rng)
        else:
            values = rng.laplace(size=shape).astype(np.float32)
            matrix = values.reshape(shape[0], -1)
            for axis, n in zip(("rows", "columns"), matrix.shape, strict=True):
                spread = side[f"log2_sigma_{axis}"]
                spread += rng.normal(size=spread.shape) * 0.3
                full = np.exp2(np.broadcast_to(spread, n)).astype(np.float32)
                matrix *= full[:, None] if axis == "rows" else full
            side["log2_width_rows"] += rng.normal(size=side["log2_width_rows"].shape) * 0.2
        result.append(Parameter(spec, values, side=side))
    return result


def add_context_model(side: dict[str, Any], config: Any, rng: np.random.Generator) -> None:
    """Hidden units that carry the nearest neighbours' weighted sum, and small noise elsewhere."""
    for name, array in side.items():
        if name.startswith("context"):
            array += rng.normal(size=array.shape) * 0.02
    last = len(config.context_kernels) - 1
    offsets = taps(config.context_kernels[0], True)
    plane = {(-1, 0, 0): 0.7, (0, -1, 0): 0.5, (0, 0, -1): 0.5, (-1, -1, 0): -0.35,
             (-1, 0, -1): -0.35, (0, -1, -1): -0.25, (-1, -1, -1): 0.175}  # fmt: skip
    for unit, sign in ((0, 1), (1, -1)):  # the positive and the negative part
        for offset, share in plane.items():
            side["context_weight_0"][:, unit, 0, offsets.index(offset)] += sign * share
        for i in range(1, last):
            side[f"context_weight_{i}"][:, unit, unit, -1] += 1
        side[f"context_weight_{last}"][:, 0, unit, -1] += sign
        side[f"context_weight_{last}"][:, 1, unit, -1] += 0.15  # more spread where more goes on
    side[f"context_bias_{last}"][:, 1] -= 0.25


class Recorder(GaussianCoder):
    """Keeps the batches that a scheme codes."""

    def __init__(self) -> None:
        self.batches: Batches = []

    def code(
        self, index: NDArray[np.uint8], residual: NDArray[np.int32] | None = None
    ) -> NDArray[np.int32]:
        """Keep one batch."""
        assert residual is not None
        self.batches.append((index, residual))
        return residual

    def _code_group(self, index: int, count: int, residual: NDArray[np.int32]) -> NDArray[np.int32]:
        raise NotImplementedError


def timed(function: Callable[[], ResultT], repeats: int) -> tuple[float, ResultT]:
    """Shortest of several runs, seconds, and the result."""
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    assert result is not None
    return min(times), result


def rival(batches: Batches, repeats: int) -> tuple[float, float]:
    """Seconds to encode and to decode with constriction's Gaussian, parameters per symbol."""
    index = np.concatenate([b[0] for b in batches])
    residual = np.concatenate([b[1] for b in batches])
    sigma = np.exp2((index.astype(np.float64) + MIN_SIGMA) / 8)
    mean = np.zeros(len(sigma))
    half = int(np.abs(residual).max()) + 1
    model = constriction.stream.model.QuantizedGaussian(-half, half)

    def encode() -> NDArray[np.uint32]:
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(residual, model, mean, sigma)
        return encoder.get_compressed()

    def decode() -> NDArray[np.int32]:
        return constriction.stream.queue.RangeDecoder(words).decode(model, mean, sigma)

    encode_s, words = timed(encode, repeats)
    decode_s, decoded = timed(decode, repeats)
    assert np.array_equal(decoded, residual)
    return encode_s, decode_s


def measure(settings: dict[str, Any], preset: str, num_frames: int, repeats: int) -> Line:
    """The whole stream, then grids and layers alone beside the rival."""
    scheme = load_scheme({"kind": "hierarchical", **settings})
    representation = load_preset(preset).representation.resolve(1080, 1920)
    specs = list(representation.tensors(VideoShape(num_frames, 1080, 1920, 3)))
    quantized = scheme.quantize(parameters(scheme, specs))
    encode_s, sections = timed(lambda: scheme.pack(quantized), repeats)
    decode_s, decoded = timed(lambda: scheme.unpack(sections, specs), repeats)
    assert decoded.digest() == quantized.digest()
    bits = scheme.group_bits(quantized)
    found: Line = {
        "encode_s": encode_s,
        "decode_s": decode_s,
        "bytes": {tag: len(data) for tag, data in sections.items()},
    }
    grids, layers = split(quantized.tensors)
    for group, code, tensors in (
        ("grids", code_grid_symbols, grids),
        ("layers", code_layer_symbols, layers),
    ):

        def encode(code: Any = code, tensors: Any = tensors) -> bytes:
            encoder = GaussianEncoder()
            code(encoder, tensors)
            return encoder.finish()

        def decode(data: bytes, code: Any = code, tensors: Any = tensors) -> bool:
            decoder = GaussianDecoder(data, "benchmark")
            code(decoder, tensors, is_known=False)
            decoder.finish()
            return True

        count = sum(tensor.spec.num_values for tensor in tensors)
        encode_s, data = timed(encode, repeats)
        decode_s, _ = timed(lambda decode=decode, data=data: decode(data), repeats)
        recorder = Recorder()
        code(recorder, tensors)
        rival_s = rival(recorder.batches, repeats)
        found[group] = {
            "symbols": count,
            "bits_per_symbol": bits[group] / count,
            "encode_symbols_per_s": count / encode_s,
            "decode_symbols_per_s": count / decode_s,
            "constriction_gaussian_encode_symbols_per_s": count / rival_s[0],
            "constriction_gaussian_decode_symbols_per_s": count / rival_s[1],
        }
    return found


def main() -> None:
    """Measure and store one line."""
    parser = parser_of(__doc__)
    parser.add_argument("--kernels", default="5,1,1", help="context kernels, 5,1,1 or 5,5,5")
    parser.add_argument("--preset", default="nvrc-s2")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3, help="the shortest of so many runs")
    parser.add_argument("--out", type=Path, help="append the record to this file")
    args = parser.parse_args()
    settings = {"context_kernels": [int(kernel) for kernel in args.kernels.split(",")]}
    key = {"name": args.preset, "frames": args.frames, "settings": settings}
    measured(args.out, key, lambda: measure(settings, args.preset, args.frames, args.repeats))


if __name__ == "__main__":
    main()
