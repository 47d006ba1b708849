import sys
import threading
import time

import pytest

from nvcodec.errors import FfmpegError, ToolMissingError
from nvcodec.processes import Child, ffmpeg_path, ffmpeg_version, run


def python(code):
    return [sys.executable, "-c", code]


def test_run_gives_output_and_the_tail_of_stderr():
    done = run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert done.stdout == b"out\n"
    assert done.stderr == ["err"]


def test_failure_shows_code_command_and_last_lines():
    code = "import sys; [print('line', i, file=sys.stderr) for i in range(2000)]; sys.exit(3)"
    with pytest.raises(FfmpegError, match="exit code 3: line 1999") as caught:
        run(python(code))
    assert "-c" in str(caught.value)
    assert "line 1995" in str(caught.value)
    assert "line 1000" not in str(caught.value)


def test_missing_tool():
    with pytest.raises(ToolMissingError, match="no-such-tool"):
        run(["no-such-tool"])


def test_full_pipes_do_not_hang():
    code = "import sys; d = sys.stdin.buffer.read(); sys.stderr.write('x\\n' * 200000);"
    with Child(python(code + "sys.stdout.buffer.write(d)"), stdin=True, stdout=True) as child:
        child.feed([bytes(1 << 20)] * 3)
        assert len(child.stdout.read()) == 3 << 20
        child.finish()


def test_stdin_is_closed_unless_fed():
    assert run(python("import sys; print(len(sys.stdin.read()))")).stdout == b"0\n"


def test_child_ends_with_its_context():
    start = time.monotonic()
    with Child(python("import time; time.sleep(60)"), stdin=True, stdout=True) as child:
        pass
    assert child.has_ended
    assert time.monotonic() - start < 10
    assert threading.active_count() < 10


def test_error_of_the_source_comes_out_of_finish():
    def chunks():
        yield b"some"
        raise ZeroDivisionError

    with Child(python("import sys; sys.stdin.read()"), stdin=True) as child:
        child.feed(chunks())
        with pytest.raises(ZeroDivisionError):
            child.finish()


def test_a_child_may_stop_reading_early():
    with Child(python("import sys; sys.stdin.buffer.read(10)"), stdin=True) as child:
        child.feed(iter(lambda: bytes(1 << 16), None))
        child.finish()


def test_write_to_a_child_that_failed():
    code = "import sys; print('[error] why', file=sys.stderr); sys.exit(5)"

    def write_on(child):
        for _ in range(1000):
            child.write(bytes(1 << 16))

    with Child(python(code), stdin=True) as child, pytest.raises(FfmpegError, match="5: why"):
        write_on(child)


def test_ffmpeg_path_by_environment(monkeypatch):
    path = ffmpeg_path()
    monkeypatch.setenv("NVC_FFMPEG", path)
    assert ffmpeg_path() == path
    monkeypatch.setenv("NVC_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(ToolMissingError, match="NVC_FFMPEG"):
        ffmpeg_path()


def test_ffmpeg_path_by_default(monkeypatch):
    monkeypatch.delenv("NVC_FFMPEG", raising=False)
    assert b"ffmpeg version" in run([ffmpeg_path(), "-version"]).stdout


def program(folder, name, says):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return str(path)


def test_the_newer_ffmpeg_is_taken(tmp_path, monkeypatch):
    bundled = ffmpeg_path()
    monkeypatch.delenv("NVC_FFMPEG", raising=False)
    for version, is_taken in (
        ("5.1.9-0+deb12u1", False), ("n4.4", False), ("99.1", True), ("N-12345-gabc", True),
    ):  # fmt: skip
        path = program(tmp_path / version, "ffmpeg", f"echo ffmpeg version {version} Copyright")
        monkeypatch.setenv("PATH", str(tmp_path / version))
        assert ffmpeg_version(path) == version
        assert (ffmpeg_path() == path) is is_taken, (ffmpeg_path(), bundled)


def test_what_is_no_ffmpeg_is_refused(tmp_path, monkeypatch):
    path = program(tmp_path, "other", "echo something else")
    monkeypatch.setenv("NVC_FFMPEG", path)
    with pytest.raises(ToolMissingError, match="is not an ffmpeg"):
        ffmpeg_path()
