"""Writing: atomic finish, resume, full disks, pipes."""

import errno
import io
import os
import threading
from pathlib import Path

import pytest
from nvc_samples import HEAD, make_head, sample, sections, small_file

from nvcodec.container.chunk_payloads import CodedSegment
from nvcodec.container.header import Limits
from nvcodec.container.reader import NvcReader
from nvcodec.container.unfinished import part_path
from nvcodec.container.writer import NvcWriter
from nvcodec.errors import LimitError, OutputError, ResumeError, TruncatedError

FILE = small_file()


def write_rest(writer: NvcWriter) -> None:
    for number in range(len(writer.segments), 3):
        writer.write_segment(sample(number))
    writer.finish()


def test_file_appears_only_when_finished(tmp_path: Path):
    path = tmp_path / "a.nvc"
    with NvcWriter(path, HEAD) as writer:
        for number in range(3):
            assert not path.exists()
            writer.write_segment(sample(number))
            with NvcReader(part_path(path), keep_going=True) as reader:
                assert len(list(reader.segments())) == number + 1
        size = writer.finish()
    assert path.read_bytes() == FILE
    assert size == len(FILE)
    assert not part_path(path).exists()


def test_an_exception_keeps_the_part(tmp_path: Path):
    path = tmp_path / "a.nvc"

    def interrupted() -> None:
        with NvcWriter(path, HEAD) as writer:
            writer.write_segment(sample(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not path.exists()
    with NvcWriter.resume(path, HEAD) as writer:
        assert len(writer.segments) == 1
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_existing_files_are_refused(tmp_path: Path):
    path = tmp_path / "a.nvc"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="there already"):
        NvcWriter(path, HEAD)
    with pytest.raises(OutputError, match="there already"):
        NvcWriter.resume(path, HEAD)
    assert not part_path(path).exists()
    with NvcWriter(path, HEAD, overwrite=True) as writer:
        assert path.read_bytes() == b"precious"
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_an_unfinished_file_is_not_thrown_away(tmp_path: Path):
    path = tmp_path / "a.nvc"
    part_path(path).write_bytes(b"precious")
    with pytest.raises(OutputError, match="unfinished"):
        NvcWriter(path, HEAD)
    with pytest.raises(ResumeError, match=r"not a \.nvc file"):
        NvcWriter.resume(path, HEAD)
    with pytest.raises(OutputError, match=r"not an unfinished \.nvc file"):
        NvcWriter(path, HEAD, overwrite=True)
    assert part_path(path).read_bytes() == b"precious"
    part_path(path).write_bytes(FILE[:100])
    with NvcWriter(path, HEAD, overwrite=True) as writer:
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_no_link_is_followed(tmp_path: Path):
    path, other = tmp_path / "a.nvc", tmp_path / "other"
    other.write_bytes(FILE[:100])
    part_path(path).symlink_to(other)
    for write in (NvcWriter, NvcWriter.resume):
        for overwrite in (False, True):
            with pytest.raises(OutputError):
                write(path, HEAD, overwrite=overwrite)
    assert part_path(path).is_symlink()
    assert other.read_bytes() == FILE[:100]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path):
    path = tmp_path / "a.nvc"
    writer = NvcWriter(path, HEAD)
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="there already"):
        write_rest(writer)
    assert path.read_bytes() == b"precious"
    with NvcWriter.resume(path, HEAD, overwrite=True) as writer:
        assert len(writer.segments) == 3
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_two_writers_on_one_file(tmp_path: Path):
    path = tmp_path / "a.nvc"
    with NvcWriter(path, HEAD) as writer:
        writer.write_segment(sample(0))
        for other in (
            lambda: NvcWriter.resume(path, HEAD),
            lambda: NvcWriter(path, HEAD, overwrite=True),
        ):
            with pytest.raises(OutputError, match="another process"):
                other()
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_a_part_put_there_by_another_never_takes_the_name(tmp_path: Path):
    path = tmp_path / "a.nvc"
    with NvcWriter(path, HEAD) as writer:
        part_path(path).unlink()
        part_path(path).write_bytes(b"half of another")
        with pytest.raises(OutputError, match="another process has replaced it"):
            write_rest(writer)
    assert not path.exists()
    assert part_path(path).read_bytes() == b"half of another"


def test_the_lock_is_held_until_the_name_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, replace = tmp_path / "a.nvc", Path.replace

    def replace_in_a_race(part: Path, target: Path) -> Path:
        with pytest.raises(OutputError, match="another process is writing it"):
            NvcWriter.resume(path, HEAD)
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", replace_in_a_race)
    with NvcWriter(path, HEAD) as writer:
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_resume_leaves_an_empty_part_of_another_alone(tmp_path: Path):
    """Another process has created it, and not yet written HEAD."""
    path = tmp_path / "a.nvc"
    with NvcWriter(path, HEAD) as writer:
        writer.sink.file.truncate(0)
        with pytest.raises(OutputError, match="another process"):
            NvcWriter.resume(path, HEAD)
        assert part_path(path).exists()


def test_resume_drops_segments_that_nobody_knows(tmp_path: Path):
    path = tmp_path / "a.nvc"
    for known in (0, 1, 2, 3, 9):
        part_path(path).write_bytes(FILE)
        with NvcWriter.resume(path, HEAD, max_segments=known) as writer:
            assert len(writer.segments) == min(known, 3)
            write_rest(writer)
        assert path.read_bytes() == FILE
        path.unlink()


def test_discard_removes_the_part_of_its_own(tmp_path: Path):
    path = tmp_path / "a.nvc"
    NvcWriter(path, HEAD).discard()
    assert not list(tmp_path.iterdir())
    writer = NvcWriter(path, HEAD)
    part_path(path).unlink()
    part_path(path).write_bytes(b"of another")
    writer.discard()
    assert part_path(path).exists()


@pytest.mark.parametrize("name", ["missing/a.nvc", "."])
def test_places_that_cannot_be_written(tmp_path: Path, name: str):
    with pytest.raises(OutputError):
        NvcWriter(tmp_path / name, HEAD)


def test_resume_after_a_cut_at_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # A thousand of them take long.
    path = tmp_path / "a.nvc"
    infos = NvcReader(io.BytesIO(FILE)).index
    for size in range(len(FILE) + 1):
        part_path(path).write_bytes(FILE[:size])
        with NvcWriter.resume(path, HEAD) as writer:
            whole = [info for info in infos if info.offset + info.length <= size]
            assert writer.segments == whole
            write_rest(writer)
        assert path.read_bytes() == FILE
        path.unlink()


def test_resume_drops_a_last_segment_of_zeros(tmp_path: Path):
    path = tmp_path / "a.nvc"
    info = NvcReader(io.BytesIO(FILE)).index[1]
    part_path(path).write_bytes(FILE[: info.offset + 10] + bytes(info.length))
    with NvcWriter.resume(path, HEAD) as writer:
        assert len(writer.segments) == 1
        write_rest(writer)
    assert path.read_bytes() == FILE


def test_resume_refuses_damage_before_the_end(tmp_path: Path):
    path = tmp_path / "a.nvc"
    info = NvcReader(io.BytesIO(FILE)).index[1]
    damaged = FILE[: info.offset + 30] + b"\xff" + FILE[info.offset + 31 :]
    part_path(path).write_bytes(damaged)
    with pytest.raises(ResumeError, match="damaged before segment 2"):
        NvcWriter.resume(path, HEAD)
    assert part_path(path).read_bytes() == damaged


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"width": 66}, "width is 64 there, 66 now"),
        ({"scheme": {"kind": "arithmetic", "bits": 8}}, "scheme.bits is 6 there, 8 now"),
        ({"scheme": {"kind": "arithmetic", "bits": 6, "x": 1}}, "scheme.x is absent there"),
        ({"scheme": {"kind": "arithmetic"}}, "scheme.bits is 6 there, absent now"),
    ],
)
def test_resume_with_another_head(tmp_path: Path, fields: dict, name: str):
    path = tmp_path / "a.nvc"
    part_path(path).write_bytes(FILE[:-100])
    with pytest.raises(ResumeError, match=name):
        NvcWriter.resume(path, make_head(**fields))
    assert part_path(path).read_bytes() == FILE[:-100]


class FullDisk(io.RawIOBase):
    """Takes some bytes, then has no room; short writes on the way, as a real file may."""

    def __init__(self, room: int) -> None:
        self.data, self.room = b"", room

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size = min(len(data), self.room, 7)
        self.data += bytes(data[:size])
        self.room -= size
        return size


def test_full_disk_at_every_byte_leaves_a_readable_prefix():
    for room in range(len(FILE)):
        disk = FullDisk(room)
        with pytest.raises(OutputError, match="No space left"):
            write_rest(NvcWriter(disk, HEAD))
        assert FILE.startswith(disk.data)
    disk = FullDisk(len(FILE))
    write_rest(NvcWriter(disk, HEAD))
    assert disk.data == FILE


def test_full_disk_and_then_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.nvc"
    writer = NvcWriter(path, HEAD)
    writer.write_segment(sample(0))
    real = writer.sink.file

    class Torn:
        def __getattr__(self, name):
            return getattr(real, name)

        def write(self, data):
            real.write(data[:9])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer.sink.file = Torn()
    with pytest.raises(OutputError, match=r"cannot write segment 1.*No space left"):
        writer.write_segment(sample(1))
    with pytest.raises(OutputError, match="closed"):
        writer.write_segment(sample(1))
    with pytest.raises(TruncatedError, match="after 1 whole"):
        list(NvcReader(part_path(path)).segments())
    with NvcWriter.resume(path, HEAD) as writer:
        write_rest(writer)
    assert path.read_bytes() == FILE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_dev_full():
    with pytest.raises(OutputError, match="No space left"):
        NvcWriter("/dev/full", HEAD)


def test_dev_null():
    with NvcWriter(os.devnull, HEAD) as writer:
        write_rest(writer)


def test_pipe_gives_each_segment_before_the_next_is_written():
    read_end, write_end = os.pipe()
    arrived = [threading.Event() for _ in range(3)]
    seen = []

    def reading() -> None:
        with os.fdopen(read_end, "rb") as file:
            reader = NvcReader(file)
            for segment in reader.segments():
                seen.append(segment)
                arrived[segment.number].set()

    thread = threading.Thread(target=reading)
    thread.start()
    with os.fdopen(write_end, "wb") as file:
        writer = NvcWriter(file, HEAD)
        for number in range(3):
            writer.write_segment(sample(number))
            assert arrived[number].wait(5)
        writer.finish()
    thread.join(5)
    assert [segment.sections for segment in seen] == [sections(number) for number in range(3)]


def test_pipe_is_read_once():
    read_end, write_end = os.pipe()
    os.write(write_end, FILE)
    os.close(write_end)
    with os.fdopen(read_end, "rb", buffering=0) as file:
        reader = NvcReader(file)
        assert len(list(reader.segments())) == 3
        for use in (lambda: list(reader.segments()), lambda: reader.index, reader.chunk_map):
            with pytest.raises(ValueError, match="pipe"):
                use()


def test_reader_of_a_pipe_gone():
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as file, pytest.raises(OutputError):
        NvcWriter(file, HEAD)


def test_what_the_writer_refuses():
    writer = NvcWriter(io.BytesIO(), HEAD, limits=Limits(segment_bytes=100))
    with pytest.raises(ValueError, match="must begin at 0"):
        writer.write_segment(CodedSegment(0, 1, 2, {}, bytes(16)))
    with pytest.raises(ValueError, match="HEAD has 6"):
        writer.write_segment(CodedSegment(0, 0, 7, {}, bytes(16)))
    with pytest.raises(ValueError, match="digest"):
        writer.write_segment(CodedSegment(0, 0, 2, {}, bytes(15)))
    with pytest.raises(ValueError, match="type"):
        writer.write_segment(CodedSegment(0, 0, 2, {"SYMBOLS": b""}, bytes(16)))
    with pytest.raises(LimitError):
        writer.write_segment(CodedSegment(0, 0, 2, {"SYMB": bytes(100)}, bytes(16)))
    with pytest.raises(ValueError, match="0 segments"):
        writer.finish()
    writer.write_segment(CodedSegment(0, 0, 2, {}, bytes(16)))
    with pytest.raises(ValueError, match="HEAD has 6"):
        writer.finish()
    with pytest.raises(LimitError):
        NvcWriter(io.BytesIO(), make_head(width=20_000))
    with pytest.raises(LimitError, match="inflated"):
        NvcWriter(io.BytesIO(), make_head(scheme={"kind": "huffman", "x": "a" * 2**20}))
