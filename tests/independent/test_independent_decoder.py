"""The second decoder finds what the package finds: integers the same, frames within one step.

More than 400 lines: every family and scheme, against one helper.

Golden files, files from the encoder, and files of random numbers, which reach settings that no
preset has: a network that is not fitted is coded like any other.
"""

import ast
import io
import itertools
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import nvcodec
from codec_helpers import TESTS, moving_frames, video_info, write_video
from independent.container import dictionary, read_file
from independent.decoder import SCHEMES, decode, read_tensors
from independent.gaussian import gaussian_table
from independent.streams import BitReader
from independent.tables import bernoulli, cumulative, parametric, read_table
from independent.tensors import WIDTHS, Spec, digest
from nvcodec.coding import cdf
from nvcodec.coding.bits import BitWriter
from nvcodec.coding.hierarchical import gaussian, lattice
from nvcodec.coding.parameters import Parameter, ParameterSpec, Role
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import DICTIONARY, Head
from nvcodec.container.writer import NvcWriter
from nvcodec.decoder import Decoder
from nvcodec.representations import build, load_config
from nvcodec.samples import Chroma, Samples
from nvcodec.segments import Part, Segment

HERE = Path(__file__).parent


def check_same(data: bytes) -> None:
    """Integers by their digest, samples and planes of every frame by their size."""
    mine = list(decode(data))
    file = read_file(data)
    for segment in file.segments:
        assert read_tensors(file.head, segment)[0] == segment.digest
    with Decoder(io.BytesIO(data), device="cpu", precision="fp32") as decoder:
        theirs = list(decoder.planes())
    assert len(mine) == len(theirs) == sum(s.num_frames for s in file.segments)
    for frame, planes in zip(mine, theirs, strict=True):
        for plane, other in zip(frame.planes, planes, strict=True):
            assert plane.shape == other.shape
            assert np.abs(plane - other.astype(int)).max() <= 1
        if file.head["samples"] in ("rgb", "gray"):
            assert np.ptp(frame.samples) > 0


def test_it_knows_nothing_of_the_package():
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    for path in HERE.glob("*.py"):
        if path.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.split(".")[0] in {*allowed, "independent"}, path.name


@pytest.mark.parametrize("path", sorted((TESTS / "golden").glob("*.nvc")), ids=lambda p: p.stem)
def test_golden_files(path):
    data = path.read_bytes()
    check_same(data)
    pixels = nvcodec.decode(path, device="cpu")
    for frame, pixel in zip(decode(data), pixels, strict=True):
        if frame.samples.shape == pixel.shape:  # others are converted
            assert np.abs(frame.samples - pixel.astype(int)).max() <= 1


ENCODED = [
    ("tiny", "420", (33, 19), "yuv420"),
    ("tiny-raw", "rgb", (32, 48), "rgb"),
    ("tiny-nerv", "gray", (27, 21), "gray"),
    ("tiny-nvrc", "444", (23, 17), "yuv"),
    ("tiny-coin", "422", (18, 17), "yuv"),
    ("tiny-steps", "420", (17, 23), "rgb"),
    ("tiny-steps-cnn", "422", (21, 16), "rgb"),
    ("tiny-latents", "420", (33, 19), "yuv420"),
    pytest.param("tiny-latents", "422", (18, 17), "yuv", marks=pytest.mark.slow),
    pytest.param("tiny-latents", "gray", (27, 21), "gray", marks=pytest.mark.slow),
]


def test_changes_of_the_segment_before(tmp_path):
    info = video_info(33, 19)
    source, stream = tmp_path / "clip.y4m", io.BytesIO()
    write_video(source, info, moving_frames(info, 8))
    preset = str(TESTS / "presets" / "tiny-round.toml")
    nvcodec.encode(source, stream, preset, epochs=4, segment_frames=3, gop=4)
    check_same(stream.getvalue())
    assert [s.references for s in read_file(stream.getvalue()).segments] == [[], [1], [1]]


@pytest.mark.parametrize(("name", "chroma", "size", "samples"), ENCODED)
def test_encoded_files(name, chroma, size, samples, tmp_path):
    info = video_info(*size, chroma)
    target = "clip" if chroma == "rgb" else "clip.y4m"
    source = write_video(tmp_path / target, info, moving_frames(info, 3))
    stream = io.BytesIO()
    preset = str(TESTS / "presets" / f"{name}.toml")
    length = 3 if "latents" in name else 2
    nvcodec.encode(source, stream, preset=preset, epochs=4, segment_frames=length, samples=samples)
    check_same(stream.getvalue())


HINERV = {
    "kind": "hinerv", "channels": 10, "depths": [1, 2], "expansions": [2, 3], "base_rows": 4,
    "grid_channels": 2, "local_channels": 2,
}  # fmt: skip
NERV = {
    "kind": "nerv", "channels": 8, "stem_width": 16, "min_channels": 4, "num_blocks": 2,
    "base_rows": 4, "embedding_length": 8,
}  # fmt: skip
COIN = {"kind": "coin_mlp", "width": 12, "layers": 2, "omega": 10.0}
CNN = {"kind": "image_cnn", "channels": 6, "scales": 2}
FRAME = {**COIN, "axes": "yx"}
STEPS = {"kind": "weightstep", "base": FRAME, "domain": "dct"}

LATENTS = {"kind": "latents", "levels": 2, "anchor_every": 2}

SMALLEST = {family["kind"]: family for family in (HINERV, NERV, COIN, CNN, LATENTS, STEPS)}
REPRESENTATIONS = [
    HINERV,
    {**HINERV, "grid_halving": "thw", "grid_levels": 3, "stem_kernel_size": 5},
    {
        **HINERV, "strides": [2, 1, 3], "depths": [1, 0, 2], "expansions": [2, 1, 3],
        "min_channels": 4, "kernel_size": 5, "grid_frames": 3, "local_frames": 2,
    },
    {**HINERV, "depths": [0], "expansions": [1], "grid_levels": 1, "local_levels": 1},
    {
        **HINERV, "channels": 1, "grid_halving": "thw", "strides": [5, 3], "stem_kernel_size": 1,
        "kernel_size": 7, "grid_frames": 7, "local_frames": 9,
    },
    {**HINERV, "depths": [3, 5], "tied_layers": 2},
    {**HINERV, "depths": [2, 4], "tied_layers": 3, "min_channels": 10},
    {**NERV, "norm": "batch", "activation": "swish", "output": "sigmoid"},
    {**NERV, "upsampling": "transposed", "norm": "instance", "embedding": "none"},
    {**NERV, "upsampling": "transposed", "strides": [1, 4, 3], "expansion": 3},
    {**NERV, "upsampling": "bilinear", "strides": [3, 1], "activation": "leaky_relu"},
    {**NERV, "embedding_base": 2.0, "activation": "relu"},
    COIN,
    {**COIN, "activation": "relu"},
    {**COIN, "features": 7, "sigmas": [0.5, 2.0, 3.5], "seed": 5},
    CNN,
    {**CNN, "skip_channels": 0, "scales": 1, "kernel_size": 5, "seed": 3},
    {**CNN, "kernel_size": 1, "noise_channels": 3, "scales": 3},
    LATENTS,
    {**LATENTS, "levels": 3, "anchor_every": 16},
    STEPS,
    {**STEPS, "base": {**FRAME, "features": 4, "sigmas": [1.0, 2.0]}, "domain": "weight"},
    {**STEPS, "base": {**CNN, "seed": 4}},
]  # fmt: skip


def random_values(network, rng):
    """Plausible numbers for every tensor: some weights pruned, most steps zero."""
    for spec, tensor in zip(network.specs, network.parameters(), strict=True):
        noise, mask = rng.normal(size=spec.shape), None
        values = tensor.detach().numpy() + 0.05 * noise
        if spec.role is Role.GRID:
            values = 0.5 * noise
        elif spec.role is Role.DELTA:
            values = 0.1 * noise * (rng.random(spec.shape) < 0.3)
        elif spec.role is Role.WEIGHT and rng.random() < 0.3:
            mask = rng.random(spec.shape) < 0.8
        elif spec.name.endswith("variance"):
            values = 0.3 + np.abs(noise)
        yield Parameter(spec, values.astype(np.float32), mask)


def random_file(representation, scheme=None, frames=(3, 1), seed=0, parts=(), **head) -> bytes:
    """A file of segments with so many frames each."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    settings = scheme or {"kind": "raw_fp16"}
    samples = Samples(head.get("samples", "rgb"))
    width, height = 23, 18
    _, *size, _ = samples.shape(1, height, width)
    config = load_config(representation).resolve(*size)
    head = Head(
        width=width,
        height=height,
        representation=config.model_dump(mode="json", exclude_none=True),
        scheme=settings,
        num_frames=sum(frames),
        **head,
    )
    file = io.BytesIO()
    writer, coder = NvcWriter(file, head), load_scheme(settings)
    for number, count in enumerate(frames):
        network = build(config, samples.shape(count, height, width))
        coded = coder.quantize(list(random_values(network, rng)))
        first = sum(frames[:number])
        sections = coder.pack(coded)
        writer.write_segment(CodedSegment(number, first, count, sections, coded.digest()))
    if parts:
        writer.add("clip", list(parts))
    writer.finish()
    return file.getvalue()


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=lambda r: r["kind"])
def test_representations(representation):
    check_same(random_file(representation))


@pytest.mark.parametrize(
    ("levels", "samples"), [(1, "yuv420"), pytest.param(2, "rgb", marks=pytest.mark.slow)]
)
def test_predicted_pictures_under_their_own_scheme(levels, samples):
    representation = {**LATENTS, "levels": levels, "anchor_every": 3}
    scheme, head = {"kind": "latents", "anchor_every": 3}, {}
    if samples == "yuv420":
        head = {"samples": samples, "chroma": "420"}
    check_same(random_file(representation, scheme, frames=(5, 1, 2), **head))


@pytest.mark.parametrize("scheme", ["arithmetic", "huffman", "hierarchical"])
@pytest.mark.parametrize("family", SMALLEST.values(), ids=SMALLEST)
def test_families_under_schemes(family, scheme):
    settings = {"kind": scheme}
    if scheme == "hierarchical":
        settings |= {"context_kernels": [3, 1], "share": 20}
    check_same(random_file(family, settings, frames=(2,)))


@pytest.mark.parametrize("chroma", Chroma)
def test_planes(chroma):
    for samples, spread, matrix in itertools.product(Samples, ("limited", "full"), (1, 2, 7, 9)):
        if samples.is_allowed_for(chroma):
            tags = {"samples": samples, "chroma": chroma, "range": spread, "matrix": matrix}
            check_same(random_file(COIN, frames=(1,), **tags))


@pytest.mark.parametrize("depth", [9, 10, 16])
def test_depths_and_what_is_said_of_light(depth):
    for samples, chroma in itertools.product(Samples, Chroma):
        if samples.is_allowed_for(chroma):
            tags = {"samples": samples, "chroma": chroma, "bit_depth": depth, "matrix": 9}
            check_same(random_file(COIN, frames=(1,), **tags))
    light = {"mastering_display": [*range(8), 10000000, 1], "content_light": [1000, 400]}
    head = read_file(random_file(COIN, frames=(1,), bit_depth=depth, **light)).head
    assert {key: head[key] for key in light} == light


def test_several_videos():
    parts = [
        Part("first", Segment(0, 1), Fraction(25)),
        Part("höchst", Segment(1, 4), Fraction(30000, 1001)),
    ]
    data = random_file(COIN, parts=parts)
    assert read_file(data).clips == [(1, 25, 1, "first"), (3, 30000, 1001, "höchst")]
    check_same(data)


def check_scheme(settings, parameters) -> None:
    """Sections of a scheme back to integers and half floats."""
    scheme = load_scheme(settings)
    coded = scheme.quantize(parameters)
    specs = [Spec(p.spec.name, p.spec.shape, str(p.spec.role)) for p in parameters]
    found = SCHEMES[settings["kind"]](specs, scheme.pack(coded), settings)
    assert digest(specs, found) == coded.digest()
    values = coded.dequantize()
    for spec, tensor in zip(specs, found, strict=True):
        np.testing.assert_array_equal(tensor.values, values[spec.name])


TENSORS = [
    (Role.WEIGHT, (30, 6)), (Role.BIAS, (5,)), (Role.GRID, (22, 4)), (Role.WEIGHT, (3, 3)),
    (Role.WEIGHT, (21, 2, 3, 3)), (Role.WEIGHT, (4, 21, 2)), (Role.NORM, (90,)),
    (Role.WEIGHT, (2, 100)), (Role.WEIGHT, (1, 25)), (Role.BIAS, (0,)), (Role.GRID, (0, 3)),
    (Role.DELTA, (4, 9)), (Role.DELTA, (0, 5)), (Role.DELTA, (9, 4, 2, 3, 3)), (Role.DELTA, (3, 5)),
]  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 1e-6, 5e4])
@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "arithmetic"},
        {"kind": "arithmetic", "bits": 2, "quant_scale_mantissa_bits": 1},
        {"kind": "arithmetic", "bits": 9, "quant_scale_mantissa_bits": 7},
        {"kind": "huffman"},
        {"kind": "huffman", "bits": 2},
        {"kind": "huffman", "bits": 11},
    ],
    ids=str,
)
def test_settings_of_static_schemes(settings, scale):
    rng = np.random.default_rng(0)
    parameters = []
    for i, (role, shape) in enumerate(TENSORS):
        values, mask = rng.laplace(size=shape) * scale, None
        if role is Role.DELTA:
            values *= rng.random(shape) < (0 if shape == (3, 5) else 0.2)
        elif i % 3 == 0:
            mask = rng.random(shape) < i / 6  # none kept, some, all
        spec = ParameterSpec(f"t{i}", shape, role)
        parameters.append(Parameter(spec, values.astype(np.float32), mask))
    check_scheme(settings, parameters)


HIERARCHICAL = {"kind": "hierarchical", "context_kernels": [3, 1], "context_width": 2, "share": 4}
SWITCHES = [
    {}, {"context": False}, {"per_tensor": True}, {"phi_coded": False}, {"context_shared": True},
    {"width_per_block": False}, {"context_kernels": [5, 3, 5]}, {"context_kernels": [3]},
    {"share": 1, "block": [2, 3, 4]}, {"share": 128, "context": False, "width_per_block": False},
]  # fmt: skip


@pytest.mark.parametrize(
    ("switches", "spread"), [(s, 0.3) for s in SWITCHES] + [(SWITCHES[1], 15.0)], ids=str
)
def test_settings_of_the_hierarchical_scheme(switches, spread):
    """With side information that fits, and with some that does not: escapes, widths at limits."""
    rng = np.random.default_rng(0)
    settings = HIERARCHICAL | switches
    scheme = load_scheme(settings)
    parameters = []
    grids = [(Role.GRID, shape) for shape in ((5, 4, 3, 2), (3, 5, 4, 1), (0, 3, 4, 2))]
    for i, (role, shape) in enumerate([*grids, *TENSORS]):
        spec = ParameterSpec(f"t{i}", shape, role)
        side = None
        if i % 4:
            side = {
                name: (rng.normal(size=s) * spread - 4 * ("width" in name)).astype(np.float32)
                for name, s in scheme.side_shapes(spec).items()
            }
        values = rng.standard_cauchy(size=shape).astype(np.float32)
        parameters.append(Parameter(spec, values, None, side))
    check_scheme(settings, parameters)


def random_tensor(number, rng, scheme):
    """Any role, shape, size of values; side information that may fit nothing."""
    role = list(Role)[rng.integers(len(Role))]
    num_axes = 4 if role is Role.GRID and rng.random() < 0.8 else rng.integers(1, 5)
    shape = (30, 40) if number == 0 else tuple(rng.integers(0, 9, num_axes).tolist())
    spec = ParameterSpec(f"t{number}", shape, role)
    side = None
    if rng.random() < 0.7:
        spread = rng.choice([0.3, 3, 15])
        side = {
            name: (rng.normal(size=s) * spread - 4 * ("width" in name)).astype(np.float32)
            for name, s in scheme.side_shapes(spec).items()
        }
    values = rng.standard_cauchy(size=shape) * rng.choice([1e-6, 0.1, 10])
    return Parameter(spec, values.astype(np.float32), None, side)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_random_settings_of_the_hierarchical_scheme(seed):
    rng = np.random.default_rng(seed)
    kernels = [[3], [5, 1, 1], [3, 3], [5, 3, 1], [3, 1], [3, 5]]
    settings = {
        "kind": "hierarchical",
        "share": int(rng.choice([1, 2, 20, 128])),
        "context_kernels": kernels[rng.integers(len(kernels))],
        "context_width": int(rng.choice([1, 3])),
        "block": rng.integers(1, 5, 3).tolist(),
    }
    for name in ("per_tensor", "context", "context_shared", "width_per_block", "phi_coded"):
        settings[name] = bool(rng.random() < 0.5)
    scheme = load_scheme(settings)
    check_scheme(settings, [random_tensor(i, rng, scheme) for i in range(5)])


def test_tables():
    assert dictionary() == DICTIONARY
    for shape, spread, bits in itertools.product(range(8), (0, 31, 60, 127), (1, 4, 6)):
        expected = cdf.parametric_table(shape, spread, bits).tolist()
        assert list(parametric(bits, shape, spread)) == expected
    for q in (0, 1, 2047, 4095):
        assert bernoulli(q) == cumulative(cdf.bernoulli_table(q).tolist())
    assert lattice.width_table().tolist() == WIDTHS.tolist()


@pytest.mark.parametrize("resolution", range(4))
def test_explicit_tables(resolution):
    rng = np.random.default_rng(resolution)
    r = 4 << resolution
    roots = np.sqrt(cdf.parametric_table(2, 40, 4) / 2**24) * r
    wanted = rng.integers(0, r + 1, 16)
    code = cdf.TableCode(
        4, 2, 40, resolution, tuple((wanted - np.rint(roots)).astype(int).tolist())
    )
    bits = BitWriter()
    code.write(bits)
    assert read_table(BitReader(bits.getvalue()), 4) == cumulative(code.table().tolist())


@pytest.mark.parametrize("index", [0, 1, 20, 24, 33, 60, 88])
def test_gaussian_tables(index):
    assert gaussian_table(index)[1] == cumulative(gaussian.gaussian_table(index).tolist())
