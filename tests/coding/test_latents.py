"""The scheme of coefficients and motion: what is packed comes back; its twin knows the price."""

import dataclasses

import numpy as np
import pytest
import torch

from nvcodec import hierarchy
from nvcodec.coding.cdf import parametric_table
from nvcodec.coding.latents import contexts, lattice
from nvcodec.coding.latents.contexts import FIELDS, field_shapes, usual_numbers
from nvcodec.coding.latents.layout import Layout
from nvcodec.coding.latents.symbols import SymbolCounter, SymbolReader, SymbolWriter
from nvcodec.coding.latents.tensors import Coding
from nvcodec.coding.parameters import Parameter, ParameterSet
from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import BitstreamError
from nvcodec.fitting.analysis.twin import UNITS, Twin, features
from nvcodec.representations import load_config
from nvcodec.samples import VideoShape

CONFIG = load_config({"kind": "latents", "levels": 2, "anchor_every": 4})
SCHEME = load_scheme({"kind": "latents", "anchor_every": 4})


def parameters(shape, seed=0, spread=0.6):
    """Tensors whose symbols are mostly small; a few need an escape."""
    rng = np.random.default_rng(seed)
    found = []
    for spec in CONFIG.tensors(shape):
        values = rng.laplace(0, spread, spec.shape)
        values.flat[:: max(values.size // 3, 1)] *= 400
        found.append(Parameter(spec, values.astype(np.float32)))
    return found


def with_numbers(coded, seed=0):
    """The same symbols under random stored numbers."""
    rng = np.random.default_rng(seed)
    layout = Layout.of([tensor.spec for tensor in coded.tensors])
    coding = coded.tensors[0].coding
    models = {
        grid.name: {
            name: np.clip(
                usual + rng.integers(-9, 10, usual.shape), FIELDS[name].low, FIELDS[name].high
            )
            for name, usual in usual_numbers(grid).items()
        }
        for grid in layout.grids
    }
    for grid in layout.grids:  # what does not occur is not stored
        deeper = slice(hierarchy.num_depths(layout.num_frames, 4), None)
        models[grid.name]["depth"][deeper] = usual_numbers(grid)["depth"][deeper]
    shapes = rng.integers(0, 5, 3)
    changed = dataclasses.replace(coding, models=models, shapes=shapes)
    return ParameterSet([dataclasses.replace(t, coding=changed) for t in coded.tensors])


SHAPES = [
    VideoShape(9, 9, 11, 6),
    VideoShape(6, 16, 20, 3),
    VideoShape(2, 5, 7, 1),
    VideoShape(1, 8, 8, 6),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_numbers", [False, True])
def test_what_is_packed_comes_back(shape, has_numbers):
    coded = SCHEME.quantize(parameters(shape))
    if has_numbers:
        coded = with_numbers(coded)
    sections = SCHEME.pack(coded)
    again = SCHEME.unpack(sections, CONFIG.tensors(shape))
    assert again.digest() == coded.digest()
    assert SCHEME.pack(again) == sections
    size = sum(len(sections.get(tag, b"")) for tag in ("MOTN", "SYMB"))
    assert abs(SCHEME.count_bits(coded) / 8 - size) <= 8 + size / 1000


def test_motion_without_a_reference_is_not_coded():
    shape = SHAPES[0]
    coded = SCHEME.quantize(parameters(shape))
    for tensor in coded.tensors:
        if tensor.spec.name.startswith("motion"):
            for layer in hierarchy.layers(shape.num_frames, 4):
                coded_channels = (0, 2, 5)[len(layer.references[0])]
                assert not tensor.symbols[list(layer.frames), coded_channels:].any()
                assert coded_channels == 0 or tensor.symbols[list(layer.frames)].any()


def test_the_first_tensors_do_not_depend_on_later_ones():
    """A symbol is coded under what a decoder knows by then: changes behind it change no price."""
    shape = SHAPES[0]
    coded = SCHEME.quantize(parameters(shape))
    sections = SCHEME.pack(coded)
    last = coded.tensors[1]  # detail.0 comes last in every layer
    frames = hierarchy.layers(shape.num_frames, 4)[-1].frames
    changed = last.symbols.copy()
    changed[frames[-1], -1, -1, -1] += 1
    other = [dataclasses.replace(last, symbols=changed), *coded.tensors[2:]]
    after = SCHEME.pack(ParameterSet([coded.tensors[0], *other]))
    assert after["MOTN"] == sections["MOTN"]
    common = next(
        i for i, (a, b) in enumerate(zip(sections["SYMB"], after["SYMB"], strict=False)) if a != b
    )
    assert common > 0.9 * len(sections["SYMB"])


@pytest.mark.slow
def test_damaged_sections_are_refused_or_other_integers():
    shape = SHAPES[1]
    coded = SCHEME.quantize(parameters(shape))
    sections = SCHEME.pack(coded)
    rng = np.random.default_rng(0)
    for tag in sections:
        for _ in range(40):
            data = bytearray(sections[tag])
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
            try:
                found = SCHEME.unpack({**sections, tag: bytes(data)}, CONFIG.tensors(shape))
            except BitstreamError:
                continue
            assert SCHEME.pack(found) == {**sections, tag: bytes(data)}


def test_other_tensors_are_refused():
    other = load_config({"kind": "coin_mlp", "width": 4, "layers": 1}).tensors(SHAPES[1])
    with pytest.raises(BitstreamError, match="needs the tensors of the representation latents"):
        SCHEME.unpack({"ENTP": b"\0"}, other)


def test_integers_of_the_lattice():
    indices = np.arange(lattice.MIN_WIDTH, lattice.MAX_WIDTH + 1)
    widths = lattice.width_values(indices).astype(np.float64)
    np.testing.assert_allclose(widths, 2.0 ** (indices / 8), rtol=6e-4)
    np.testing.assert_array_equal(lattice.width_units(indices), widths * 2.0**lattice.UNIT_BITS)
    values = np.concatenate([np.arange(1, 5000), 2 ** np.arange(13, 52) + 7])
    logs = lattice.logarithms(values) / 256
    exact = np.log2(values)
    assert np.all(np.diff(logs[:4999]) >= 0)
    assert np.abs(logs - exact).max() < 0.015
    weights = np.arange(lattice.MIN_WEIGHT, lattice.MAX_WEIGHT + 1)
    np.testing.assert_allclose(
        lattice.weight_values(weights) / 65536, 2.0 ** (weights / 2), rtol=1e-2, atol=2e-5
    )


def test_spreads_stay_in_range_whatever_is_stored():
    shape = SHAPES[0]
    layout = Layout.of(CONFIG.tensors(shape))
    grid = next(g for g in layout.grids if g.name == "detail.1")
    extreme = {
        name: np.full(shape, FIELDS[name].high, np.int64)
        for name, shape in field_shapes(grid).items()
    }
    huge = [np.full((2, 3, 3), 1 << 23, np.int64)] * contexts.NUM_FEATURES
    spreads = contexts.spread_indices(extreme, grid, 0, 3, 2, 5, huge, (2, 3, 3))
    assert (spreads == 127).all()


def test_symbols_of_any_size():
    symbols = np.array([[0, 1, -1, 127, -127, 128, -128, 32767, -32767]], np.int64)
    spreads = np.array([[0, 3, 3, 50, 50, 9, 127, 20, 20]], np.int64)
    writer, counter = SymbolWriter(), SymbolCounter()
    writer.code(spreads, 2, symbols)
    counter.code(spreads, 2, symbols)
    data = writer.finish()
    assert abs(counter.bits / 8 - len(data)) <= 8
    reader = SymbolReader(data, "here")
    np.testing.assert_array_equal(reader.code(spreads, 2, np.zeros_like(symbols)), symbols)
    reader.finish()


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_the_twin_knows_what_symbols_cost(shape):
    """Bits of the twin under the numbers that are stored, against those of the coder."""
    layout = Layout.of(CONFIG.tensors(shape))
    learned = Twin.start(layout, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    for tensor in learned.values():
        tensor += 0.3 * torch.randn(tensor.shape, generator=generator)
    coding = dataclasses.replace(Coding.default(layout), models=Twin(layout, learned, 2).stored())
    for name, tensor in learned.items():  # as they are stored
        field, _, grid = name.partition(".")
        tensor.copy_(torch.from_numpy(coding.models[grid][field]) / UNITS[field])
    coded = SCHEME.quantize(parameters(shape))
    coded = ParameterSet([dataclasses.replace(t, coding=coding) for t in coded.tensors])
    exact = SCHEME.count_bits(coded)
    symbols = {t.spec.name: torch.from_numpy(t.symbols).float() for t in coded.tensors}
    twin, total = Twin(layout, learned, 2), 0.0
    texture: dict = {}
    for layer in hierarchy.layers(shape.num_frames, 4):
        kind = len(layer.references[0])
        for t, references in zip(layer.frames, layer.references, strict=True):
            texture[t] = {}
            for grid, count in layout.coded(kind):
                own = symbols[grid.name][t][None, :count]
                parent = symbols[grid.parent][t][None, :count].abs() if grid.parent else None
                seen = residual = None
                if not grid.is_motion:
                    texture[t][grid.name] = own.abs()
                    if references:
                        seen = torch.stack([texture[r][grid.name] for r in references]).mean(0)
                        residual = symbols[grid.name][list(references)].abs().mean(0)[None]
                        texture[t][grid.name] = torch.maximum(own.abs(), seen)
                if parent is not None:
                    parent = symbols[grid.parent][t][None].abs()[:, : max(count, 1)]
                found = features(grid, own.abs(), parent, seen, residual)
                spreads = twin.spreads(grid, kind, min(layer.depth, 7), found, own)
                total += float(twin.bits(own.clamp(-128, 127), spreads).sum())
    escapes = sum(int((s.abs() >= 128).sum()) for s in symbols.values())
    assert abs(total + 16 * escapes - exact) < 0.02 * exact


def test_tables_of_the_twin_are_those_of_the_coder():
    layout = Layout.of(CONFIG.tensors(SHAPES[1]))
    for shape in (1, 2, 4):
        twin = Twin(layout, {}, shape)
        for spread in (2, 40, 70):
            table = parametric_table(shape, spread, 8)
            symbols = torch.arange(-20, 21)
            place = torch.full((41,), (spread - 32) / 8)
            bits = twin.bits(symbols.float(), place).numpy()
            exact = 24 - np.log2(table[108:149])
            seen = exact < 18
            np.testing.assert_allclose(bits[seen], exact[seen], atol=0.05)
