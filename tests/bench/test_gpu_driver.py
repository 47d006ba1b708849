"""The driver of measurements on a GPU: pieces, failures, what is done already."""

import json
import sys
import time
from pathlib import Path

import pytest
import torch

from nvcodec.errors import InterruptedEncodeError

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    return gpu


def work(gpu, tmp_path, seconds=60.0, **options):
    return gpu.Work(torch.device("cpu"), tmp_path, time.monotonic() + seconds, **options)


def test_every_point_has_a_name_of_its_own_and_fits_into_a_piece(gpu):
    for rehearsal in (True, False):
        points = gpu.all_points(rehearsal)
        assert len({point.key for point in points}) == len(points)
        assert all(point.resumable or point.minutes < 8.5 for point in points)
    of_rehearsal = {point.measurement for point in gpu.all_points(True)}
    left_out = {point.measurement for point in points} - of_rehearsal
    assert left_out == {
        "bunny-time-xs", "bunny-time-s",  # bunny-time-xxs with other presets
        "bunny-xs-paper", "bunny-s-paper",  # likewise
        *(f"rd-{clip}-{codec}" for clip in ("tractor", "flower") for codec in ("hinerv", "nvrc")),
    }  # fmt: skip


def test_names_pick_measurements_and_parts_of_them(gpu):
    points = gpu.all_points(False)
    anchors = {"bigbuckbunny": {}}
    assert {p.measurement for p in gpu.wanted_points(points, ["steps"], {})} == {"steps"}
    keys = [p.key for p in gpu.wanted_points(points, ["rd-bunny-nvrc"], {})]
    assert keys == [f"rd-bunny-nvrc/nvrc-s{n}" for n in (1, 2, 3)]
    assert gpu.wanted_points(points, ["rd-bunny-nvrc"], anchors)[-1].name == "bd-rate"
    assert len(gpu.wanted_points(points, ["steps/720p/nvrc-s1"], {})) == 1
    with pytest.raises(
        ValueError, match="--only rd: unknown; there are steps, steps-compiled, bunny-xxs-paper"
    ):
        gpu.wanted_points(points, ["rd"], {})


def test_pieces_go_on_and_a_failure_does_not_cost_the_others(gpu, tmp_path, capsys):
    calls = []

    def measure(name, result):
        def act(_):
            calls.append(name)
            if isinstance(result, Exception) and calls.count(name) == 1:
                raise result
            return {"value": name}

        return gpu.Point("m", name, 0.0, act, resumable=True)

    points = [
        measure("plain", None),
        measure("fails", RuntimeError("oh")),
        measure("long", InterruptedEncodeError("stopped")),
        measure("last", None),
    ]
    out = tmp_path / "out.jsonl"
    assert gpu.run_piece(points, work(gpu, tmp_path), out) == 75
    assert gpu.run_piece(points, work(gpu, tmp_path, seconds=-1.0), out) == 75
    assert gpu.run_piece(points, work(gpu, tmp_path), out) == 0
    assert calls == ["plain", "fails", "long", "fails", "long", "last"]
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["value"] for line in lines] == ["plain", "fails", "long", "last"]
    assert {"device", "versions", "command", "date", "took_s"} <= lines[0].keys()
    assert "RuntimeError: oh" in capsys.readouterr().err


def test_a_point_that_cannot_be_cut_waits_for_a_piece_that_is_long_enough(gpu, tmp_path):
    points = [gpu.Point("m", name, 5.0, lambda _: {}) for name in "ab"]
    out = tmp_path / "out.jsonl"
    for _ in range(2):  # the first of a piece is begun anyway
        code = gpu.run_piece(points, work(gpu, tmp_path), out)
    assert code == 0
    assert len(out.read_text().splitlines()) == 2


def test_a_process_is_told_to_save_at_the_end_of_a_piece(gpu, tmp_path):
    from gpu_measurements.rate_distortion import run_until

    saving = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('{}'), sys.exit(130)))\n"
        "time.sleep(60)"
    )
    log = tmp_path / "x.jsonl"
    with pytest.raises(InterruptedEncodeError):
        run_until(work(gpu, tmp_path, seconds=1.0), [sys.executable, "-c", saving], log)
    assert log.read_text() == "{}\n"
    failing = "import sys; print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(RuntimeError, match="exit code 3\nwhy"):
        run_until(work(gpu, tmp_path), [sys.executable, "-c", failing], log)
