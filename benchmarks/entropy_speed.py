# ruff: noqa: E402
"""How fast the hierarchical scheme codes a segment of NVRC's size S2, on one core.

    python benchmarks/entropy_speed.py --out benchmarks/results/entropy_speed.jsonl

Symbols are made by formula (no training): grids smooth in space and time with Laplace innovations,
a context model that predicts them from their neighbours, layers with a spread per row and per
column. Prints one line a model and one JSON record. The rival in the same run: constriction's own
Gaussian with a mean and a spread for every symbol, on the same symbols.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy starts its threads

import constriction
import numpy as np
from numpy.typing import NDArray

import nvcodec
from nvcodec.coding.hierarchical.context import taps
from nvcodec.coding.hierarchical.gaussian import (
    MIN_SIGMA,
    GaussianCoder,
    GaussianDecoder,
    GaussianEncoder,
)
from nvcodec.coding.parameters import Parameter, ParameterSet, ParameterSpec, Role
from nvcodec.coding.schemes import hierarchical, load_scheme

GRIDS = [(200, 45, 80, 2), (100, 22, 40, 4), (50, 11, 20, 8), (25, 5, 10, 16)]
WIDTHS = [336, 168, 84, 42]
DEPTHS = [3, 3, 3, 1]
STRIDES = [3, 2, 2, 2]

ResultT = TypeVar("ResultT")


def network(scale: float) -> list[tuple[Role, tuple[int, ...]]]:
    """Tensors of a HiNeRV of size S2 (NVRC, Table 7); grids shrink in time with `scale`."""
    tensors: list[tuple[Role, tuple[int, ...]]] = []
    for t, *rest in GRIDS:
        tensors.append((Role.GRID, (max(1, round(t * scale)), *rest)))
        tensors.append((Role.WEIGHT, (WIDTHS[0], rest[-1], 3, 3, 3)))
    for i, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        for level in range(3):
            shape = (round(600 * scale) >> level, STRIDES[i] ** 2, max(1, 8 >> i) << level)
            tensors.append((Role.GRID, (shape[0] * shape[1], shape[2])))
        tensors.append((Role.BIAS, (width,)))
        for _ in range(depth):
            tensors += [
                (Role.WEIGHT, (width, 1, 3, 3)), (Role.BIAS, (width,)),
                (Role.WEIGHT, (4 * width, width)), (Role.BIAS, (4 * width,)),
                (Role.WEIGHT, (width, 4 * width)), (Role.BIAS, (width,)),
            ]  # fmt: skip
        if i:
            tensors.append((Role.WEIGHT, (width, WIDTHS[i - 1])))
    tensors.append((Role.WEIGHT, (3, WIDTHS[-1])))
    return tensors


def smooth_grid(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Laplace innovations through a recursive filter along t, h and w."""
    values = rng.laplace(size=shape) * 0.6
    for axis, share in ((0, 0.7), (1, 0.5), (2, 0.5)):
        moved = np.moveaxis(values, axis, 0)
        for i in range(1, len(moved)):
            moved[i] += share * moved[i - 1]
    return values.astype(np.float32)


def parameters(scheme: Any, scale: float) -> list[Parameter]:
    """Tensors with side information as a stage would have learned it."""
    rng = np.random.default_rng(0)
    result = []
    config = scheme.config
    for i, (role, shape) in enumerate(network(scale)):
        spec = ParameterSpec(f"tensor.{i}", shape, role)
        side = {name: np.zeros(s, np.float32) for name, s in scheme.side_shapes(spec).items()}
        if len(shape) == 4 and role is Role.GRID:
            values = smooth_grid(shape, rng)
            side["log2_width"] += rng.normal(size=side["log2_width"].shape) * 0.1
            if config.context:
                add_context_model(side, config, rng)
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
    if last == 0:
        return
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
        self.batches: list[tuple[NDArray[np.uint8], NDArray[np.int32]]] = []

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
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    assert result is not None
    return best, result


def rival(batches: Any) -> tuple[float, float]:
    """Seconds to encode and to decode with constriction's Gaussian, parameters per symbol."""
    index = np.concatenate([b[0] for b in batches])
    residual = np.concatenate([b[1] for b in batches])
    sigma = np.exp2((index.astype(np.float64) + MIN_SIGMA) / 8)
    mean = np.zeros(len(sigma))
    half = int(np.abs(residual).max()) + 1
    model = constriction.stream.model.QuantizedGaussian(-half, half)
    start = time.perf_counter()
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(residual, model, mean, sigma)
    words = encoder.get_compressed()
    middle = time.perf_counter()
    decoded = constriction.stream.queue.RangeDecoder(words).decode(model, mean, sigma)
    end = time.perf_counter()
    assert np.array_equal(decoded, residual)
    return middle - start, end - middle


def coder_times(batches: Any, repeats: int) -> tuple[float, float]:
    """Seconds for the entropy coder alone on recorded batches, grouping included."""

    def encode() -> bytes:
        encoder = GaussianEncoder()
        for index, residual in batches:
            encoder.code(index, residual)
        return encoder.finish()

    def decode(data: bytes) -> bool:
        decoder = GaussianDecoder(data, "benchmark")
        for index, _ in batches:
            decoder.code(index)
        decoder.finish()
        return True

    encode_s, data = timed(encode, repeats)
    decode_s, _ = timed(lambda: decode(data), repeats)
    return encode_s, decode_s


def measure(settings: dict[str, Any], scale: float, repeats: int, with_rival: bool) -> Any:
    """One record."""
    scheme = load_scheme({"kind": "hierarchical", **settings})
    fitted = parameters(scheme, scale)
    specs = [parameter.spec for parameter in fitted]
    quantized: ParameterSet = scheme.quantize(fitted)
    encode_s, sections = timed(lambda: scheme.pack(quantized), repeats)
    decode_s, decoded = timed(lambda: scheme.unpack(sections, specs), repeats)
    assert decoded.digest() == quantized.digest()
    bits = scheme.group_bits(quantized)
    grids, layers = hierarchical._split(quantized.tensors)
    record: dict[str, Any] = {
        "settings": settings,
        "encode_s": round(encode_s, 3),
        "decode_s": round(decode_s, 3),
        "bytes": {tag: len(data) for tag, data in sections.items()},
        "models": {},
    }
    code = {"grids": (hierarchical._code_grids, grids, "GRID"),
            "layers": (hierarchical._code_layers, layers, "LAYR")}  # fmt: skip
    for group, (run, tensors, tag) in code.items():
        count = sum(tensor.spec.num_values for tensor in tensors)

        def encode(run: Any = run, tensors: Any = tensors) -> bytes:
            encoder = GaussianEncoder()
            run(encoder, tensors)
            return encoder.finish()

        def decode(run: Any = run, tensors: Any = tensors, tag: str = tag) -> bool:
            decoder = GaussianDecoder(sections[tag], tag)
            run(decoder, tensors, is_known=False)
            decoder.finish()
            return True

        encode_s, _ = timed(encode, repeats)
        decode_s, _ = timed(decode, repeats)
        recorder = Recorder()
        run(recorder, tensors)
        coder_s = coder_times(recorder.batches, repeats)
        row = {
            "symbols": count,
            "bits_per_symbol": round(bits[group] / count, 3),
            "encode_s": round(encode_s, 3),
            "decode_s": round(decode_s, 3),
            "encode_symbols_per_s": round(count / encode_s),
            "decode_symbols_per_s": round(count / decode_s),
            "coder_encode_symbols_per_s": round(count / coder_s[0]),
            "coder_decode_symbols_per_s": round(count / coder_s[1]),
        }
        if with_rival:
            rival_s = rival(recorder.batches)
            row["constriction_gaussian_encode_symbols_per_s"] = round(count / rival_s[0])
            row["constriction_gaussian_decode_symbols_per_s"] = round(count / rival_s[1])
        record["models"][group] = row

    def write_phi() -> hierarchical.PhiWriter:
        writer = hierarchical.PhiWriter(scheme.config, grids, layers)
        writer.finish()
        return writer

    def read_phi() -> bool:
        reader = hierarchical.PhiReader(scheme.config, sections["QSCL"], sections["ENTP"])
        for tensor in grids:
            reader.grid(tensor.spec)
        reader.layers([tensor.spec for tensor in layers])
        reader.finish()
        return True

    count = sum(array.size for p in fitted for array in (p.side or {}).values())
    encode_s, _ = timed(write_phi, repeats)
    decode_s, _ = timed(read_phi, repeats)
    record["models"]["phi"] = {
        "symbols": count,
        "bits_per_symbol": round(bits["phi"] / count, 3),
        "encode_s": round(encode_s, 3),
        "decode_s": round(decode_s, 3),
        "encode_symbols_per_s": round(count / encode_s),
        "decode_symbols_per_s": round(count / decode_s),
    }
    return record


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", default="5,1,1", help="context kernels, 5,1,1 or 5,5,5")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the grids' frames")
    parser.add_argument("--repeats", type=int, default=3, help="the shortest of so many runs")
    parser.add_argument("--no-rival", action="store_true", help="skip constriction's Gaussian")
    parser.add_argument("--out", type=Path, help="append the record to this file")
    args = parser.parse_args()
    settings = {"context_kernels": [int(kernel) for kernel in args.kernels.split(",")]}
    record = measure(settings, args.scale, args.repeats, not args.no_rival)
    for name, row in record["models"].items():
        print(f"{name:7} " + ", ".join(f"{key} {value:,}" for key, value in row.items()))
    print(f"whole stream: encode {record['encode_s']} s, decode {record['decode_s']} s")
    record = {
        "benchmark": "entropy_speed",
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu_name(),
        "threads": 1,
        "versions": {
            "nvcodec": nvcodec.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "constriction": importlib.metadata.version("constriction"),
        },
        **record,
    }
    line = json.dumps(record)
    print(line)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
