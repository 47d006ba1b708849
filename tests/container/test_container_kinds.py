"""Ancillary kinds: one entry in the table, and everything knows them."""

import io

import pytest
from nvc_samples import HEAD, Assembly, sample, small_file

from nvcodec.container import kinds
from nvcodec.container.header import Limits
from nvcodec.container.kinds import Kind, Place
from nvcodec.container.reader import NvcReader, inspect
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import LimitError, MalformedError


def parse_note(payload: bytes, limits: Limits) -> str:
    limits.check("note", "bytes", len(payload), 20)
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("note: not UTF-8") from error


@pytest.fixture(params=[Place.FRONT, Place.TAIL])
def place(request, monkeypatch):
    entry = Kind(request.param, "a note to the reader", parse_note, str.encode)
    monkeypatch.setitem(kinds.KINDS, "note", entry)
    return request.param


def write(target, place: Place, *, finish: bool = True) -> None:
    with NvcWriter(target, HEAD) as writer:
        if place is Place.FRONT:
            writer.add("note", "hello")
        for number in range(3):
            writer.write_segment(sample(number))
        if place is Place.TAIL:
            writer.add("note", "hello")
        if finish:
            writer.finish()


def test_it_is_written_read_and_shown(place, tmp_path):
    path = tmp_path / "a.nvc"
    write(path, place)
    with NvcReader(path) as reader:
        assert reader.ancillary("note") == "hello"
        assert reader.parts == []
        assert [segment.number for segment in reader.segments()] == [0, 1, 2]
        assert reader.ancillary_read == {"note": "hello"}
    seen = inspect(path)
    assert seen.ancillary == {"note": "hello"}
    assert [e.description for e in seen.entries if e.kind == "note"] == ["a note to the reader"]


def test_a_reader_that_does_not_know_it_skips_it(place, tmp_path, monkeypatch):
    path = tmp_path / "a.nvc"
    write(path, place)
    monkeypatch.delitem(kinds.KINDS, "note")
    with NvcReader(path) as reader:
        assert len(list(reader.segments())) == 3
    assert [e.description for e in inspect(path).entries if e.kind == "note"] == [
        "unknown kind, skipped"
    ]


def test_a_resumed_file_keeps_what_is_in_front(place, tmp_path):
    path, whole = tmp_path / "a.nvc", tmp_path / "whole.nvc"
    write(whole, place)
    write(path, place, finish=False)
    with NvcWriter.resume(path, HEAD) as writer:
        assert writer.ancillary == ({"note"} if place is Place.FRONT else set())
        if place is Place.TAIL:
            writer.add("note", "hello")
        writer.finish()
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("payload", "error", "message"),
    [(b"\xff", MalformedError, "not UTF-8"), (bytes(21), LimitError, "note: bytes 21")],
)
def test_wrong_content(place, payload, error, message):
    assembly = Assembly()
    if place is Place.FRONT:
        assembly.add("note", payload).segments()
    else:
        assembly.segments().add("note", payload)
    with pytest.raises(error, match=message):
        list(NvcReader(io.BytesIO(assembly.end())).segments())


def test_wrong_place(place):
    assembly = Assembly()
    if place is Place.TAIL:
        assembly.add("note", b"early")
    assembly.segments()
    if place is Place.FRONT:
        assembly.add("note", b"late")
    with pytest.raises(MalformedError, match=r"note out of place|stands after note"):
        list(NvcReader(io.BytesIO(assembly.end())).segments())


def test_what_the_writer_refuses(place):
    writer = NvcWriter(io.BytesIO(), HEAD)
    if place is Place.FRONT:
        writer.write_segment(sample(0))
        with pytest.raises(ValueError, match="before the first segment"):
            writer.add("note", "late")
    else:
        writer.add("note", "early")
        with pytest.raises(ValueError, match="written already"):
            writer.add("note", "twice")
        with pytest.raises(ValueError, match="after note"):
            writer.write_segment(sample(0))
    for name in ("SEGM", "gone"):
        with pytest.raises(
            ValueError, match=f"{name}: not an ancillary kind, allowed: clip, tstm, mkvs, note"
        ):
            writer.add(name, sample(0))
        with pytest.raises(
            ValueError, match=f"{name}: not an ancillary kind, allowed: clip, tstm, mkvs, note"
        ):
            NvcReader(io.BytesIO(small_file())).ancillary(name)


def test_every_kind_says_where_it_stands():
    assert set(kinds.KINDS) == {"HEAD", "SEGM", "clip", "tstm", "mkvs", "indx", "END "}
    for name, kind in kinds.KINDS.items():
        assert kind.is_ancillary <= name[0].islower()
    assert NvcReader(io.BytesIO(small_file())).ancillary("clip") is None
