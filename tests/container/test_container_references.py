"""Segments that name earlier ones: what may be named, and how values are found again."""

import io

import numpy as np
import pytest
from nvc_samples import digest, make_head, sections
from pydantic import Field

from codec_helpers import ROOT
from nvcodec import container, segment_values
from nvcodec.coding.parameters import HalfTensor, ParameterSet, ParameterSpec, Role
from nvcodec.coding.scheme import Scheme, SchemeConfig
from nvcodec.coding.schemes import load_scheme
from nvcodec.container.chunk_payloads import CodedSegment, parse_segment
from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import LimitError, MalformedError
from nvcodec.segment_values import SegmentValues, sections_by_owner, unpack_segment


def segment(number: int, *references: int) -> CodedSegment:
    return CodedSegment(number, 2 * number, 2, sections(number), digest(number), references)


def parse(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> CodedSegment:
    return parse_segment(payload, "here", limits)


def test_round_trip():
    for references in ((), (6,), (6, 5, 0), (3, 2, 1, 0)):
        assert parse(segment(7, *references).pack()) == segment(7, *references)


def raw(number: int, *distances: int) -> bytes:
    """The payload of a segment whose distances nobody has checked."""
    return segment(number, *(number - distance for distance in distances)).pack()


@pytest.mark.parametrize("distances", [(0,), (4,), (2, 1), (1, 1), (1, 2, 2)])
def test_only_earlier_segments_each_once_the_nearest_first(distances):
    with pytest.raises(MalformedError, match="segments back, allowed: more than"):
        parse(raw(3, *distances))


def test_limits():
    with pytest.raises(LimitError, match="references 5"):
        parse(segment(7, 6, 5, 4, 3, 2).pack())
    assert len(parse(segment(7, 6, 5, 4, 3, 2).pack(), Limits(references=5)).references) == 5


@pytest.mark.parametrize("references", [(2,), (3,), (-1,), (0, 0), (0, 1)])
def test_the_writer_refuses_what_no_reader_takes(references):
    writer = NvcWriter(io.BytesIO(), make_head(num_frames=0))
    writer.write_segment(segment(0))
    writer.write_segment(segment(1))
    with pytest.raises(ValueError, match="earlier segments, each once, the nearest first"):
        writer.write_segment(segment(2, *references))
    writer.limits = Limits(references=1)
    with pytest.raises(LimitError, match="references 2"):
        writer.write_segment(segment(2, 1, 0))


def test_a_file_keeps_them():
    file = io.BytesIO()
    writer = NvcWriter(file, make_head(num_frames=0))
    for number in range(5):
        writer.write_segment(segment(number, *([number - 1] if number else [])))
    writer.finish()
    reader = NvcReader(io.BytesIO(file.getvalue()))
    assert [one.references for one in reader.segments()] == [(), (0,), (1,), (2,), (3,)]
    assert reader.find_segment(3).references == (2,)
    with pytest.raises(MalformedError, match="segment 5: not in the file"):
        reader.find_segment(5)


def test_a_scheme_that_codes_segments_alone_refuses_them():
    scheme = load_scheme({"kind": "raw_fp16"})
    with pytest.raises(MalformedError, match=r"1 references .* raw_fp16: 0"):
        scheme.values(ParameterSet([]), [{}])


class SumConfig(SchemeConfig):
    kind: str = Field("sum")


class Sum(Scheme[SumConfig]):
    """Values of a segment are its own number, added to those of all that it names."""

    Config = SumConfig
    tags = {"SUMS": "a number"}  # noqa: RUF012

    def quantize(self, parameters):
        raise NotImplementedError

    def pack(self, parameters):
        raise NotImplementedError

    @property
    def bits_per_value(self):
        return 16.0

    def unpack(self, sections, specs):
        (data,) = self.take_sections(sections)
        (spec,) = specs
        return ParameterSet([HalfTensor(spec, np.full(spec.shape, data[0], np.float16))])

    def values(self, parameters, references):
        own = {tensor.spec.name: tensor.dequantize() for tensor in parameters.tensors}
        with np.errstate(over="ignore"):
            return {name: value + sum(r[name] for r in references) for name, value in own.items()}


@pytest.fixture
def summing(monkeypatch):
    """Segments of one number each, in a file whose scheme is `Sum`."""
    spec = ParameterSpec("x", (1,), Role.WEIGHT)
    scheme = Sum(SumConfig())
    monkeypatch.setattr(segment_values, "scheme_of", lambda head: scheme)
    monkeypatch.setattr(segment_values, "check_limits", lambda *args: None)

    class OneNumber:
        def tensors(self, shape):
            return [spec]

        def num_parameters(self, shape):
            return 1

    monkeypatch.setattr(segment_values, "representation_config", lambda head: OneNumber())

    def make(number: int, *references: int) -> CodedSegment:
        parameters = scheme.unpack({"SUMS": bytes([1 << number])}, [spec])
        return CodedSegment(
            number, 2 * number, 2, {"SUMS": bytes([1 << number])}, parameters.digest(), references
        )

    return make


def test_values_come_from_those_that_are_named(summing):
    file = [summing(0), summing(1, 0), summing(2), summing(3, 2, 1), summing(4, 3)]
    expected = [1, 3, 4, 15, 31]
    head = make_head()
    in_order = SegmentValues(head, DEFAULT_LIMITS, file.__getitem__)
    assert [float(in_order.of(one)["x"][0]) for one in file] == expected
    for number in (4, 0, 3, 1, 2):  # any order, and each alone
        assert SegmentValues(head, DEFAULT_LIMITS, file.__getitem__).of(file[number])["x"] == [
            expected[number]
        ]
    forward = SegmentValues(head, DEFAULT_LIMITS)
    assert [float(forward.of(one)["x"][0]) for one in file[:3]] == expected[:3]
    with pytest.raises(MalformedError, match="needs segment 0, which is no longer at hand"):
        SegmentValues(head, DEFAULT_LIMITS).of(file[1])
    for limits, said in (
        (Limits(needed_segments=4), "segments needed 5"),
        (Limits(memory_bytes=8), "memory for segments needed"),
    ):
        with pytest.raises(LimitError, match=said):
            SegmentValues(head, limits, file.__getitem__).of(file[4])


def test_a_chain_is_refused_in_order_as_at_random(summing):
    file = [summing(n % 8, *([n - 1] if n else []))._replace(number=n) for n in range(7)]
    limits = Limits(needed_segments=5)
    in_order = SegmentValues(make_head(), limits, file.__getitem__)
    for one in file[:5]:
        in_order.of(one)
        SegmentValues(make_head(), limits, file.__getitem__).of(one)
    for values in (in_order, SegmentValues(make_head(), limits, file.__getitem__)):
        with pytest.raises(LimitError, match="segment 5: segments needed 6, allowed up to 5"):
            values.of(file[5])


def test_many_ways_to_one_segment_cost_no_more_than_one(summing):
    """Each refers to the four before it: 2^n paths, n segments."""
    file = [summing(n % 8, *range(n - 1, max(n - 5, -1), -1))._replace(number=n) for n in range(40)]
    reads = []

    def read(number: int) -> CodedSegment:
        reads.append(number)
        return file[number]

    SegmentValues(make_head(), DEFAULT_LIMITS, read).of(file[39])
    assert sorted(reads) == list(range(39))


def test_a_section_that_nobody_owns_is_an_error():
    scheme = load_scheme({"kind": "arithmetic"})
    with pytest.raises(MalformedError, match="AUDI present, only ENTP, MASK, QSCL, SYMB, RAWF"):
        scheme.take_sections({"SYMB": b"", "AUDI": b"x"})
    assert "A tag that nobody owns is an error." in container.__doc__


def test_each_owner_gets_its_own_sections():
    coded = segment(3)._replace(sections={"AUDI": b"a", "SYMB": b"s"})
    owners = {"scheme": ("ENTP", "SYMB"), "sound": ("AUDI",)}
    assert sections_by_owner(coded, owners) == {"scheme": {"SYMB": b"s"}, "sound": {"AUDI": b"a"}}
    with pytest.raises(MalformedError, match="segment 3: sections AUDI have no owner, allowed: SY"):
        sections_by_owner(coded, {"scheme": ("SYMB",)})


def test_a_segment_with_a_foreign_section_is_refused():
    with NvcReader(ROOT / "tests" / "golden" / "tiny-raw.nvc") as reader:
        coded = reader.read_segment(1)
        foreign = coded._replace(sections={**coded.sections, "AUDI": b"x"})
        with pytest.raises(MalformedError, match=r"segment 1: sections AUDI .* allowed: RAWF"):
            unpack_segment(reader.head, foreign)
