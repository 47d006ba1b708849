"""A Ray cluster in place of processes: the same bytes, also when a node disappears."""

import contextlib
import socket
import threading
import time

import pytest

from codec_helpers import TINY, nvc
from nvcodec.encode_types import EncodeOptions, SegmentFitting
from nvcodec.encoder import encode
from nvcodec.errors import ToolMissingError
from nvcodec.presets import load_preset

SLOW = pytest.mark.slow
pytestmark = pytest.mark.filterwarnings("ignore::nvcodec.segment_work.FlatWarning")


def run(source, target, workers, on_event=lambda event: None, epochs=4):
    preset = load_preset(TINY, [f"stages.0.epochs={epochs}"])
    options = EncodeOptions(segment_frames=2, workers=workers, device="cpu")
    return encode(source, target, preset, options, on_event=on_event)


def test_without_ray_it_is_said(clip, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'nvcodec-inr\[ray\]'"):
        run(clip, tmp_path / "a.nvc", "ray")


@SLOW
def test_a_cluster_of_this_machine(clip, tmp_path):
    pytest.importorskip("ray")
    run(clip, tmp_path / "1", 1)
    run(clip, tmp_path / "2", "ray")
    assert (tmp_path / "2").read_bytes() == (tmp_path / "1").read_bytes()


@SLOW
def test_a_cluster_that_is_not_there(clip, tmp_path):
    pytest.importorskip("ray")
    # In a process of its own: Ray's client leaves one unfit for a cluster of this machine.
    words = ["encode", clip, "-o", tmp_path / "a.nvc", "-p", TINY]
    done = nvc(*words, "--workers", "ray://127.0.0.1:9")
    assert done.code == 3
    assert "ray://127.0.0.1:9: cannot be joined" in done.stderr


@SLOW
def test_two_nodes_joined_from_outside(clip, tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    port = free_port()
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "ray_client_server_port": port}
    )
    try:
        cluster.add_node(num_cpus=1)
        words = ["encode", clip, "-p", TINY, "--epochs", 4, "--segment-frames", 2, "-q"]
        for name, workers in (("1.nvc", 1), ("2.nvc", f"ray://127.0.0.1:{port}")):
            done = nvc(*words, "-o", tmp_path / name, "--device", "cpu", "--workers", workers)
            assert done.code == 0, done.stderr
    finally:
        cluster.shutdown()
    assert (tmp_path / "2.nvc").read_bytes() == (tmp_path / "1.nvc").read_bytes()


def free_port():
    """One that Ray gives to no worker, and nobody has now."""
    for port in range(9700, 9800):
        with contextlib.closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("no port is free")


@SLOW
def test_a_node_that_disappears(clip, tmp_path):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    run(clip, tmp_path / "1", 1, epochs=300)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        cluster.wait_for_nodes()
        seen, begun = set(), threading.Event()

        def note(event):
            if isinstance(event, SegmentFitting):
                seen.add(event.number)
                if len(seen) == 2:
                    begun.set()

        def remove():
            begun.wait()
            time.sleep(0.5)
            cluster.remove_node(other, allow_graceful=False)

        remover = threading.Thread(target=remove)
        remover.start()
        run(clip, tmp_path / "2", "ray", note, epochs=300)
        remover.join()
        alive = [node for node in ray.nodes() if node["Alive"]]
        assert len(alive) == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert (tmp_path / "2").read_bytes() == (tmp_path / "1").read_bytes()
